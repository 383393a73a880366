from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.residuals import decode_residual, encode_residual
from nfcodec.errors import FormatError
from nfcodec.wire import put_varint

SHAPES = [(1, 1, 1), (1, 1, 3), (1, 23, 1), (1, 23, 3), (29, 1, 1), (29, 1, 3), (2, 2, 1), (13, 17, 1), (11, 8, 3)]
BELOW, ABOVE = 8, 9
MIRRORED = np.array([7, 6, 5, 4, 3, 2, 1, 0, ABOVE, BELOW], np.int8)


def case(shape, limit: int, seed: int = 0):
    """Residuals up to a limit, one of which is as large, and all ten places."""
    rng = np.random.default_rng(seed)
    residual = rng.integers(-limit, limit + 1, shape)
    residual[-1, -1] = limit
    return residual, rng.integers(0, 10, shape).astype(np.int8)


def assert_round_trip(residual, places, peak: int) -> bytes:
    payload = encode_residual(residual, places)
    decoded = decode_residual(payload, places, peak)
    assert decoded.dtype == np.int64
    assert decoded.shape == residual.shape
    assert np.array_equal(decoded, residual)
    return payload


@pytest.mark.parametrize("limit", [0, 1, 3, 255, 256, 4000, 65535])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_round_trip(shape, limit):
    residual, places = case(shape, limit)
    assert_round_trip(residual, places, 255 if limit <= 255 else 65535)


@st.composite
def cases(draw):
    shape = draw(st.integers(1, 15)), draw(st.integers(1, 15)), draw(st.sampled_from([1, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    limits = [draw(st.sampled_from([0, 1, 2, 20, 255, 300, 65535])) for _ in range(shape[2])]
    kind = draw(st.sampled_from(["noise", "extremes", "sparse"]))
    if kind == "noise":
        unit = rng.uniform(-1, 1, shape)
    elif kind == "extremes":
        unit = rng.choice([-1.0, 1.0], shape)
    else:
        unit = rng.uniform(-1, 1, shape) * (rng.uniform(0, 1, shape) < 0.05)
    places = rng.integers(0, 10, shape) if draw(st.booleans()) else np.full(shape, draw(st.integers(0, 9)))
    return np.rint(unit * limits).astype(np.int64), places.astype(np.int8)


@settings(deadline=None, max_examples=60)
@given(cases())
def test_anything_comes_back(case):
    residual, places = case
    assert_round_trip(residual, places, 65535)


@pytest.mark.parametrize("channels", [1, 3])
def test_no_residual_takes_one_byte_a_channel(channels):
    places = case((40, 30, channels), 1)[1]
    assert assert_round_trip(np.zeros(places.shape, np.int64), places, 255) == bytes(channels)


def test_channels_have_limits_of_their_own():
    residual, places = case((9, 7, 3), 5)
    residual[:, :, 1] = 0
    residual[0, 0, 2] = -300
    assert assert_round_trip(residual, places, 65535).startswith(b"\x05\x00" + put_varint(300))


def rounded(sigma: float, shape=(96, 96, 1)):
    """Residuals and places as a field leaves them whose outputs are the samples and Gaussian noise."""
    rng = np.random.default_rng(1)
    outputs = rng.uniform(50, 200, shape)
    nearest = np.floor(outputs + 0.5)
    residual = np.rint(outputs + rng.normal(0, sigma, shape)) - nearest
    return residual.astype(np.int64), np.floor(8 * (outputs + 0.5 - nearest)).astype(np.int8)


@pytest.mark.parametrize(("sigma", "share"), [(0.3, 0.9), (0.5, 0.97), (0.8, 0.99)])
def test_places_help(sigma, share):
    residual, places = rounded(sigma)
    n_bytes = len(assert_round_trip(residual, places, 255))
    shuffled = np.random.default_rng(2).permutation(places.reshape(-1)).reshape(places.shape)
    for useless in (np.full_like(places, 3), np.full_like(places, BELOW), shuffled):
        assert n_bytes < share * len(encode_residual(residual, useless))


def test_places_of_the_ends_help():
    """Black cannot become darker, nor white brighter."""
    rng = np.random.default_rng(0)
    places = rng.choice(np.array([BELOW, ABOVE], np.int8), (40, 40, 1))
    residual = rng.integers(0, 3, places.shape) * np.where(places == BELOW, 1, -1)
    one_sided = len(encode_residual(residual, places))
    assert one_sided < 0.85 * len(encode_residual(residual, np.full_like(places, BELOW)))


@pytest.mark.parametrize("limit", [2, 40, 3000])
def test_up_and_down_are_the_same(limit):
    residual, places = case((19, 14, 3), limit)
    assert encode_residual(-residual, MIRRORED[places]) == encode_residual(residual, places)


def test_busy_neighbours_help():
    busy = np.zeros((64, 64, 1))
    busy[:, 32:] = 6.0
    residual = np.rint(np.random.default_rng(0).normal(0, 1, busy.shape) * busy).astype(np.int64)
    places = np.full(residual.shape, 4, np.int8)
    shuffled = np.random.default_rng(1).permutation(residual.reshape(-1)).reshape(residual.shape)
    assert len(encode_residual(residual, places)) < 0.85 * len(encode_residual(shuffled, places))


# ------------------------------------------------------------------------------------------------------- bad payloads


@pytest.mark.parametrize(("peak", "limit"), [(255, 256), (255, 65535), (255, 2**34), (65535, 65536)])
@pytest.mark.parametrize("channel", range(3))
def test_limits_over_the_peak(peak, limit, channel):
    limits = [put_varint(limit if c == channel else 1) for c in range(3)]
    with pytest.raises(FormatError, match="residual is out of range"):
        decode_residual(b"".join(limits) + bytes(64), np.zeros((4, 4, 3), np.int8), peak)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "residual is truncated"),
        (b"\1", "residual is truncated"),
        (b"\1\1", "residual is truncated"),
        (b"\1\1\x80", "residual is truncated"),
        (b"\x80\0\1\1", "number in the residual is not in its shortest form"),
        (b"\1\1" + b"\x80" * 5 + b"\1", "number in the residual is too long"),
    ],
)
def test_broken_limits(payload, message):
    with pytest.raises(FormatError, match=message):
        decode_residual(payload, np.zeros((4, 4, 3), np.int8), 255)


