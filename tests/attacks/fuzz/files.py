"""Mutations of .nfc files: each takes a file and makes another, mostly one whose checksums and header are right."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

import forge
import numpy as np
import zstandard

from nfcodec.codec import verify
from nfcodec.codec.document import METADATA_CHUNKS, metadata_mask, parse
from nfcodec.coding.payload import ANY, decode_payload, encode_payload
from nfcodec.exact.arithmetic import Step
from nfcodec.fields import Field, Geometry, Grid, HashLevel, Ngp, Pyramid, Siren, Table, TiledSiren, Wavelet
from nfcodec.fields.grid.synthesis import UNIT_STEP
from nfcodec.format import ALPHA, HEADER, PLANES, RESIDUAL, WEIGHTS, read_chunks
from nfcodec.transforms import registered
from nfcodec.wire import put_varint

from .limits import LIMITS

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

TRANSFORMS = (*(wire_id for wire_id in registered().values() if wire_id < 200), 199)
"""Ids of those that ship, not of experiments that happen to be loaded, and one of none."""

NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255, 256, 4095, 4096, 4097, 32767, 65535, 65536)
NUMBERS += (2**24 - 1, 2**24, 2**24 + 1, 2**25, 2**31 - 1, 2**31, 2**32 - 1, 2**35 - 1)


def scrambled(rng: random.Random, payload: bytes) -> bytes:
    """A few bytes changed, added or lost."""
    out = bytearray(payload)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        at, action = rng.randrange(len(out) + 1), rng.randrange(6)
        if action == 0:
            out[at:at] = rng.randbytes(rng.choice((1, 2, 4)))
        elif action == 1:
            del out[at : at + rng.choice((1, 2, 4, 16))]
        elif action == 2:
            out[at:at] = put_varint(rng.choice(NUMBERS))
        elif at < len(out):
            out[at] = (
                out[at] ^ 1 << rng.randrange(8)
                if action == 3
                else rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
            )
    return bytes(out)


def stream(rng: random.Random) -> bytes:
    """Words that are no encoder's."""
    n_bytes = 4 * rng.choice((0, 1, 2, 3, 10, 100, rng.randrange(600)))
    return rng.choice((rng.randbytes(n_bytes), bytes(n_bytes), b"\xff" * n_bytes, b"\xee" * n_bytes))


