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
    skim_chunks,
    write_chunks,
)
from nfcodec.format.header import MINOR, STEP_BYTES, Header
from nfcodec.format.metadata import metadata_size, pack_metadata, unpack_metadata

__all__ = [
    "ALPHA",
    "EXIF",
    "HEADER",
    "ICC",
    "MAJOR",
    "MINOR",
    "PLANES",
    "RESIDUAL",
    "STEP_BYTES",
    "WEIGHTS",
    "XMP",
    "Chunks",
    "Header",
    "check_start",
    "metadata_size",
    "pack_metadata",
    "read_chunks",
    "skim_chunks",
    "unpack_metadata",
    "write_chunks",
]
