from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.entropy import Decoder, Encoder
from nfcodec.coding.planes import CODED, PACKED, code_plane, decode_planes, encode_planes
from nfcodec.errors import FormatError


def encode(plane: np.ndarray, depth: int) -> bytes:
    encoder = Encoder()
    code_plane(encoder, *plane.shape, depth, plane)
    return encoder.finish()


def decode(stream: bytes, shape, depth: int) -> np.ndarray:
    decoder = Decoder(stream)
    plane = code_plane(decoder, *shape, depth, None)
    decoder.finish()
    return plane


@st.composite
def planes(draw):
    depth = draw(st.sampled_from([8, 16]))
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)) | st.sampled_from([(1, 1), (1, 33), (33, 1)]))
    peak = (1 << depth) - 1
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["constant", "noise", "extremes", "ramp"]))
    if kind == "constant":
        plane = np.full(shape, draw(st.integers(0, peak)))
    elif kind == "noise":
        plane = rng.integers(0, peak + 1, shape)
    elif kind == "extremes":
        plane = rng.integers(0, 2, shape) * peak
    else:
        plane = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) * peak // 40
    return depth, plane.astype(np.int64)


@settings(deadline=None, max_examples=60)
@given(planes())
def test_round_trip(case):
    depth, plane = case
    assert np.array_equal(decode(encode(plane, depth), plane.shape, depth), plane)


@pytest.mark.parametrize("depth", [8, 16])
def test_flat_planes_cost_nothing(depth: int):
    plane = np.full((200, 300), (1 << depth) - 1, np.int64)
    assert len(encode(plane, depth)) < 150


def test_smooth_planes_cost_little():
    y, x = np.mgrid[0:64, 0:64]
    plane = (128 + 60 * np.sin(x / 9) * np.cos(y / 11)).astype(np.int64)
    noise = np.random.default_rng(0).integers(0, 256, plane.shape)
    assert len(encode(plane, 8)) < 0.4 * plane.size
    assert plane.size <= len(encode(noise, 8)) < 1.2 * plane.size


def test_the_stream_is_frozen():
    plane = (np.arange(19 * 23) * 2_654_435_761 % 2**32 >> 27).reshape(19, 23) + 3 * np.arange(23)
    assert (
        hashlib.sha256(encode(plane, 8)).hexdigest()
        == "bd0ca7540dbb2217d3b197ce25550bef27f4ab5f8ff0f49020979792ed187a9d"
    )
    assert (
        hashlib.sha256(encode(plane * 400, 16)).hexdigest()
        == "b8cfa853efc2d7705c3bf2c7f83f0ea7846db9d7f3cf4839f4a6cad3beca03cc"
    )


@settings(deadline=None, max_examples=40)
@given(planes(), st.integers(1, 3))
def test_planes_come_back(case, n_planes):
    depth, plane = case
    samples = [np.roll(plane, i).astype(np.uint16 if depth == 16 else np.uint8) for i in range(n_planes)]
    data = encode_planes(samples, depth)
    found = decode_planes(data, n_planes, *plane.shape, depth)
    assert [each.dtype for each in found] == [each.dtype for each in samples]
    assert np.array_equal(found, samples)
    assert len(data) <= sum(each.nbytes for each in samples) + 16


def test_the_smaller_way_is_taken():
    (y, x), rng = np.mgrid[:64, :64], np.random.default_rng(0)
    shades = np.round(128 + 60 * np.sin(x / 9) * np.cos(y / 11) + rng.normal(0, 2, x.shape)).astype(np.uint8)
    noise = rng.integers(0, 256, x.shape, dtype=np.uint8)
    checks = ((x + y) % 2 * 255).astype(np.uint8)
    assert [encode_planes([each], 8)[0] for each in (shades, noise, checks)] == [CODED, PACKED, PACKED]
    assert len(encode_planes([checks], 8)) < 60


def test_planes_that_no_encoder_writes_are_refused():
    plane = np.zeros((4, 5), np.uint8)
    coded = bytes([CODED]) + encode(plane.astype(np.int64), 8)
    assert np.array_equal(decode_planes(coded, 1, 4, 5, 8)[0], plane)
    packed = bytes([PACKED]) + b"\0\1\0" + bytes(20)
    assert np.array_equal(decode_planes(packed, 1, 4, 5, 8)[0], plane)
    too_large, negative = (bytes([PACKED]) + head + bytes(19) for head in (b"\2\1\0\xff", b"\1\1\0\0"))
    cut_or_longer = (coded + bytes(64), coded + b"\0", packed[:-1], packed + b"\0")
    for data in (b"", b"\2" + coded[1:], *cut_or_longer, too_large, negative):
        with pytest.raises(FormatError):
            decode_planes(data, 1, 4, 5, 8)
