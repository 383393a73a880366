"""The .nfc container: chunks, header, metadata. Knows ids and bytes, no field and no transform."""

from nfcodec.format.chunks import (
    ALPHA,
    EXIF,
    HEADER,
    ICC,
    MAJOR,
    PLANES,
    RESIDUAL,
    WEIGHTS,
    XMP,
    Chunks,
    check_start,
    read_chunks,
    write_chunks,
)
from nfcodec.format.header import MINOR, Header
from nfcodec.format.metadata import pack_metadata, unpack_metadata

__all__ = [
    "ALPHA",
    "EXIF",
    "HEADER",
    "ICC",
    "MAJOR",
    "MINOR",
    "PLANES",
    "RESIDUAL",
    "WEIGHTS",
    "XMP",
    "Chunks",
    "Header",
    "check_start",
    "pack_metadata",
    "read_chunks",
    "unpack_metadata",
    "write_chunks",
]
