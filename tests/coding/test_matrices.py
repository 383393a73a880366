"""Matrices of integers by Laplace distributions, with a scale for each column."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.convolutional import parities, path_length
from nfcodec.coding.entropy import Decoder, Encoder, Estimator
from nfcodec.coding.laplace import MAX_SCALE, MAX_SYMBOL, code_flat, code_laplace
from nfcodec.coding.matrices import COLUMN_CODE, code_matrix, folded, has_path, matrix_bits, suitable_scale, unfolded
from nfcodec.errors import FormatError


def there_and_back(values, scale, *, coded=False):
    encoder = Encoder()
    assert np.array_equal(code_matrix(encoder, values.shape, scale, values, coded=coded), values)
    decoder = Decoder(encoder.finish())
    assert np.array_equal(code_matrix(decoder, values.shape, scale, None, coded=coded), values)
    decoder.finish()


def bits(values, scale=None, *, coded=False):
    estimator = Estimator()
    scale = suitable_scale(values) if scale is None else scale
    code_matrix(estimator, values.shape, scale, values, coded=coded)
    return estimator.bits


def with_path(values, seed=0):
    """The same values or ones next to them, with the parities of a random path."""
    path = np.random.default_rng(seed).integers(0, 2, values.shape[1] * path_length(len(values))).astype(np.uint8)
    parity = parities(path, COLUMN_CODE, len(path)).reshape(values.shape[1], -1)[:, : len(values)]
    return 2 * (values >> 1) + np.transpose(parity)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 40), st.integers(1, 9), st.integers(0, MAX_SCALE), st.floats(0.0, 23.0), st.integers(0, 2**32 - 1)
)
def test_round_trip(rows, cols, scale, log2_size, seed):
    values = np.random.default_rng(seed).laplace(0, 2**log2_size, (rows, cols))
    whole = np.clip(np.round(values), -MAX_SYMBOL, MAX_SYMBOL - 1).astype(np.int64)
    there_and_back(whole, scale)
    if rows:
        there_and_back(with_path(whole, seed), scale, coded=True)


@pytest.mark.parametrize("scale", [0, MAX_SCALE])
def test_extremes(scale):
    there_and_back(np.array([[MAX_SYMBOL, -MAX_SYMBOL], [0, MAX_SYMBOL], [-MAX_SYMBOL, 1]]), scale)
    there_and_back(np.array([[MAX_SYMBOL, -MAX_SYMBOL], [0, MAX_SYMBOL], [-MAX_SYMBOL, 0]]), scale, coded=True)


@pytest.mark.parametrize("mean", [0.0, 0.01, 0.2, 0.5, 1.0, 3.3, 40.0, 2e4])
def test_a_suitable_scale_is_nearly_the_best(mean):
    rng = np.random.default_rng(0)
    values = np.clip(np.round(rng.laplace(0, mean, (1, 4000))), -MAX_SYMBOL, MAX_SYMBOL).astype(np.int64)
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


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (3, 1), (4, 7), (30, 30), (49, 3), (7, 500)])
def test_paths_come_back_and_others_are_none(shape):
    values = with_path(np.random.default_rng(1).integers(-50, 50, shape))
    assert has_path(values)
    assert has_path(-values)
    there_and_back(values, 40, coded=True)
    for row in range(1, min(shape[0], 3)):  # the first of three tells the path
        other = values.copy()
        other[row, -1] ^= 1
        assert not has_path(other)


def test_known_parities_save_about_two_thirds_of_a_bit():
    values = with_path(np.round(np.random.default_rng(0).laplace(0, 12, (60, 60))).astype(np.int64))
    assert 0.6 < (bits(values) - bits(values, coded=True)) / values.size < 0.7


def test_halves_of_values_that_are_too_large_are_refused():
    encoder = Encoder()
    code_flat(encoder, 1, 1, np.array([0]))
    code_laplace(encoder, np.array([0]), np.array([MAX_SCALE - 8]), np.array([MAX_SYMBOL]))
    with pytest.raises(FormatError, match="large"):
        code_matrix(Decoder(encoder.finish()), (1, 1), MAX_SCALE, None, coded=True)


def test_folding():
    values = np.arange(1000)
    assert folded(values)[:6].tolist() == [0, -1, 1, -2, 2, -3]
    assert np.array_equal(unfolded(folded(values)), values)
    assert np.abs(folded(values)).max() == 500


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (44, 20), (54, 7), (0, 5), (4, 0)])
@pytest.mark.parametrize("size", [0, 0.05, 0.3, 3, 40, 900])
def test_bits_of_a_matrix_are_known_without_coding_it(shape, size):
    values = np.round(np.random.default_rng(0).laplace(0, size or 1e-9, shape)).astype(np.int64)
    assert matrix_bits(values) == pytest.approx(bits(values), rel=1e-6, abs=1e-6)
