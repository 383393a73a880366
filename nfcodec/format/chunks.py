"""The container: a signature and a sequence of chunks, each with a CRC. docs/reference/format.md is the normative text.

8B 4E 46 43 0D 0A 1A 0A   major u8   { type 4 bytes, length u32, payload, crc32(type + payload) u32 } ...
"""

from __future__ import annotations

import re
import struct
import zlib

from nfcodec.errors import FormatError, NotNfcError, UnsupportedError

SIGNATURE = b"\x8bNFC\r\n\x1a\n"
MAJOR = 1

HEADER, PLANES, WEIGHTS, RESIDUAL, ALPHA = b"HEAD", b"PLAN", b"WGHT", b"RESD", b"ALPH"
ICC, EXIF, XMP = b"iccp", b"exif", b"xmpm"
ORDER = (HEADER, PLANES, WEIGHTS, RESIDUAL, ALPHA, ICC, EXIF, XMP)
"""Chunk types in the order they must come; those whose first letter is small may be dropped without harm."""

_OTHERS = {
    rb"\x89PNG": "a PNG picture",
    rb"\xff\xd8\xff": "a JPEG picture",
    rb"RIFF....WEBP": "a WebP picture",
    rb"....ftypavi[fs]": "an AVIF picture",
    rb"\xff\n|\0\0\0\x0cJXL ": "a JPEG XL picture",
    rb"GIF8": "a GIF picture",
    rb"II\*\0|MM\0\*": "a TIFF picture",
    rb"P[1-6]\s": "a PNM picture",
    rb"\x93NUMPY": "a NumPy array",
}
"""How files begin that are pictures already, as patterns, and what to call them."""

Chunks = dict[bytes, bytes]


def write_chunks(chunks: Chunks) -> bytes:
    """Serialize chunks in the fixed order."""
    out = bytearray(SIGNATURE + bytes([MAJOR]))
    for kind in ORDER:
        if kind in chunks:
            payload = chunks[kind]
            out += kind + struct.pack("<I", len(payload)) + payload
            out += struct.pack("<I", zlib.crc32(kind + payload))
    return bytes(out)


def read_chunks(data: bytes) -> Chunks:
    """Parse a whole file and check every CRC.

    Raises:
        NotNfcError: the signature is another file's.
        UnsupportedError: a newer major version, or a chunk this version must not ignore.
        FormatError: truncated, damaged, out of order, or followed by other bytes.
    """
    _check_signature(data)
    chunks: Chunks = {}
    at, last = len(SIGNATURE) + 1, -1
    while at < len(data):
        if at + 12 > len(data):
            raise FormatError("the file is truncated inside a chunk", code="truncated")
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length
        if end + 4 > len(data):
            raise FormatError("the file is truncated inside a chunk", code="truncated")
        payload = data[at + 8 : end]
        if zlib.crc32(payload, zlib.crc32(kind)) != int.from_bytes(data[end : end + 4], "little"):
            raise FormatError("a chunk's CRC does not match: the file is damaged", code="crc")
        at = end + 4
        if kind in ORDER:
            if ORDER.index(kind) <= last:
                raise FormatError("chunks are repeated or out of order", code="chunks")
            last = ORDER.index(kind)
            chunks[kind] = payload
        elif not 97 <= kind[0] <= 122:
            raise UnsupportedError(f"the file needs a newer nfcodec (chunk {kind!r})", code="chunk")
    for kind in (HEADER, WEIGHTS):
        if kind not in chunks:
            raise FormatError(f"the file is truncated: there is no {kind.decode()} chunk", code="chunks")
    return chunks


def check_start(head: bytes) -> None:
    """Check the first bytes of a file, of which a few dozen suffice, so that others need not be read.

    Raises:
        NotNfcError, UnsupportedError, FormatError: as `read_chunks`.
    """
    _check_signature(head)
    kind = head[len(SIGNATURE) + 1 :][:4]
    if len(kind) == 4 and kind not in ORDER and not 97 <= kind[0] <= 122:
        raise UnsupportedError(f"the file is damaged, or needs a newer nfcodec (chunk {kind!r})", code="chunk")


def _check_signature(data: bytes) -> None:
    if data.startswith(b"Filetype: Flipper"):
        raise NotNfcError("this is a Flipper Zero NFC dump, not an nfcodec image")
    head = data[: len(SIGNATURE)]
    if head != SIGNATURE[: len(head)] or not head:
        if data[:4] == SIGNATURE[:4]:
            raise FormatError("the signature is damaged, as by a transfer in text mode", code="transfer")
        for start, name in _OTHERS.items():
            if re.match(start, data, re.DOTALL):
                raise NotNfcError(f"this is {name}, not an .nfc file; encode it first")
        raise NotNfcError("this is not an .nfc file")
    if len(data) < len(SIGNATURE) + 1:
        raise FormatError("the file is truncated", code="truncated")
    if data[len(SIGNATURE)] != MAJOR:
        raise UnsupportedError(
            f"format version {data[len(SIGNATURE)]} is not supported; this nfcodec reads {MAJOR}", code="version"
        )
