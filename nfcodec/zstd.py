"""Zstandard frames of a size that is known: the only importer of zstandard."""

from __future__ import annotations

import zstandard

from nfcodec.errors import FormatError

BEST, QUICK = 19, 1
"""Levels: what files are written with, and what tells about how large a frame is going to be."""

MAX_WINDOW = 1 << 27
"""Bytes that a decoder looks back on, at most."""


def compress(blob: bytes, level: int = BEST, *, checksum: bool = False) -> bytes:
    """A frame of a blob, which states its size."""
    return zstandard.ZstdCompressor(level=level, write_checksum=checksum, write_content_size=True).compress(blob)


def stated_size(frame: bytes, what: str, *, checksum: bool = False) -> int:
    """The bytes that a frame says it holds.

    Args:
        what: is in the frame, for messages.
        checksum: whether it must have one.

    Raises:
        FormatError: this is no such frame, it holds nothing or does not say how much, or it needs a dictionary.
    """
    try:
        frame_of = zstandard.get_frame_parameters(frame)
    except zstandard.ZstdError as error:
        raise FormatError(f"{what} is damaged", code="frame") from error
    if frame_of.content_size in (zstandard.CONTENTSIZE_UNKNOWN, zstandard.CONTENTSIZE_ERROR, 0):
        raise FormatError(f"{what} does not state its size", code="frame")
    if (checksum and not frame_of.has_checksum) or frame_of.dict_id:
        raise FormatError(f"{what} has no checksum, or needs a dictionary", code="frame")
    return frame_of.content_size


def decompress(frame: bytes, what: str, *, checksum: bool = False) -> bytes:
    """What a frame holds, as many bytes as it states. Raises FormatError as `stated_size` does, and for damage."""
    size = stated_size(frame, what, checksum=checksum)
    try:
        decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        blob = decompressor.decompress(frame, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(f"{what} is damaged", code="frame") from error
    if len(blob) != size:
        raise FormatError(f"{what} is damaged", code="frame")
    return blob
