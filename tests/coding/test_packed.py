"""Packed integers: any come back, noise costs nothing, and what no encoder writes is refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec import zstd
from nfcodec.coding import packed
from nfcodec.coding.packed import COMPRESSED, PLANAR, pack, unpack
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL

HEAD = 12
"""Bytes that packing adds to integers as they are, at most."""


@st.composite
def integers(draw):
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4)))
    low, high = sorted(draw(st.tuples(*[st.integers(-MAX_SYMBOL, MAX_SYMBOL) | st.integers(-300, 300)] * 2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["noise", "few", "ramp", "constant"]))
    if kind == "noise":
        return rng.integers(low, high + 1, shape)
    if kind == "few":
        return rng.choice([low, high], shape)
    if kind == "ramp":
        return np.clip(low + np.indices(shape).sum(axis=0) * max(1, (high - low) // 20), low, high)
    return np.full(shape, low)


@settings(deadline=None, max_examples=150)
@given(integers())
def test_any_integers_come_back(values):
    found = unpack(pack(values), values.shape)
    assert found.dtype == np.int32
    assert np.array_equal(found, values)


@pytest.mark.parametrize("how", range(16))
def test_every_arrangement_has_its_inverse(how):
    rng = np.random.default_rng(how)
    for kind in packed.TYPES:
        numbers = rng.integers(0, np.iinfo(kind).max, (5, 7, 3), dtype=kind, endpoint=True)
        body = packed._arranged(numbers, how)
        assert len(body) == numbers.nbytes
        assert np.array_equal(packed._in_places(body, kind, numbers.shape, how), numbers)


@pytest.mark.parametrize(("high", "n_bytes"), [(256, 1), (1 << 16, 2)])
@pytest.mark.parametrize("side", [1, 7, 100])
def test_noise_takes_no_more_than_it_is(high, n_bytes, side):
    values = np.random.default_rng(0).integers(0, high, (side, side, 3))
    assert len(pack(values)) <= n_bytes * values.size + HEAD


def test_units_and_the_least_integer_take_no_room():
    tones = np.random.default_rng(0).integers(0, 200, (40, 50, 3))
    assert len(pack(tones * 257 + 1000)) <= len(pack(tones)) + HEAD


def test_what_repeats_itself_takes_next_to_nothing():
    glyph = np.random.default_rng(0).integers(0, 2, (16, 12, 1)) * 255
    assert len(pack(np.tile(glyph, (8, 9, 1)))) < 150
    ramp = np.add.outer(np.arange(300), np.arange(200))[:, :, None]
    assert len(pack(ramp * 100)) < 250


@pytest.mark.parametrize("side", [30, 400])
def test_the_estimate_is_near(side):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    shades = np.stack([120 + 60 * np.sin(x / 30 + c) * np.cos(y / 40) for c in range(3)], axis=2)
    for values in (shades.astype(int), np.round(shades + rng.normal(0, 4, shades.shape)).astype(int)):
        size = len(pack(values))
        assert 0.7 * size - HEAD < packed.estimated_bytes(values) < 1.15 * size


def plain(how: int, body: bytes, least: bytes = b"\0", unit: bytes = b"\1") -> bytes:
    return least + unit + bytes([how]) + body


SHAPE = (2, 3, 1)
SIX = bytes(range(6))


def test_the_layout_is_the_documented_one():
    assert unpack(plain(0, SIX), SHAPE)[:, :, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert unpack(plain(0, SIX, b"\3", b"\5"), SHAPE)[:, :, 0].tolist() == [[-2, 3, 8], [13, 18, 23]]
    assert unpack(plain(2, SIX), SHAPE)[:, :, 0].tolist() == [[0, 1, 3], [3, 7, 12]]
    assert unpack(plain(1, b"\1\2\3\xff\xff\xff"), SHAPE)[:, :, 0].tolist() == [[1, 2, 3], [0, 1, 2]]
    assert unpack(plain(1 << 4, bytes(6) + SIX), SHAPE)[:, :, 0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert unpack(plain(1 << 4, SIX + bytes(6)), SHAPE)[0, :, 0].tolist() == [0, 256, 512]
    assert unpack(plain(PLANAR, SIX), (1, 3, 2)).tolist() == [[[0, 3], [1, 4], [2, 5]]]
    assert unpack(plain(4, SIX), (1, 3, 2)).tolist() == [[[0, 1], [2, 5], [4, 9]]]
    assert unpack(plain(COMPRESSED, zstd.compress(SIX)), SHAPE).reshape(-1).tolist() == [*SIX]


FRAME = zstd.compress(SIX)
REFUSED = {
    "nothing": b"",
    "no body": plain(0, b""),
    "a byte less": plain(0, SIX[:-1]),
    "a byte more": plain(0, SIX + b"\0"),
    "no unit": plain(0, SIX, unit=b"\0"),
    "a type that is not there": plain(3 << 4, SIX * 8),
    "a bit without a meaning": plain(1 << 7, SIX),
    "a frame of fewer": plain(COMPRESSED, zstd.compress(SIX[:-1])),
    "a frame of more": plain(COMPRESSED, zstd.compress(bytes(10**6))),
    "a frame of another type": plain(COMPRESSED | 1 << 4, FRAME),
    "a frame that ends too early": plain(COMPRESSED, FRAME[:-1]),
    "a frame and more": plain(COMPRESSED, FRAME + b"\0"),
    "two frames": plain(COMPRESSED, zstd.compress(SIX[:3]) + zstd.compress(SIX[3:])),
    "no frame": plain(COMPRESSED, SIX),
    "an integer over the largest": plain(2 << 4, b"\xff" * 24),
    "a large unit": plain(0, SIX, unit=b"\xff\xff\xff\x0f"),
    "a least that is too small": plain(0, SIX, least=b"\xff\xff\xff\x1f"),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_no_encoder_writes_is_refused(data):
    with pytest.raises(FormatError):
        unpack(data, SHAPE)


def test_any_damage_ends_in_integers_or_an_error():
    values = np.random.default_rng(0).integers(0, 5, (12, 13, 3))
    data = pack(values)
    for at in range(len(data)):
        for bit in (1, 16, 128):
            damaged = bytearray(data)
            damaged[at] ^= bit
            try:
                found = unpack(bytes(damaged), values.shape)
            except FormatError:
                continue
            assert found.shape == values.shape


@pytest.mark.parametrize("largest", [200, 40_000, 2**20])
@pytest.mark.parametrize("smooth", [False, True])
def test_memory_of_unpacking_is_bounded_by_what_the_head_says(largest, smooth):
    """And is at least half of that."""
    rng, shape = np.random.default_rng(0), (300, 400, 3)
    integers = rng.integers(0, largest + 1, shape)
    if smooth:
        integers = np.cumsum(np.cumsum(integers < largest // 2, axis=0), axis=1) % largest
        integers[0, 0, 0] = largest
    data = pack(integers)
    tracemalloc.start()
    try:
        unpack(data, shape)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= packed.packed_cost(data, integers.size).memory_bytes <= 2 * peak
