"""Bits of a grid's entries: kernels against Laplace distributions in float64, and engines against each other."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.fields.ngp import numba as ngp_numba
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fields.table.field import Pyramid
from nfcodec.fitting.engines import Objective
from nfcodec.fitting.engines.numba.engine import NumbaEngine
from nfcodec.kernels.jit import U
from nfcodec.kernels.rates import Piece, rate, rate_of_all
from tests.fitting.engines.starts import rough, tables_of

WEIGHT = np.float32(0.25)


def bits_of(symbols: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """-log2 of what a Laplace distribution has within a half of each symbol, by its distribution function."""
    magnitude = np.abs(symbols).astype(np.float64)
    near, far = (magnitude - 0.5) / scale, (magnitude + 0.5) / scale
    outside = -near + np.log(-np.expm1(near - far) / 2)
    inside = np.log1p(-(np.exp(np.minimum(near, 0)) + np.exp(-far)) / 2)
    return -np.where(magnitude >= 0.5, outside, inside) / np.log(2)


def slope_of(symbols: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Of the bits by the symbols, the scale being constant."""
    small = 1e-4
    bits = [bits_of(symbols + moved, scale) for moved in (small, -small)]
    return (bits[0] - bits[1]) / (2 * small)


def scales_around(symbols: np.ndarray) -> np.ndarray:
    """Mean magnitudes of (rows, cols) symbols and their neighbours, + 0.1."""
    total = np.pad(np.abs(symbols).astype(np.float64), 1)
    number = np.pad(np.ones(symbols.shape), 1)
    rows, cols = symbols.shape
    places = [np.s_[1 + dy : 1 + dy + rows, 1 + dx : 1 + dx + cols] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return sum(total[place] for place in places) / sum(number[place] for place in places) + 0.1


def entries(n: int, seed: int = 0) -> np.ndarray:
    """Of some size, around half a step and far from it, and none at a kink."""
    rng = np.random.default_rng(seed)
    found = (rng.laplace(0, 0.1, n) * rng.choice([0.3, 1, 8], n)).astype(np.float32)
    near_kink = np.abs(np.abs(found / 0.07) - 0.5) < 0.01
    return np.where(near_kink | (np.abs(found) < 1e-3), np.float32(0.02), found)


STEP = np.float32(0.07)


@pytest.mark.parametrize(("n_rows", "n_cols"), [(1, 1), (1, 9), (8, 1), (2, 2), (7, 11)])
@pytest.mark.parametrize(("first", "stride", "spare"), [(0, 1, 0), (5, 1, 3), (3, 4, 0), (2, 2, 9)])
@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_bits_of_a_plane(n_rows, n_cols, first, stride, spare, rows_at_once):
    """Wherever its rows and columns are; what is between them counts for nothing."""
    pitch = n_cols * stride + spare
    seen, gradient = entries(first + n_rows * pitch), np.full(first + n_rows * pitch, 7, np.float32)
    index = first + pitch * np.arange(n_rows)[:, None] + stride * np.arange(n_cols)
    sums, slopes, bits = np.empty(n_cols + 2, np.float32), np.empty(n_cols, np.float32), 0.0
    for row in range(0, n_rows, rows_at_once):
        numbers = (first, pitch, stride, n_rows, n_cols, row, min(row + rows_at_once, n_rows))
        bits += rate(seen, gradient, Piece(*map(U, numbers)), STEP, WEIGHT, sums, slopes)
    symbols = seen[index].astype(np.float64) / STEP
    scales = scales_around(symbols)
    assert bits == pytest.approx(bits_of(symbols, scales).sum(), rel=1e-4)
    expected = slope_of(symbols, scales) / STEP * WEIGHT
    assert np.abs(gradient[index] - expected).max() < 1e-3 * np.abs(expected).max()
    untouched = np.ones(gradient.size, bool)
    untouched[index] = False
    assert np.all(gradient[untouched] == 7)


@pytest.mark.parametrize(("first", "stride", "n"), [(0, 1, 1), (0, 1, 50), (3, 4, 20), (7, 8, 1)])
def test_bits_of_all_entries_alike(first, stride, n):
    end = first + n * stride
    seen, gradient = entries(end + 5), np.full(end + 5, 7, np.float32)
    bits = rate_of_all(seen, gradient, U(first), U(end), U(stride), STEP, WEIGHT)
    symbols = seen[first:end:stride].astype(np.float64) / STEP
    scale = np.full(n, np.abs(symbols).mean() + 0.1)
    assert bits == pytest.approx(bits_of(symbols, scale).sum(), rel=1e-4)
    expected = slope_of(symbols, scale) / STEP * WEIGHT
    assert np.abs(gradient[first:end:stride] - expected).max() < 1e-3 * np.abs(expected).max()
    gradient[first:end:stride] = 7
    assert np.all(gradient == 7)


def test_bits_alone():
    none, seen = np.zeros(0, np.float32), entries(12)
    sums, slopes = np.empty(6, np.float32), np.empty(4, np.float32)
    piece = Piece(*map(U, (0, 4, 1, 3, 4, 0, 3)))
    gradient = np.zeros(12, np.float32)
    how = (piece, STEP, WEIGHT, sums, slopes)
    assert rate(seen, none, *how) == rate(seen, gradient, *how)
    arguments = (U(0), U(12), U(1), STEP, WEIGHT)
    assert rate_of_all(seen, none, *arguments) == rate_of_all(seen, gradient, *arguments)


def test_zeros_have_no_slope():
    seen, gradient = np.zeros(6, np.float32), np.full(6, 7, np.float32)
    sums, slopes = np.empty(5, np.float32), np.empty(3, np.float32)
    bits = rate(seen, gradient, Piece(*map(U, (0, 3, 1, 2, 3, 0, 2))), STEP, WEIGHT, sums, slopes)
    assert bits == pytest.approx(6 * float(bits_of(np.zeros(1), np.full(1, 0.1))[0]), rel=1e-3)
    assert not gradient.any()


def test_the_mass_of_all_symbols_is_one():
    symbols = np.arange(-3000, 3001)
    for scale in (0.1, 0.7, 40.0):
        assert (2.0 ** -bits_of(symbols, np.full(symbols.shape, scale))).sum() == pytest.approx(1, abs=1e-6)


FIELDS = {
    "pyramid": Pyramid(2, hidden=4),
    "on the lattice": Ngp((HashLevel(4.5, 6, 40, 1), HashLevel(9.5, 11, 128, 4)), (8,)),
    "an entry a pixel": Ngp((HashLevel(24.0, 25, 632, 2),), (8,)),
    "hashed": Ngp((HashLevel(9.5, 11, 64, 2), HashLevel(30.5, 32, 128, 8)), (8,)),
    "both": Ngp((HashLevel(9.5, 11, 128, 2), HashLevel(23.5, 25, 96, 4)), (8,)),
}
each_field = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())
OBJECTIVES = {
    "rounded": {},
    "real": {"real": True},
    "soft and real": {"real": True, "softness": 0.3},
}


