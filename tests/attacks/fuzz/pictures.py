"""Mutations of images: some know the chunks of PNG, the entries of TIFF or the numbers of text headers."""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Sequence

from .files import Mutation, scrambled

PNG = b"\x89PNG\r\n\x1a\n"
SIZES = (0, 1, 2, 7, 8, 255, 256, 4096, 32767, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def anything(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return scrambled(rng, data)


def number(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A 16-bit or 32-bit number, at any place or in the header."""
    at = rng.randrange(min(len(data), rng.choice((64, 200, 1 << 30))))
    packed = struct.pack(rng.choice(("<I", ">I")), rng.choice(SIZES))
    part = rng.choice((packed, packed[:2], packed[2:]))
    return data[:at] + part + data[at + len(part) :]


def cut(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data))]


def spliced(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    at, there = rng.randrange(len(data)), rng.randrange(len(other))
    return data[:at] + other[there : there + rng.choice((8, 64, 1 << 20))] + data[at + rng.choice((0, 8, 64)) :]


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found: list[tuple[bytes, bytes]] = []
    at = len(PNG)
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += size + 12
    return found


def as_png(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    parts = [PNG]
    for kind, payload in chunks:
        parts += [struct.pack(">I", len(payload)), kind, payload, struct.pack(">I", zlib.crc32(kind + payload))]
    return b"".join(parts)


def png(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A chunk changed, doubled, moved, dropped or added, its checksum right."""
    chunks = png_chunks(data)
    at = rng.randrange(len(chunks))
    kind, payload = chunks[at]
    action = rng.randrange(6)
    if action == 0:
        chunks[at] = kind, scrambled(rng, payload)
    elif action == 1:
        chunks.insert(rng.randrange(len(chunks)), (kind, payload))
    elif action == 2:
        del chunks[at]
    elif action == 3:
        depth, colour = rng.choice((1, 2, 4, 8, 16, 3)), rng.choice((0, 2, 3, 4, 6, 1))
        size = [rng.choice((1, 9, 11, *SIZES)) for _ in range(2)]
        chunks[0] = b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, rng.choice((0, 0, 1, 2)))
    elif action == 4:
        body = rng.choice((bytes(rng.choice((1, 300, 1 << 20, 1 << 25))), rng.randbytes(300)))
        name = rng.choice(
            (b"IDAT", b"zTXt", b"iTXt", b"iCCP", b"eXIf", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"fdAT", b"gAMA")
        )
        head = {b"iCCP": b"p\0\0", b"zTXt": b"t\0\0", b"iTXt": b"XML:com.adobe.xmp\0\1\0\0\0"}.get(name, b"")
        chunks.insert(rng.randrange(1, len(chunks)), (name, head + rng.choice((zlib.compress(body), body[:1000]))))
    else:
        rng.shuffle(chunks)
    return as_png(chunks)


def tiff(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """An entry of the directory: another tag, type, count or value."""
    order = "<" if data[:2] == b"II" else ">"
    first = struct.unpack(f"{order}I", data[4:8])[0]
    n = struct.unpack(f"{order}H", data[first : first + 2])[0]
    at = first + 2 + 12 * rng.randrange(max(1, n))
    tag, kind, count, value = struct.unpack(f"{order}HHII", data[at : at + 12])
    entry = rng.choice((
        (rng.choice((256, 257, 258, 259, 262, 273, 277, 278, 279, 322, 324, 330, 34675, 700)), kind, count, value),
        (tag, rng.randrange(20), count, value), (tag, kind, rng.choice(SIZES), value),
        (tag, kind, count, rng.choice(SIZES)), (tag, kind, count, rng.randrange(10)),
    ))  # fmt: skip
    return data[:at] + struct.pack(f"{order}HHII", *entry) + data[at + 12 :]


def text(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A number in the header of .npy or PNM, or another word there."""
    head, rest = data[:128], data[128:]
    spots = list(re.finditer(rb"\d+", head))
    if not spots or rng.random() < 0.3:
        words = (b"True", b"None", b"'|O'", b"'>u2'", b"'<f8'", b"(", b")", b"-1", b"9" * 30, b"#", b"\n", b"{", b"'")
        at = rng.randrange(len(head))
        return head[:at] + rng.choice(words) + head[at + rng.randrange(4) :] + rest
    spot = rng.choice(spots)
    return head[: spot.start()] + str(rng.choice(SIZES)).encode() + head[spot.end() :] + rest


def mutations_of(data: bytes) -> dict[Mutation, int]:
    """Those that suit an image, with weights."""
    found: dict[Mutation, int] = {anything: 2, number: 2, cut: 1, spliced: 1}
    if data.startswith(PNG):
        found[png] = 6
    if data[:4] in (b"II*\0", b"MM\0*"):
        found[tiff] = 6
    if data[:1] == b"P" or data.startswith(b"\x93NUMPY"):
        found[text] = 6
    return found