def test_truncated_streams():
    """Any whole words decode to something; the file's digest knows that it is wrong."""
    residual, places = case((9, 7, 3), 5)
    payload = encode_residual(residual, places)
    n_limits = 3
    for size in range(len(payload)):
        if size >= n_limits and (size - n_limits) % 4 == 0:
            try:
                decoded = decode_residual(payload[:size], places, 255)
            except FormatError:
                continue
            assert not np.array_equal(decoded, residual)
        else:
            with pytest.raises(FormatError):
                decode_residual(payload[:size], places, 255)


@pytest.mark.parametrize("limit", [0, 5, 300])
@pytest.mark.parametrize(
    "extra", [b"\0", b"abc", bytes(12), b"\xff" * 12, bytes(4000)], ids=["byte", "three", "zeros", "ones", "many"]
)
def test_bytes_too_many(extra, limit):
    residual, places = case((9, 7, 3), limit)
    with pytest.raises(FormatError):
        decode_residual(encode_residual(residual, places) + extra, places, 65535)


@given(st.binary(max_size=120), st.sampled_from([255, 65535]))
def test_garbage_is_an_error_or_a_residual(garbage: bytes, peak: int):
    places = case((5, 6, 3), 1)[1]
    try:
        residual = decode_residual(garbage, places, peak)
    except FormatError:
        return
    assert residual.shape == places.shape
    assert np.abs(residual).max() <= peak


def test_the_stream_is_frozen():
    numbers = (np.arange(19 * 23 * 3) * 2_654_435_761 % 2**32 >> 8).reshape(19, 23, 3)
    places = (numbers % 10).astype(np.int8)
    for spread, digest in (
        (5, "befa0edf673b1d729cdf20fb9dcf48c3b902f5f8685dd6126146d0f1b3fd152b"),
        (900, "c785f3ebdff0337087a9e25223b5c14f155926bb929330a43134f8b876c0fd19"),
    ):
        payload = encode_residual(numbers // 10 % (2 * spread + 1) - spread, places)
        assert hashlib.sha256(payload).hexdigest() == digest
