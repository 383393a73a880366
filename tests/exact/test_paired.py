"""Two rows in one float64 give the same integers as one row each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.exact.arithmetic import Affine, Quantized, Step
from nfcodec.exact.paired import PairedMatrix, PlainMatrix, Scratch, multiplier

SINE = 2.0**15


def product(matrix, x):
    return matrix.product(x.astype(np.float64), Scratch())


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 40), st.integers(1, 4))
def test_products_are_those_of_big_integers(seed, n_rows, n_columns, n_parts):
    rng = np.random.default_rng(seed)
    symbols = rng.integers(-20, 21, (n_rows, n_columns))
    x = rng.integers(-(2**15), 2**15 + 1, (n_columns, 5))
    found = product(PairedMatrix(symbols.astype(np.float64), 3 * 2.0**-7, SINE, n_parts), x)
    assert (found == symbols @ x * (3 * 2.0**-7)).all()


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)], ids=str)
def test_they_are_exact_at_the_bounds(signs):
    """Both rows' sums are as large as fit; one more, and the lower one could be half of the upper one's unit."""
    largest = (1 << 11) - 1
    symbols = np.array([[signs[0] * largest, signs[0]], [signs[1] * largest, signs[1]]], np.float64)
    x = np.array([[2**15, -(2**15), 2**15 - 1, 0, 1], [2**15, -(2**15), -1, 1, 0]])
    assert (product(PairedMatrix(symbols[:, :1], 1.0, SINE, 1), x[:1]) == symbols[:, :1] @ x[:1]).all()
    with pytest.raises(ValueError, match="two rows do not fit"):
        PairedMatrix(symbols, 1.0, SINE, 1)
    assert (product(PairedMatrix(symbols, 1.0, SINE, 2), x) == symbols @ x).all()


def test_rows_are_paired_where_they_fit_in_as_few_parts_as_do():
    rng = np.random.default_rng(0)
    for largest, parts in ((3, 1), (12, 2), (24, 4)):
        symbols = rng.integers(-largest, largest + 1, (512, 512)).astype(np.float64)
        matrix = multiplier(symbols, 1.0, SINE)
        assert isinstance(matrix, PairedMatrix)
        assert len(matrix._pairs) == parts
    small = rng.integers(-3, 4, (512, 512)).astype(np.float64)
    for symbols in (100 * small, small[:1], small[:, :64]):
        assert isinstance(multiplier(symbols, 1.0, SINE), PlainMatrix)


def test_a_layer_is_the_same_in_pairs_and_in_plain():
    rng = np.random.default_rng(0)
    weight = Quantized(rng.integers(-25, 26, (101, 300)), Step(171, -16))
    bias = Quantized(rng.integers(-200, 201, 101), Step(200, -17))
    x = rng.integers(-(2**15), 2**15 + 1, (300, 70)).astype(np.float64)
    paired = Affine(weight, bias, 15, 16, SINE)
    plain = Affine(weight, bias, 15, 16, 2.0**30)  # for inputs as large as that, no two rows fit
    scratch = Scratch()
    assert (paired(x, scratch) == plain(x)).all()
    assert (paired(-x, scratch) == plain(-x)).all()
