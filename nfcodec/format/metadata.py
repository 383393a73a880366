"""Metadata chunks: zstd frames that decompress to exactly the size they state. The only importer of zstandard."""

from __future__ import annotations

import zstandard

from nfcodec.errors import FormatError
from nfcodec.limits import Limits


def pack_metadata(blob: bytes) -> bytes:
    """Compress a blob, with content size and checksum in the frame."""
    return zstandard.ZstdCompressor(level=19, write_checksum=True, write_content_size=True).compress(blob)


def unpack_metadata(payload: bytes, limits: Limits) -> bytes:
    """Decompress within `limits.max_metadata_bytes`. Raises FormatError or LimitError."""
    try:
        frame = zstandard.get_frame_parameters(payload)
        size = frame.content_size
        if size in (zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR) or size == 0:
            raise FormatError("a metadata chunk does not state its size")
        limits.check("metadata_bytes", size)
        if not frame.has_checksum or frame.dict_id:
            raise FormatError("a metadata chunk has no checksum, or needs a dictionary")
        decompressor = zstandard.ZstdDecompressor(max_window_size=max(1 << 10, 1 << 27))
        blob = decompressor.decompress(payload, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError("a metadata chunk is damaged") from error
    if len(blob) != size:
        raise FormatError("a metadata chunk is damaged")
    return blob
