"""What the head of a file and its metadata say, read without the rest: all that opening a picture takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from nfcodec.codec.document import METADATA_CHUNKS
from nfcodec.format import HEADER, Header, skim_chunks, unpack_metadata
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.transforms import Chain


@dataclass(frozen=True)
class Outline:
    """Of a file of which the pixels are still to be decoded.

    Attributes:
        metadata: raw blobs under the keys "icc", "exif", "xmp", as in a `Raster`. Those that lie behind the end of a
            file that was cut off are missing.
        has_views: whether regions and smaller pictures can be decoded; see `View`.
    """

    header: Header
    metadata: dict[str, bytes]
    has_views: bool


def outline(file: IO[bytes], limits: Limits = DEFAULT_LIMITS) -> Outline:
    """Read the header and the metadata of a file in which one can seek.

    Whether the rest of the file fits them, and is whole, shows when it is decoded.

    Raises:
        FormatError: what was read belongs to no valid file.
        LimitError: the picture or its metadata are over the limits.
    """
    chunks = skim_chunks(file, {HEADER, *METADATA_CHUNKS.values()})
    header = Header.unpack(chunks[HEADER], limits)
    metadata = {key: unpack_metadata(chunks[kind], limits) for key, kind in METADATA_CHUNKS.items() if kind in chunks}
    chain, _ = Chain.unpack(header.chain, 0, header.channels)
    return Outline(header, metadata, not chain.permutes)
