from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.entropy import Decoder, Encoder
from nfcodec.coding.planes import code_plane


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