@each_field
@pytest.mark.parametrize("how", OBJECTIVES.values(), ids=OBJECTIVES.keys())
def test_engines_agree_on_bits_and_their_gradients(make_problem, monkeypatch, field, how):
    torch_engine = pytest.importorskip("nfcodec.fitting.engines.torch")
    monkeypatch.setattr(ngp_numba, "ELEMENTS", 20)
    problem = make_problem(field)
    parameters, steps = rough(problem), dict.fromkeys(tables_of(problem), 0.11)
    ours, theirs = (
        engine(problem, parameters, Objective(steps, 1e-3, **how), 0)
        for engine in (NumbaEngine, torch_engine.TorchEngine)
    )
    assert ours.gradient().bits_per_pixel == pytest.approx(theirs.gradient().bits_per_pixel, rel=1e-4)
    assert ours.evaluate().bits_per_pixel == pytest.approx(ours.gradient().bits_per_pixel, rel=1e-6)
    assert ours.evaluate().mse == pytest.approx(theirs.evaluate().mse, rel=1e-4)
    for name, gradient in theirs.gradients().items():
        assert np.abs(ours.gradients()[name] - gradient).max() < 2e-3 * np.abs(gradient).max(), name


@each_field
def test_the_gradient_of_bits_is_weighed_by_lambda(make_problem, field):
    problem = make_problem(field)
    parameters, steps = rough(problem), dict.fromkeys(tables_of(problem), 0.11)
    found = {}
    for weight in (0.0, 1e-3, 3e-3):
        engine = NumbaEngine(problem, parameters, Objective(steps, weight, real=True), 0)
        engine.gradient()
        found[weight] = engine.gradients()
    for name in tables_of(problem):
        one, three = (found[weight][name] - found[0.0][name] for weight in (1e-3, 3e-3))
        assert np.abs(one).max() > 0
        assert np.abs(three - 3 * one).max() < 1e-3 * np.abs(three).max()


@each_field
def test_levels_without_a_step_have_no_bits(make_problem, field):
    problem = make_problem(field)
    parameters, total = rough(problem), 0.0
    for name in tables_of(problem):
        engine = NumbaEngine(problem, parameters, Objective({name: 0.11}, 1e-3, real=True), 0)
        total += engine.evaluate().bits_per_pixel
    engine = NumbaEngine(problem, parameters, Objective(dict.fromkeys(tables_of(problem), 0.11), 1e-3, real=True), 0)
    assert engine.evaluate().bits_per_pixel == pytest.approx(total, rel=1e-5)
