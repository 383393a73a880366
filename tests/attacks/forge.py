"""Hostile .nfc files, made from golden ones, with every CRC right: what is wrong in them only the parser can find."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from nfcodec import zstd
from nfcodec.codec.document import metadata_mask, parse
from nfcodec.coding.payload import ANY, CODED, NEIGHBOURS, encode_payload
from nfcodec.exact.field import Role
from nfcodec.fields import Field, Geometry, Grid, HashLevel, Ngp, Pyramid, Siren, Table, TiledSiren, Wavelet
from nfcodec.format import ALPHA, HEADER, ICC, PLANES, RESIDUAL, WEIGHTS, Header, read_chunks, write_chunks
from nfcodec.format.chunks import SIGNATURE
from nfcodec.limits import DEFAULT_LIMITS
from nfcodec.wire import ByteReader, put_varint

GOLDEN = Path(__file__).parents[1] / "conformance" / "golden"
PYRAMID, TABLE, ALPHA_FILE, ZIGZAG = "pyramid-rgb", "table-rgb-rpp", "pyramid-gray-alpha", "pyramid-rgb-zigzag"
WAVELET, FILTERED, LOSSLESS = "wavelet-rgb", "wavelet-filters-rgb", "residual-rgb"
SIREN, TILED, HASHED = "siren-gray", "tiled-2x3", "ngp-rgb"
PACKED, PACKED_ALPHA, GRIDS = "samples-rgb16", "samples-rgba", "grid-gray"
ALL = (
    PYRAMID, TABLE, ALPHA_FILE, ZIGZAG, WAVELET, FILTERED, LOSSLESS, SIREN, TILED, HASHED, PACKED, PACKED_ALPHA, GRIDS,
)  # fmt: skip
FLIPPER = b"Filetype: Flipper NFC device\nVersion: 4\nDevice type: NTAG215\nUID: 04 85 90 1A 9C 5D 80\n"
STEP = b"\x80\xe0"  # 128 * 2^-32
LINEAR = Wavelet(3)


def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.nfc").read_bytes()


def container(chunks: Iterable[tuple[bytes, bytes]], major: int = 1) -> bytes:
    """A file of any chunks in any order."""
    parts = [SIGNATURE, bytes([major])]
    for kind, payload in chunks:
        parts += [kind, struct.pack("<I", len(payload)), payload, struct.pack("<I", zlib.crc32(kind + payload))]
    return b"".join(parts)


def with_chunk(data: bytes, kind: bytes, payload: bytes | None) -> bytes:
    """Replace or add one chunk; None removes it."""
    chunks = {key: value for key, value in read_chunks(data).items() if key != kind}
    return write_chunks(chunks if payload is None else {**chunks, kind: payload})


def header_of(data: bytes) -> Header:
    return Header.unpack(read_chunks(data)[HEADER], DEFAULT_LIMITS)


def with_header(data: bytes, **fields: Any) -> bytes:
    """Replace fields of the header."""
    return with_chunk(data, HEADER, replace(header_of(data), **fields).pack())


def with_steps(data: bytes, steps: bytes) -> bytes:
    """Replace the steps by any bytes."""
    return with_chunk(data, HEADER, replace(header_of(data), steps=()).pack() + steps)


def with_stream(data: bytes, stream: bytes) -> bytes:
    """Replace the range-coded stream of WGHT."""
    payload = read_chunks(data)[WEIGHTS]
    return with_chunk(data, WEIGHTS, payload.removesuffix(stream_of(data)) + stream)


def stream_of(data: bytes) -> bytes:
    """The range-coded stream of WGHT."""
    document = parse(data, DEFAULT_LIMITS)
    reader = ByteReader(document.chunks[WEIGHTS])
    for part in document.field.parts(document.geometry, reader.u8()):
        part.read_head(reader)
    return reader.rest()


def heads(field: Field, geometry: Geometry, order: int, limit: int) -> bytes:
    """Of the parts of a payload, with one limit for all tensors, and the smallest scales."""
    tables, others = (
        [tensor for tensor in field.layout(geometry) if (tensor.role is Role.TABLE) == is_table]
        for is_table in (True, False)
    )
    if isinstance(field, Grid):
        return b"\0" * len(others) + put_varint(limit) + b"\0"
    if isinstance(field, Ngp):
        first = put_varint(limit) * sum(tensor.shape[1] for tensor in tables)
    else:
        first = put_varint(limit) * geometry.channels
    as_matrices = isinstance(field, Ngp) or (order == CODED and not isinstance(field, Table))
    each = b"\0" if as_matrices else put_varint(limit) + b"\0"
    if isinstance(field, Wavelet):
        return each * len(others) + b"\x58"
    return (first if tables else b"") + each * len(others)


def build(
    field: Field | tuple[int, bytes],
    width: int = 8,
    height: int = 8,
    *,
    limit: int = 0,
    order: int = ANY,
    stream: bytes = b"",
    steps: bytes | None = None,
    chain: bytes = b"\0",
    channels: int = 1,
    depth: int = 8,
    extra: dict[bytes, bytes] | None = None,
) -> bytes:
    """A file with any field; all tensors have one `limit`, and the digest is wrong. A tuple is a raw description."""
    wire_id, description = field if isinstance(field, tuple) else (field.wire_id, field.pack())
    geometry = Geometry(height, width, channels)
    layout = [] if isinstance(field, tuple) else field.layout(geometry)
    header = Header(
        encoder_version=(0, 0, 0), width=width, height=height, channels=channels, depth=depth,
        alpha=ALPHA in (extra or {}), metadata=metadata_mask(extra or {}), stepped=True,
        target_psnr_db=40.0, psnr_db=40.0, digest=b"no match", field_id=wire_id,
        field=description, chain=chain, steps=(),
    )  # fmt: skip
    head = header.pack() + (STEP * len(layout) if steps is None else steps)
    first = b"" if isinstance(field, tuple) else heads(field, geometry, order, limit)
    weights = bytes([order]) + first + stream
    return write_chunks({HEADER: head, WEIGHTS: weights, **(extra or {})})


def hash_level(scale: float, size: int, features: int = 1) -> tuple[int, bytes]:
    """The description of an ngp field with one level and one hidden layer of four."""
    return Ngp.wire_id, struct.pack("<BBfIBH", 1, features, scale, size, 1, 4)


def wavelet_file(symbol: int, step: bytes, field: Wavelet = LINEAR) -> bytes:
    """A file of wavelets whose coefficients are `symbol` and its negative in turn."""
    geometry = Geometry(8, 8, 1)
    symbols = {tensor.name: np.ones(tensor.shape, np.int64) for tensor in field.layout(geometry)}
    symbols["level0"][:] = symbol
    symbols["level0"][::2, 1::2] *= -1
    steps = step + STEP * (len(symbols) - 1)
    payload = encode_payload(ANY, field.parts(geometry, ANY, 255), symbols)
    return with_chunk(build(field, steps=steps), WEIGHTS, payload)


def zstd_frame(content_size: int, blocks: bytes = b"\x01\0\0", checksum: bool = True) -> bytes:
    """A frame, of one segment, that states any content size."""
    return (
        b"\x28\xb5\x2f\xfd" + (b"\xe4" if checksum else b"\xe0") + struct.pack("<Q", content_size) + blocks + bytes(4)
    )


@cache
def hostile() -> dict[str, tuple[bytes, str]]:
    """Name to (file, name of the expected error)."""
    makers = (
        _too_large, _fields, _entries, _wavelets, _grids, _chains, _streams, _residuals, _metadata, _containers,
        _not_ours,
    )  # fmt: skip
    return {name: case for make in makers for name, case in make().items()}


def _too_large() -> dict[str, tuple[bytes, str]]:
    base, tiny, one = golden(PYRAMID), Siren(4, 1), HashLevel(7.0, 8, 64, 1)
    tables = Ngp((HashLevel(9.0, 10, 1 << 24, 8),) * 32, (4,))
    return {
        "2^31 pixels": (with_header(base, width=1 << 16, height=1 << 15), "LimitError"),
        "2^31 pixels, allowed sides": (with_header(base, width=1 << 15, height=1 << 15), "LimitError"),
        "65535 x 65535": (with_header(base, width=65535, height=65535), "LimitError"),
        "largest varints": (with_header(base, width=2**35 - 1, height=2**35 - 1), "LimitError"),
        "one pixel too wide": (with_header(base, width=32769, height=1), "LimitError"),
        "10^15 multiplications": (build(Siren(2048, 15), 4000, 4000), "LimitError"),
        "10^14 multiplications, ngp": (build(Ngp((one,), (2048,) * 16), 2048, 2048), "LimitError"),
        "over 2^28 parameters, siren": (build(Siren(4096, 24)), "LimitError"),
        "over 2^28 parameters, tiles": (build(TiledSiren(8, 8, (4096,) * 64)), "LimitError"),
        "over 10^6 tensors": (build((2, b"\x64\x64\x3f\0" + b"\1\0" * 10_000), 100, 100), "FormatError"),
        "over 2^28 parameters, hashed": (build(tables), "LimitError"),
        "10^13 multiplications, ngp": (build(Ngp((one,), (4096,) * 16), 300, 300), "LimitError"),
        "a header of 70 kB": (build((1, bytes(70_000))), "LimitError"),
        "no columns": (with_header(base, width=0), "FormatError"),
        "no rows": (with_header(base, height=0), "FormatError"),
        "wide layer, one row": (build(Siren(4096, 0), 16_384, 1), "FormatError"),
        "wide layer, encoded": (build(Siren(4096, 1, frequencies=16), 16_384, 1), "FormatError"),
        "wide layer, square": (build(Pyramid(7, 4096), 128, 128), "FormatError"),
        "wide layer, no stream": (build(Siren(1024, 1), limit=1), "FormatError"),
        "alpha without bits": (build(tiny, 700, 700, extra={ALPHA: b"\0"}), "FormatError"),
        "eight key planes": (build(tiny, 90, 90, chain=b"\x08" + b"\x02" * 8, extra={PLANES: b"\0"}), "FormatError"),
        "eight permutations": (build(tiny, 400, 400, chain=b"\x08" + (b"\1\1" + bytes(8)) * 8), "FormatError"),
    }  # fmt: skip


def _fields() -> dict[str, tuple[bytes, str]]:
    level = hash_level(7.0, 64)[1][1:10]
    descriptions = {
        **{f"hash scale {scale!r}": hash_level(scale, 64)
           for scale in (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, -1.0, 65535.0, 3e38)},
        **{f"hash size {size}": hash_level(7.0, size) for size in (0, 1, 12, (1 << 24) + 8, 0xFFFFFFF8)},
        **{f"hash level of {n} features": hash_level(7.0, 64, n) for n in (0, 3, 16, 255)},
        "255 levels": (3, b"\xff" + level * 255 + b"\1\4\0"),
        "33 levels": (3, b"\x21" + level * 33 + b"\1\4\0"),
        "no levels": (3, b"\0\1\4\0"),
        "fewer levels than counted": (3, b"\2" + level),
        "255 hidden layers": (3, b"\1" + level + b"\xff" + b"\1\0" * 255),
        "17 hidden layers": (3, b"\1" + level + b"\x11" + b"\1\0" * 17),
        "no hidden layers": (3, b"\1" + level + b"\0"),
        "hidden layer of no neurons": (3, b"\1" + level + b"\1\0\0"),
        "hidden layer of 4097 neurons": (3, b"\1" + level + b"\1\1\x10"),
        "hidden layers and more": (3, b"\1" + level + b"\1\4\0\0"),
        "siren of no neurons": (1, b"\0\0\1\0"),
        "siren of 65535 neurons": (1, b"\xff\xff\1\0"),
        "siren of 64 hidden layers": (1, b"\4\0\x40\0"),
        "siren without frequencies": (1, b"\4\0\1"),
        "an encoding of 17 frequencies": (1, b"\4\0\1\x11"),
        "an encoding and more": (1, b"\4\0\1\1\1"),
        "tiles with 255 frequencies": (2, b"\1\1\1\xff\4\0"),
        "tiles of 64 hidden layers": (2, b"\1\1\x40\0\4\0"),
        "no rows of tiles": (2, b"\0\1\1\0"),
        "no columns of tiles": (2, b"\1\0\1\0"),
        "a tile too few": (2, b"\1\2\1\0\4\0"),
        "a tile too many": (2, b"\1\1\1\0\4\0\4\0"),
        "a tile of no neurons": (2, b"\1\2\1\0\4\0\0\0"),
        "more tiles than rows": (2, b"\x09\1\1\0" + b"\4\0" * 9),
        "more tiles than columns": (2, b"\1\x09\1\0" + b"\4\0" * 9),
        "wavelets of 8 levels": (4, b"\x08\0"),
        "more filters than there are": (4, b"\0\x81"),
        "wavelets without filters": (4, b"\3"),
        "filters and more": (4, b"\3\4\0"),
        "a table that is described": (5, b"\0"),
        "a pyramid of 9 levels": (6, b"\x08\0\0"),
        "a pyramid with 4097 neurons": (6, b"\0\1\x10"),
        "a pyramid without neurons": (6, b"\0\0"),
        "a pyramid and more": (6, b"\0\0\0\0"),
    }  # fmt: skip
    found = {name: (build(description, steps=STEP * 3), "FormatError") for name, description in descriptions.items()}
    base, header = golden(PYRAMID), header_of(golden(PYRAMID))
    steps, whole = STEP * len(header.steps), 1 << 24
    models = b"\0" + b"\0" * 3  # a valid WGHT payload for one hash level and two matrices
    denormal = with_chunk(build(hash_level(1e-45, 8), steps=STEP * 3), WEIGHTS, models)
    unknown = {f"field {wire_id}": (with_header(base, field_id=wire_id), "UnsupportedError") for wire_id in (0, 9, 255)}
    return found | unknown | {
        "hash scale denormal": (denormal, "FormatError"),
        "another field's description": (with_header(base, field_id=1), "FormatError"),
        "no field": (with_header(base, field=b""), "FormatError"),
        "a mode of no channels": (_patch_header(base, 4, 0x80), "UnsupportedError"),
        "a mode of two channels": (_patch_header(base, 4, 0x82), "UnsupportedError"),
        "steps missing": (with_steps(base, steps[:-2]), "FormatError"),
        "half a step missing": (with_steps(base, steps[:-1]), "FormatError"),
        "no steps": (with_steps(base, b""), "FormatError"),
        "a step too many": (with_steps(base, steps + STEP), "FormatError"),
        "largest steps": (with_steps(base, b"\xff\x7f" * len(header.steps)), "FormatError"),
        "smallest steps": (with_steps(base, b"\x80\x80" * len(header.steps)), "FormatError"),
        "steps that are not normalized": (with_steps(base, b"\x7f\0" * len(header.steps)), "FormatError"),
        "a step of nothing": (with_steps(base, b"\0\0" * len(header.steps)), "FormatError"),
        "symbols up to 2^24": (build(Siren(16, 1), limit=whole), "FormatError"),
        "symbols over 2^24": (build(Siren(16, 1), limit=whole + 1), "FormatError"),
        "differences over 2^25": (build(TiledSiren(1, 1, (16,), 1), limit=2 * whole + 1), "FormatError"),
        **{f"symbols up to 2^24, {type(field).__name__}, order {order}": (
            build(field, limit=whole, order=order, channels=3), "FormatError"
        ) for field in (Pyramid(0), Table()) for order in field.orders(Geometry(8, 8, 3))},
        "matrices without a stream": (build(Siren(16, 1), order=CODED), "FormatError"),
        "entries without a stream": (build(Ngp((HashLevel(7.0, 8, 64, 1),)), order=NEIGHBOURS), "FormatError"),
    }  # fmt: skip


def _entries() -> dict[str, tuple[bytes, str]]:
    """Of hash levels: limits, streams, and levels that are costly."""
    rng, whole, base = random.Random(6), 1 << 24, golden(HASHED)
    weights = read_chunks(base)[WEIGHTS]
    lattice, hashed = HashLevel(7.5, 9, 88, 2), HashLevel(7.5, 9, 16, 8)
    far, wide = HashLevel(65534.5, 65536, 8, 8), HashLevel(1447.0, 1448, 1 << 21, 1)
    every = Ngp((lattice, hashed, far), (4,))
    n_limits, found = len(heads(every, Geometry(8, 8, 1), ANY, 0)) - 2, dict[str, bytes]()
    for order in (ANY, NEIGHBOURS):
        streams = {f"random entries {i}": rng.randbytes(4 * rng.randrange(1, 500)) for i in range(3)}
        streams |= {"entries of ones": b"\xff" * 4000, "entries of zeros": bytes(4000)}
        cases = {name: build(every, limit=300, order=order, stream=stream) for name, stream in streams.items()}
        cases |= {
            "entries up to 2^24": build(every, limit=whole, order=order),
            "entries over 2^24": build(every, limit=whole + 1, order=order),
            "the largest limits": build(every, limit=2**35 - 1, order=order),
            "no limits": with_chunk(build(every), WEIGHTS, bytes([order])),
            "a limit too few": with_chunk(build(every), WEIGHTS, bytes([order]) + b"\1" * (n_limits - 1)),
            "no scales": with_chunk(build(every), WEIGHTS, bytes([order]) + b"\1" * n_limits),
            "scales of 153": with_chunk(build(every), WEIGHTS, bytes([order]) + b"\1" * n_limits + b"\x99" * 2),
            "32 levels, one row": build(Ngp((lattice, hashed) * 16, (4,)), 4096, 1, limit=9, order=order),
            "32 levels, one column": build(Ngp((far, hashed) * 16, (4,)), 1, 4096, limit=9, order=order),
            "far vertices": build(Ngp((far,) * 32, (4,)), 64, 64, limit=whole, order=order),
            "a level for far more pixels": build(Ngp((wide,), (4,)), 64, 64, limit=1, order=order),
        }
        found |= {f"{name}, order {order}": data for name, data in cases.items()}
    found |= {
        "entries on a code": with_chunk(base, WEIGHTS, bytes([CODED]) + weights[1:]),
        "entries in the other order": with_chunk(base, WEIGHTS, bytes([NEIGHBOURS ^ weights[0]]) + weights[1:]),
        "entries of another field": with_chunk(base, WEIGHTS, read_chunks(golden(PYRAMID))[WEIGHTS]),
    }
    return {name: (data, "FormatError") for name, data in found.items()}


def _wavelets() -> dict[str, tuple[bytes, str]]:
    base, filtered, rng = golden(WAVELET), golden(FILTERED), random.Random(8)
    weights = read_chunks(base)[WEIGHTS]
    at = weights.index(stream_of(base)) - 1
    whole, deepest, plain, all_filters = 1 << 24, Wavelet(7), Wavelet(0), Wavelet(0, 128)
    found = dict[str, bytes]()
    streams = {f"random coefficients {i}": rng.randbytes(4 * rng.randrange(1, 500)) for i in range(4)}
    streams |= {"coefficients of ones": b"\xff" * 4000, "coefficients of zeros": bytes(4000), "no coefficients": b""}
    found |= {name: with_stream(base, stream) for name, stream in streams.items()}
    found |= {f"{name}, filters": with_stream(filtered, stream) for name, stream in streams.items()}
    found |= {
        "coefficients on a code": with_chunk(base, WEIGHTS, b"\1" + weights[1:]),
        "coefficients in columns": with_chunk(base, WEIGHTS, b"\2" + weights[1:]),
        "dense levels for coefficients": with_chunk(base, WEIGHTS, read_chunks(golden(PYRAMID))[WEIGHTS]),
        "no regime": with_chunk(base, WEIGHTS, weights[:at]),
        "another regime": with_chunk(base, WEIGHTS, weights[:at] + b"\xff" + weights[at + 1 :]),
        "other levels": with_header(base, field=plain.pack()),
        "coefficients over 2^24": wavelet_file(whole + 1, STEP),
        "coefficients over 2^25": wavelet_file(2 * whole, b"\x80\x80"),
        "coefficients that overflow": wavelet_file(whole, b"\xff\0"),
        "coefficients with the largest step": wavelet_file(1, b"\xff\x7f"),
        "a wavelet level, no stream": build(deepest, 128, 64, channels=3),
        "a wavelet level, one row": build(deepest, 16_384, 1, channels=3),
        "coefficients that reach the digest": wavelet_file(whole, b"\xff\xf1", plain),
        "coefficients that overflow in the filters": wavelet_file(whole, b"\xff\xf1", all_filters),
        "filters, no stream": build(all_filters, 128, 64, channels=3),
        "filters, one row": build(all_filters, 16_384, 1, channels=3),
    }
    return {name: (data, "FormatError") for name, data in found.items()}


def _grids() -> dict[str, tuple[bytes, str]]:
    base, rng = golden(GRIDS), random.Random(10)
    document = parse(base, DEFAULT_LIMITS)
    weights, field, steps = document.chunks[WEIGHTS], document.field, document.steps
    n_matrices = len(steps) - 1
    reader = ByteReader(weights[1 + n_matrices :])
    limit, n_words = reader.varint(), reader.varint()
    words = reader.take(4 * n_words)
    before, after = weights[: 1 + n_matrices], reader.rest()

    def entries(limit: int, n_words: int, words: bytes) -> bytes:
        payload = before + put_varint(limit) + put_varint(n_words) + words + after
        return with_chunk(base, WEIGHTS, payload)

    def with_step(name: str, step: bytes) -> bytes:
        own = {each: struct.pack("Bb", steps[each].mantissa, steps[each].exponent) for each in steps}
        return with_steps(base, b"".join({**own, name: step}.values()))

    streams = {f"random entries {i}": rng.randbytes(4 * rng.randrange(1, 300)) for i in range(4)}
    streams |= {"entries of ones": b"\xff" * 4000, "entries of zeros": bytes(4000), "no entries": b""}
    found = {name: entries(limit, len(stream) // 4, stream) for name, stream in streams.items()}
    found |= {
        "three words of entries more": entries(limit, n_words + 3, words + bytes(12)),
        "half the words of entries": entries(limit, n_words // 2, words[: n_words // 2 * 4]),
        "words of entries that are not there": entries(limit, 1 << 30, words),
        "a lower limit of entries": entries(limit - 1, n_words, words),
        "a limit of entries over 2^24": entries((1 << 24) + 1, n_words, words),
        "no limit of entries": with_chunk(base, WEIGHTS, before),
        "entries of half": with_step("latents", b"\x80\xf8"),
        "entries that are predicted by overflow": with_step("entropy", b"\xff\x7f"),
        "grids that overflow": with_step("synthesis", b"\xff\x7f"),
        "entries predicted otherwise": with_step("entropy_bias", b"\xff\xef"),
        "hyperlatents at 1:2": with_header(base, field=field.pack()[:1] + b"\4" + field.pack()[2:]),
        "other grids": with_header(base, field=Grid(4, 1, 10, 4, 16).pack()),
        "grids, no stream": build(Grid(), 64, 64, channels=3, steps=b"\x80\xf9" + STEP * n_matrices),
        "grids, one row": build(Grid(12, 9), 4096, 1, channels=3, steps=b"\x80\xf9" + STEP * n_matrices),
    }
    return {name: (data, "FormatError") for name, data in found.items()}


def _chains() -> dict[str, tuple[bytes, str]]:
    base, siren = golden(PYRAMID), Siren(4, 0)

    def one(wire_id: int, number: int) -> bytes:
        return bytes([1, wire_id]) + struct.pack("<i", number)

    cancelling = b"\x08" + b"".join(one(20, gamma)[1:] for gamma in (10**6, 2 * 10**7, 50000))
    cancelling += b"\x11" + b"".join(struct.pack("<II", 177937 + c, 174644) for c in range(3))
    cancelling += b"".join(one(20, gamma)[1:] for gamma in (10**6, 50000, 10**6)) + b"\x10"
    expensive = b"\x08" + one(20, 10**6)[1:] + one(19, 10**9)[1:] + one(20, 5877151)[1:] + one(20, 50000)[1:]
    expensive += one(18, 282256465)[1:] + one(20, 2 * 10**7)[1:]
    expensive += b"\x11" + b"".join(struct.pack("<II", 722817 + c, 10**6) for c in range(3)) + one(19, 10**9)[1:]
    broken = {
        "unknown transform": b"\x01\x7f",
        "transform 0": b"\x01\x00",
        "255 transforms": b"\xff" + b"\x10" * 255,
        "nine transforms": b"\x09" + b"\x10" * 9,
        "fewer transforms than counted": b"\x04\x10",
        "more transforms than counted": b"\x01\x10\x10",
        "no chain": b"",
        "gamma 0": one(20, 0),
        "gamma negative": one(20, -(10**6)),
        "scale 0": one(18, 0),
        "scale -2^31": one(18, -(2**31)),
        "center 2^31 - 1": one(19, 2**31 - 1),
        "sigma 0": b"\x01\x11" + struct.pack("<II", 0, 0) * 3,
        "mean 2^32 - 1": b"\x01\x11" + struct.pack("<II", 2**32 - 1, 1) * 3,
        "gamma cut short": b"\x01\x14\x00\x00",
        "unknown permutation": b"\x01\x01\x02" + bytes(8),
        "key plane missing": b"\x01\x02",
    }
    found = {name: (with_header(base, chain=chain), "FormatError") for name, chain in broken.items()}
    return found | {
        "ill-conditioned curves": (build(siren, chain=cancelling, channels=3, depth=16), "LimitError"),
        "the most decimals that are allowed": (build(siren, chain=expensive, channels=3, depth=16), "FormatError"),
        "key plane nobody asked for": (with_chunk(base, PLANES, bytes(8)), "FormatError"),
        "alpha missing": (with_chunk(golden(ALPHA_FILE), ALPHA, None), "FormatError"),
        "alpha of zeros": (with_chunk(golden(ALPHA_FILE), ALPHA, bytes(401)), "FormatError"),
        "alpha of ones": (with_chunk(golden(ALPHA_FILE), ALPHA, b"\0" + b"\xff" * 400), "FormatError"),
        "alpha of three bytes": (with_chunk(golden(ALPHA_FILE), ALPHA, b"\0abc"), "FormatError"),
        "alpha in an unknown way": (with_chunk(golden(ALPHA_FILE), ALPHA, b"\2" + bytes(400)), "FormatError"),
        "packed alpha of another size": (with_chunk(golden(ALPHA_FILE), ALPHA, _packed_zeros(10**7)), "FormatError"),
        "packed alpha out of range": (
            with_chunk(golden(ALPHA_FILE), ALPHA, _packed_zeros(17 * 23, b"\1")),
            "FormatError",
        ),
        "keys of zeros": (with_chunk(golden(ZIGZAG), PLANES, bytes(401)), "FormatError"),
        "no keys": (with_chunk(golden(ZIGZAG), PLANES, b""), "FormatError"),
        "limits on a 16-bit key": (_huge_plane(), "FormatError"),
    }


def _streams() -> dict[str, tuple[bytes, str]]:
    base, rng = golden(PYRAMID), random.Random(7)
    streams = {
        "empty stream": b"",
        "stream of zeros": bytes(4000),
        "short stream of zeros": bytes(8),
        "stream of ones": b"\xff" * 4000,
        "short stream of ones": b"\xff" * 8,
        **{f"random stream {i}": rng.randbytes(4 * rng.randrange(1, 500)) for i in range(8)},
    }
    found = {name: with_stream(base, stream) for name, stream in streams.items()}
    for other in (TABLE, SIREN, TILED, HASHED):
        found |= {f"{name}, {other}": with_stream(golden(other), stream) for name, stream in streams.items()}
    weights, table = read_chunks(base)[WEIGHTS], read_chunks(golden(TABLE))[WEIGHTS]
    found |= {f"WGHT of {n} bytes": with_chunk(base, WEIGHTS, weights[:n]) for n in range(4)}
    found |= {
        "WGHT with three bytes more": with_chunk(base, WEIGHTS, weights + b"abc"),
        "WGHT with a megabyte more": with_chunk(base, WEIGHTS, weights + bytes(1 << 20)),
        "unknown order": with_chunk(base, WEIGHTS, b"\3" + weights[1:]),
        "another field's order": with_chunk(base, WEIGHTS, bytes([CODED]) + weights[1:]),
        "another order": with_chunk(golden(TABLE), WEIGHTS, bytes([CODED ^ table[0]]) + table[1:]),
        "limit in six bytes": with_chunk(base, WEIGHTS, weights[:1] + b"\x80" * 5 + b"\1" + weights[2:]),
        "limit with a needless byte": with_chunk(base, WEIGHTS, weights[:1] + b"\x81\0" + weights[2:]),
        "all bytes are 0xff": with_chunk(base, WEIGHTS, b"\0" + b"\xff" * 64),
        "prior scale 64": with_chunk(build(Siren(4, 0)), WEIGHTS, b"\0" + b"\0\x40" * 4),
    }
    return {name: (data, "FormatError") for name, data in found.items()}


def _residuals() -> dict[str, tuple[bytes, str]]:
    base, tiny, rng = golden(LOSSLESS), Siren(4, 1), random.Random(9)
    residual = read_chunks(base)[RESIDUAL]
    limits, stream = residual[:3], residual[3:]
    assert max(limits) < 128
    assert len(stream) % 4 == 0
    widest = put_varint(255) * 3
    payloads = {
        "empty": b"",
        "limits": limits,
        "two limits": limits[:2],
        "a truncated limit": limits[:2] + b"\x80",
        "a limit in six bytes": limits[:2] + b"\x80" * 5 + b"\1" + stream,
        "a limit with a needless byte": bytes([limits[0] | 0x80, 0]) + limits[1:] + stream,
        "a limit over the peak": put_varint(256) + limits[1:] + stream,
        "a last limit over the peak": limits[:2] + put_varint(256) + stream,
        "the largest limits": put_varint(2**35 - 1) * 3 + stream,
        "larger limits": bytes(limit + 1 for limit in limits) + stream,
        "the widest limits": widest + stream,
        "the widest limits, no words": widest,
        "no limits": bytes(3) + stream,
        "nothing": bytes(3),
        "three bytes more": residual + b"abc",
        "a megabyte more": residual + bytes(1 << 20),
        "a word less": residual[:-4],
        "half the words": limits + stream[: len(stream) // 8 * 4],
        "words in reverse": limits + stream[::-1],
        "words of zeros": limits + bytes(4000),
        "words of ones": limits + b"\xff" * 4000,
        "0xee": widest + b"\xee" * 4000,
        **{f"random words {i}": limits + rng.randbytes(4 * rng.randrange(1, 500)) for i in range(4)},
        **{f"random words {i}, widest limits": widest + rng.randbytes(4 * rng.randrange(1, 500)) for i in range(4)},
    }
    found = {f"residual: {name}": with_chunk(base, RESIDUAL, payload) for name, payload in payloads.items()}
    head, weights, own = read_chunks(base).items()
    deep = put_varint(65535) + b"\xee" * 4096
    found |= {
        "residual missing": with_chunk(base, RESIDUAL, None),
        "residual of another file": with_chunk(golden(WAVELET), RESIDUAL, residual),
        "residual twice": container([head, weights, own, own]),
        "residual before the weights": container([head, own, weights]),
        "residual of 16 bits": build(tiny, 64, 64, depth=16, extra={RESIDUAL: deep}),
        "residual of 16 bits for 8": build(tiny, 64, 64, extra={RESIDUAL: deep}),
        "residual without bits": build(tiny, 700, 700, extra={RESIDUAL: b"\0"}),
        "residual without words": build(tiny, 700, 700, extra={RESIDUAL: put_varint(255)}),
    }
    return {name: (data, "FormatError") for name, data in found.items()}


def _metadata() -> dict[str, tuple[bytes, str]]:
    base = golden(PYRAMID)
    bomb = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(bytes(20_000_000))
    good = zstandard.ZstdCompressor(level=3, write_checksum=True).compress(b"abc")
    blobs = {
        "zstd bomb of 20 MB": (bomb, "LimitError"),
        "zstd bomb of 2^40 bytes": (zstd_frame(1 << 40), "LimitError"),
        "zstd bomb of 2^64 - 3 bytes": (zstd_frame(2**64 - 3), "LimitError"),
        "zstd frame smaller than it says": (zstd_frame(1 << 24), "FormatError"),
        "zstd frame of nothing": (zstd_frame(0), "FormatError"),
        "zstd frame larger than it says": (zstd_frame(1, b"\x03\0\x10\0" * 64), "FormatError"),
        "zstd without a checksum": (zstandard.ZstdCompressor(write_checksum=False).compress(b"abc"), "FormatError"),
        "zstd of unknown size": (zstandard.ZstdCompressor(write_content_size=False).compress(b"abc"), "FormatError"),
        "zstd cut short": (good[:-1], "FormatError"),
        "zstd followed by bytes": (good + b"!", "FormatError"),
        "two zstd frames": (good * 2, "FormatError"),
        "zstd skippable frame": (struct.pack("<II", 0x184D2A50, 4) + b"abcd", "FormatError"),
        "empty metadata": (b"", "FormatError"),
        "metadata that is no zstd": (b"plain text", "FormatError"),
    }
    announced = with_header(base, metadata=metadata_mask({ICC: b""}))
    return {name: (with_chunk(announced, ICC, blob), error) for name, (blob, error) in blobs.items()}


def _containers() -> dict[str, tuple[bytes, str]]:
    base = golden(PYRAMID)
    chunks = list(read_chunks(base).items())
    head, weights = chunks
    broken = {
        "no chunks": [],
        "no header": [weights],
        "no weights": [head],
        "header twice": [head, head, weights],
        "weights twice": [head, weights, weights],
        "weights first": [weights, head],
        "metadata twice": [*chunks, (ICC, b"a"), (ICC, b"a")],
        "metadata first": [(ICC, b"a"), *chunks],
        "empty header": [(HEADER, b""), weights],
        "header of one byte": [(HEADER, b"\0"), weights],
        "width in six bytes": [(HEADER, head[1][:17] + b"\x80" * 5 + b"\1" + head[1][18:]), weights],
        "width with a needless byte": [(HEADER, head[1][:17] + b"\x98\0" + head[1][18:]), weights],
        "unknown critical chunk": [head, (b"NEW1", b""), weights],
        "chunk named by zeros": [head, (bytes(4), b""), weights],
    }
    found = {name: (container(parts), "FormatError") for name, parts in broken.items()}
    long_chunk = container([head]) + b"WGHT" + struct.pack("<I", 0xFFFFFFFF) + b"\0" * 64
    return found | {
        "trailing byte": (base + b"\0", "FormatError"),
        "a file twice": (base * 2, "FormatError"),
        "chunk of 4 GB": (long_chunk, "FormatError"),
        "version 2": (container(chunks, major=2), "UnsupportedError"),
        "text mode transfer": (base.replace(b"\r\n", b"\n", 1), "FormatError"),
        "signature only": (SIGNATURE, "FormatError"),
        "100,000 unknown chunks": (container([*chunks, *([(b"junk", b"")] * 100_000)])[:-1], "FormatError"),
    }


def _not_ours() -> dict[str, tuple[bytes, str]]:
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + bytes(17)
    others = {"empty file": b"", "PNG": png, "JPEG": b"\xff\xd8\xff\xe0" + bytes(64), "Flipper Zero": FLIPPER,
              "text": b"not an image\n", "zeros": bytes(4096), "one byte": b"n"}  # fmt: skip
    return {name: (data, "NotNfcError") for name, data in others.items()}


def _patch_header(data: bytes, at: int, value: int) -> bytes:
    payload = bytearray(read_chunks(data)[HEADER])
    payload[at] = value
    return with_chunk(data, HEADER, bytes(payload))


def _packed_zeros(n_bytes: int, least: bytes = b"\0") -> bytes:
    """Packed planes whose frame holds so many zeros, over the least integer."""
    return b"\1" + least + b"\1\x40" + zstd.compress(bytes(n_bytes))


def _huge_plane() -> bytes:
    """16-bit keys whose stream drives every prediction as far out of range as it goes."""
    return build(Siren(4, 0), 64, 64, chain=b"\x01\x02", depth=16, extra={PLANES: b"\0" + b"\xee" * 4096})


def mutations(n: int, seed: int) -> Iterable[bytes]:
    """Golden files with a few bytes of one chunk changed, added or lost."""
    rng = random.Random(seed)
    for _ in range(n):
        data = golden(rng.choice(ALL))
        chunks = read_chunks(data)
        kind = rng.choice([HEADER, *chunks])
        payload = bytearray(chunks[kind])
        for _ in range(rng.choice((1, 1, 2, 4))):
            at, action = rng.randrange(len(payload)), rng.randrange(4)
            if action < 2:
                payload[at] = rng.randrange(256)
            elif action == 2:
                payload[at:at] = rng.randbytes(rng.choice((1, 2, 4)))
            elif len(payload) > 8:
                del payload[at : at + rng.choice((1, 2, 4))]
        yield with_chunk(data, kind, bytes(payload))
