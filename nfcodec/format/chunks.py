"""The container: a signature and a sequence of chunks, each with a CRC. docs/reference/format.md is the normative text.

8B 4E 46 43 0D 0A 1A 0A   major u8   { type 4 bytes, length u32, payload, crc32(type + payload) u32 } ...
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Callable, Container, Iterator
from typing import IO

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

_START_BYTES = 64
"""That show what kind of file it is."""


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
    chunks: Chunks = {}
    last = -1
    for kind, start, end in _places(lambda at, n_bytes: data[at : at + n_bytes], len(data)):
        payload = _checked(kind, data[start:end], data[end : end + 4])
        if kind in ORDER:
            last = _after(last, kind)
            chunks[kind] = payload
        else:
            _check_ignorable(kind)
    for kind in (HEADER, WEIGHTS):
        if kind not in chunks:
            raise FormatError(f"the file is truncated: there is no {kind.decode()} chunk", code="chunks")
    return chunks


def skim_chunks(file: IO[bytes], wanted: Container[bytes]) -> Chunks:
    """Read some chunks of a file, and check their CRCs; what lies between them is passed over and not read.

    A file that ends too early has the chunks up to there, but HEAD must be one of them.

    Args:
        file: can be sought in.
        wanted: types of chunks, HEAD among them.

    Raises:
        NotNfcError, UnsupportedError, FormatError: as `read_chunks`, for as much as is seen.
    """

    def read(at: int, n_bytes: int) -> bytes:
        file.seek(at)
        return file.read(n_bytes)

    chunks: Chunks = {}
    last = -1
    try:
        for kind, start, end in _places(read, file.seek(0, os.SEEK_END)):
            if kind not in ORDER:
                _check_ignorable(kind)
                continue
            last = _after(last, kind)
            if kind in wanted:
                chunks[kind] = _checked(kind, read(start, end - start), read(end, 4))
    except FormatError as error:
        if HEADER not in chunks or error.code != "format.truncated":
            raise
    if HEADER not in chunks:
        raise FormatError("the file does not begin with a header", code="chunks")
    return chunks


def _places(read: Callable[[int, int], bytes], size: int) -> Iterator[tuple[bytes, int, int]]:
    """Of each chunk of a file its type, where its payload starts, and where that ends; the CRC follows.

    Args:
        read: gives so many bytes from a place on.
        size: of the file.
    """
    at = len(SIGNATURE) + 1
    _check_signature(read(0, _START_BYTES))
    while at < size:
        if at + 12 > size:
            raise FormatError("the file is truncated inside a chunk", code="truncated")
        head = read(at, 8)
        start = at + 8
        end = start + int.from_bytes(head[4:], "little")
        if end + 4 > size:
            raise FormatError("the file is truncated inside a chunk", code="truncated")
        yield head[:4], start, end
        at = end + 4


def _checked(kind: bytes, payload: bytes, crc: bytes) -> bytes:
    """A payload whose CRC is right."""
    if zlib.crc32(payload, zlib.crc32(kind)) != int.from_bytes(crc, "little"):
        raise FormatError("a chunk's CRC does not match: the file is damaged", code="crc")
    return payload


def _after(last: int, kind: bytes) -> int:
    """The place of a type in `ORDER`, which comes after the last one's."""
    if ORDER.index(kind) <= last:
        raise FormatError("chunks are repeated or out of order", code="chunks")
    return ORDER.index(kind)


def _check_ignorable(kind: bytes) -> None:
    """Let a chunk of an unknown type pass if its first letter is small."""
    if not 97 <= kind[0] <= 122:
        raise UnsupportedError(f"the file needs a newer nfcodec (chunk {kind!r})", code="chunk")


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