def chunk(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    kind = rng.choice(list(read_chunks(data)))
    return forge.with_chunk(data, kind, scrambled(rng, read_chunks(data)[kind]))


def header(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    found = {
        "width": rng.choice(NUMBERS), "height": rng.choice(NUMBERS), "channels": rng.randrange(4),
        "depth": rng.choice((8, 16)), "alpha": rng.random() < 0.5, "metadata": rng.randrange(8),
        "stepped": rng.random() < 0.5, "psnr_db": rng.choice((0.0, 655.34, float("inf"))), "digest": rng.randbytes(8),
        "field_id": rng.randrange(10), "minor": rng.randrange(256),
    }  # fmt: skip
    chosen = rng.sample(list(found), rng.choice((1, 1, 1, 2, 3)))
    return forge.with_header(data, **{name: found[name] for name in chosen})


def geometry(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    head = forge.header_of(data)
    width, height = rng.choice((
        (head.height, head.width), (head.width + 1, head.height), (head.width, head.height + 1), (1, head.height),
        (head.width, 1), (1, 1), (head.width * 2, head.height * 2), (rng.randrange(1, 200), rng.randrange(1, 200)),
        (head.width, max(1, head.height - 1)), (rng.randrange(1, 9), rng.randrange(1, 4097)),
    ))  # fmt: skip
    return forge.with_header(data, width=width, height=height, channels=rng.choice((head.channels,) * 3 + (1, 3)))


def field_bytes(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return forge.with_header(data, field=scrambled(rng, forge.header_of(data).field))


def some_field(rng: random.Random, height: int, width: int) -> Field:
    """A field of any family that suits the picture, small enough for the limits or a little too large."""
    wide = rng.choice((1, 2, 3, 8, 16, 33))
    rows, cols = rng.randint(1, min(3, height)), rng.randint(1, min(3, width))
    levels = tuple(
        HashLevel(
            rng.choice((0.5, 7.5, 15.0, 333.3, 65534.0)), rng.randint(2, 40), rng.choice((8, 16, 64, 4096)), features
        )
        for features in [rng.choice((1, 2, 4, 8))] * rng.choice((1, 2, 5, 32))
    )
    return rng.choice((
        lambda: Siren(wide, rng.randrange(4), frequencies=rng.choice((0, 0, 1, 5, 16))),
        lambda: TiledSiren(rows, cols, tuple(rng.randint(1, 20) for _ in range(rows * cols)), rng.randrange(3)),
        lambda: Ngp(levels, (wide,) * rng.choice((1, 2, 16))),
        lambda: Wavelet(rng.randrange(8), rng.choice((0, 0, 1, 7, 128))),
        lambda: Table(),
        lambda: Pyramid(rng.randrange(8), rng.choice((0, 0, wide))),
        lambda: Grid(rng.randint(3, 12), 0, rng.randint(1, 14), rng.randrange(17), wide),
    ))()  # fmt: skip


def chain(rng: random.Random) -> bytes:
    """Transforms with any parameters."""
    parts = [
        bytes([wire_id]) + rng.choice((rng.randbytes(size), struct.pack("<i", rng.choice((1000, 10**6, 10**9)))[:size]))
        for wire_id, size in (
            (rng.choice(TRANSFORMS), rng.choice((0, 0, 4, 4, 9, 12, 24))) for _ in range(rng.randrange(4))
        )
    ]
    return bytes([len(parts)]) + b"".join(parts)


def other_field(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Another field for the same picture, with a payload for it."""
    head = forge.header_of(data)
    place = Geometry(head.height, head.width, head.channels)
    if place.n_pixels > LIMITS.max_pixels:
        return data
    field = some_field(rng, head.height, head.width)
    n_tensors, order = len(field.layout(place)), rng.choice((*field.orders(place), rng.randrange(4)))
    steps = [Step(rng.randrange(128, 256), rng.randrange(-34, -20)) for _ in range(n_tensors)]
    if isinstance(field, Grid) and rng.random() < 0.9:
        steps[0] = UNIT_STEP
    limit = rng.choice((0, 1, 2, 9, 300, 2**16, 2**24))
    out = forge.with_header(data, field_id=field.wire_id, field=field.pack(), steps=steps)
    return forge.with_chunk(out, WEIGHTS, bytes([order]) + forge.heads(field, place, order, limit) + stream(rng))


def steps(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    packed = b"".join(struct.pack("Bb", step.mantissa, step.exponent) for step in forge.header_of(data).steps)
    if rng.random() < 0.5:
        return forge.with_steps(data, scrambled(rng, packed))
    at = 2 * rng.randrange(max(1, len(packed) // 2))
    return forge.with_steps(data, packed[:at] + bytes([rng.randrange(128, 256), rng.randrange(256)]) + packed[at + 2 :])


def transforms(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    own = forge.header_of(data).chain
    return forge.with_header(data, chain=rng.choice((scrambled(rng, own), chain(rng), chain(rng))))


def order(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return forge.with_chunk(data, WEIGHTS, bytes([rng.randrange(5)]) + read_chunks(data)[WEIGHTS][1:])


def heads(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A number within the heads of the parts."""
    payload = read_chunks(data)[WEIGHTS]
    at = rng.randrange(1, min(20, len(payload)) + 1)
    return forge.with_chunk(data, WEIGHTS, payload[:at] + put_varint(rng.choice(NUMBERS)) + payload[at + 1 :])


def words(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return forge.with_stream(data, stream(rng))


def symbols(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Other symbols, rightly coded."""
    document = parse(data, LIMITS)
    found = decode_payload(document.field, document.geometry, document.chunks[WEIGHTS], document.steps)
    name = rng.choice(list(found))
    values = np.array(found[name], np.int64)
    flat, some = values.reshape(-1), [rng.randrange(values.size) for _ in range(rng.choice((1, 3, 50)))]
    extreme = rng.choice((0, 1, 3, 255, 1 << 16, (1 << 24) - 1, 1 << 24))
    action = rng.randrange(4)
    if action == 0:
        flat[some] = [rng.choice((-extreme, extreme)) for _ in some]
    elif action == 1:
        flat[:] = extreme
    elif action == 2:
        flat[:] = np.clip(-flat * rng.choice((1, 2, 100)), -(1 << 24), 1 << 24)
    else:
        flat[:] = np.random.default_rng(rng.randrange(1 << 30)).permutation(flat)
    changed = {**found, name: values}
    way = rng.choice((ANY, document.chunks[WEIGHTS][0]))
    payload = encode_payload(way, document.field.parts(document.geometry, way), changed, document.steps)
    return forge.with_chunk(data, WEIGHTS, payload)


def metadata(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    kind = rng.choice(list(METADATA_CHUNKS.values()))
    blob = rng.choice((b"", rng.randbytes(30), bytes(rng.choice((1, 1000, 1 << 20, 1 << 25)))))
    frame = zstandard.ZstdCompressor(write_checksum=rng.random() < 0.9).compress(blob)
    payload = rng.choice((frame, scrambled(rng, frame), forge.zstd_frame(rng.choice(NUMBERS)), None))
    out = forge.with_chunk(data, kind, payload)
    return forge.with_header(out, metadata=metadata_mask(read_chunks(out))) if rng.random() < 0.9 else out


def extra(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A residual, alpha, or sort keys: other ones, or where none were."""
    kind = rng.choice((RESIDUAL, ALPHA, PLANES))
    donors = [read_chunks(other)[kind] for other in others if kind in read_chunks(other)] or [b""]
    limits = b"".join(put_varint(rng.choice(NUMBERS[:14])) for _ in range(3)) if kind == RESIDUAL else b""
    payload = rng.choice((scrambled(rng, rng.choice(donors)), rng.choice(donors), limits + stream(rng), None))
    out = forge.with_chunk(data, kind, payload)
    if rng.random() < 0.9 and kind == ALPHA:
        out = forge.with_header(out, alpha=payload is not None)
    if rng.random() < 0.9 and kind == PLANES:
        out = forge.with_header(out, chain=b"\x01\x02" if payload is not None else b"\0")
    return out


def splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Chunks or fields of the header from another file."""
    other = rng.choice(others)
    theirs, head = read_chunks(other), forge.header_of(other)
    if rng.random() < 0.4:
        kind = rng.choice([kind for kind in theirs if kind != HEADER])
        return forge.with_chunk(data, kind, theirs[kind])
    names = rng.choice((
        ("field_id", "field", "steps"), ("field_id", "field", "steps"), ("chain",), ("width", "height"), ("steps",),
        ("depth",), ("field_id", "field"), ("digest",),
    ))  # fmt: skip
    out = forge.with_header(data, **{name: getattr(head, name) for name in names})
    return forge.with_chunk(out, WEIGHTS, theirs[WEIGHTS]) if "field" in names and rng.random() < 0.8 else out


def container(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Damage of the container: order, repetition, lengths, ends; checksums stay right or do not."""
    chunks = list(read_chunks(data).items())
    action = rng.randrange(7)
    if action == 0:
        return forge.container(rng.sample(chunks, len(chunks)))
    if action == 1:
        return forge.container([*chunks, rng.choice(chunks)])
    if action == 2:
        return forge.container([*chunks, (rng.choice((b"junk", b"NEW1", rng.randbytes(4))), rng.randbytes(9))])
    if action == 3:
        return data[: rng.randrange(len(data))]
    if action == 4:
        return data + rng.randbytes(rng.choice((1, 12, 40)))
    at = rng.randrange(len(data))
    size = struct.pack("<I", rng.choice(NUMBERS) & 0xFFFFFFFF)
    return data[:at] + size + data[at + 4 :] if action == 5 else scrambled(rng, data)


def mended(data: bytes) -> bytes:
    """The same file with the digest of what it decodes to, so that nothing refuses it in the end."""
    return forge.with_header(data, digest=bytes.fromhex(verify(data, LIMITS).digest))


MUTATIONS: dict[Mutation, int] = {
    chunk: 3, header: 2, geometry: 2, field_bytes: 2, other_field: 4, steps: 2, transforms: 3, order: 1, heads: 2,
    words: 3, symbols: 4, metadata: 2, extra: 3, splice: 3, container: 1,
}  # fmt: skip
"""With weights."""


def mutated(mutation: Mutation, seed: int, data: bytes, others: Sequence[bytes]) -> bytes:
    """Apply one; where an earlier one has left nothing that it could work on, some bytes of a chunk are scrambled."""
    rng = random.Random(seed)
    for attempt in (mutation, chunk):
        try:
            return attempt(rng, data, others)
        except Exception:  # whatever the codec's own encoder makes of symbols that are none
            continue
    return data
