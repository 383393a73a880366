"""Metadata chunks: zstd frames that decompress to exactly the size they state."""

from __future__ import annotations

from nfcodec import zstd
from nfcodec.limits import Limits

_WHAT = "a metadata chunk"


def pack_metadata(blob: bytes) -> bytes:
    """Compress a blob, with content size and checksum in the frame."""
    return zstd.compress(blob, checksum=True)


def metadata_size(payload: bytes, limits: Limits) -> int:
    """The size of what `unpack_metadata` gives. Raises FormatError or LimitError."""
    size = zstd.stated_size(payload, _WHAT, checksum=True)
    limits.check("metadata_bytes", size)
    return size


def unpack_metadata(payload: bytes, limits: Limits) -> bytes:
    """Decompress within `limits.max_metadata_bytes`. Raises FormatError or LimitError."""
    metadata_size(payload, limits)
    return zstd.decompress(payload, _WHAT, checksum=True)
