"""Matrices of integers by Laplace distributions, with a scale for each column."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding import Decoder, Encoder
from nfcodec.coding.entropy import Estimator
from nfcodec.coding.laplace import LARGEST, MAX_SCALE
from nfcodec.coding.matrices import code_matrix, folded, suitable_scale, unfolded


def coded(values, scale):
    encoder = Encoder()
    assert np.array_equal(code_matrix(encoder, values.shape, scale, values), values)
    stream = encoder.finish()
    decoder = Decoder(stream)
    assert np.array_equal(code_matrix(decoder, values.shape, scale, None), values)
    decoder.finish()
    return stream


def bits(values, scale=None):
    estimator = Estimator()
    code_matrix(estimator, values.shape, suitable_scale(values) if scale is None else scale, values)
    return estimator.bits


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 40), st.integers(1, 9), st.integers(0, MAX_SCALE), st.floats(0.0, 23.0), st.integers(0, 2**32 - 1)
)
def test_round_trip(rows, cols, scale, log2_size, seed):
    values = np.random.default_rng(seed).laplace(0, 2**log2_size, (rows, cols))
    coded(np.clip(np.round(values), -LARGEST, LARGEST).astype(np.int64), scale)


@pytest.mark.parametrize("scale", [0, MAX_SCALE])
def test_extremes(scale):
    coded(np.array([[LARGEST, -LARGEST], [0, LARGEST], [-LARGEST, 1]]), scale)


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.2, 0.5, 1.0, 3.3, 40.0, 2e4])
def test_a_suitable_scale_is_nearly_the_best(mean):
    rng = np.random.default_rng(0)
    values = np.clip(np.round(rng.laplace(0, mean, (1, 4000))), -LARGEST, LARGEST).astype(np.int64)
    best = min(bits(values, scale) for scale in range(MAX_SCALE + 1))
    assert bits(values) <= 1.01 * best + 8


@pytest.mark.parametrize("size", [2.0, 30.0, 1000.0])
def test_bits_are_about_the_entropy_of_columns_with_their_own_scales(size):
    rng, sizes = np.random.default_rng(1), size * 2 ** np.linspace(-2, 2, 24)
    values = np.round(rng.laplace(0, sizes, (100, 24))).astype(np.int64)
    entropy = 100 * sum(math.log2(2 * math.e * each) for each in sizes)
    assert 0.99 * entropy < bits(values) < 1.03 * entropy
    shuffled = rng.permuted(values, axis=1)  # the same numbers, no columns
    assert bits(values) < 0.97 * bits(shuffled)


def test_folding():
    values = np.arange(1000)
    assert folded(values)[:6].tolist() == [0, -1, 1, -2, 2, -3]
    assert np.array_equal(unfolded(folded(values)), values)
    assert np.abs(folded(values)).max() == 500
