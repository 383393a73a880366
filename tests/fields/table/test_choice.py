from __future__ import annotations

import itertools
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.coding.convolutional import CODES, MEMORY, parities, path_length, path_of
from nfcodec.exact.arithmetic import OUTPUT_UNIT
from nfcodec.fields.table import choice
from nfcodec.fields.table.analysis import start
from nfcodec.fields.table.choice import Choice, _bits, _Decoding
from nfcodec.fields.table.field import Table
from nfcodec.fields.table.fit import ONE, THREE, TWO, UNCODED, _entropy, lattices, trellis_trial
from nfcodec.fields.table.pyramid import analysed
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.problem import quantize
from nfcodec.fitting.request import Request
from nfcodec.kernels.paths import moves
from nfcodec.kernels.viterbi import cheapest_path, decoded, round_columns


@pytest.fixture
def table(make_problem):
    """The problem of a permuted picture."""

    def make(height: int = 60, width: int = 50, channels: int = 3, depth: int = 8, transform: str = "rpp"):
        return make_problem(Table(), height, width, channels, transform, depth)

    return make


def choice_of(problem, code=0, psnr_db=36.0):
    choice = Choice.of(problem, quantize(problem, *start(Table(), problem, Request(Psnr(psnr_db), 5, 0), 0.7)), code)
    assert choice is not None
    return choice


each_code = pytest.mark.parametrize("code", range(len(CODES)))


def test_a_map_of_features_without_an_inverse_leaves_no_choice(table):
    problem = table(6, 5)
    weights = quantize(problem, *start(Table(), problem, Request(Psnr(30.0), 5, 0), 0.7))
    weights["skip"] = replace(weights["skip"], symbols=np.ones_like(weights["skip"].symbols))
    assert Choice.of(problem, weights, 0) is None


def numbered(path, code):
    """The numbers of the parities along a path."""
    return parities(path, code) @ np.array([4, 2, 1])


@each_code
def test_moves_follow_the_code(code):
    path = np.random.default_rng(0).integers(0, 2, 40).astype(np.uint8)
    numbers, state, seen = moves(code), 0, []
    for bit in path.tolist():
        oldest = state & 1
        state = bit << (MEMORY - 1) | state >> 1
        seen.append(numbers[state, oldest])
    assert np.array_equal(seen, numbered(path, code))


@each_code
def test_the_cheapest_path_by_trying_all(code):
    rng, n, each_move = np.random.default_rng(0), 11, moves(code)
    costs = rng.normal(size=(n, 8)).astype(np.float32)
    found = np.empty(n, np.intp)
    cheapest_path(
        costs, each_move, found, np.empty((2, len(each_move)), np.float32), np.empty((n, len(each_move)), np.uint8)
    )  # fmt: skip
    every = [numbered(np.array(bits, np.uint8), code) for bits in itertools.product((0, 1), repeat=n)]
    best = min(every, key=lambda numbers: costs[np.arange(n), numbers].sum())
    assert np.array_equal(found, best)


def rounded_along(path, columns, steps, spread):
    """Columns rounded one after the other to symbols with the parities of a path, and the error of all."""
    n_columns, n_rows = columns.shape
    parity = parities(path, 0, len(path)).reshape(n_columns, -1)[:, :n_rows]
    left, error = columns.copy(), 0.0
    symbols = np.empty(columns.shape, np.int64)
    for q in range(n_columns):
        symbols[q] = 2 * np.round((left[q] / steps[q] - parity[q]) / 2) + parity[q]
        missing = (left[q] - symbols[q] * steps[q]) / spread[q, q]
        left -= np.outer(spread[q] * (np.arange(n_columns) > q), missing)
        error += (missing**2).sum()
    return symbols, error


@pytest.mark.parametrize(("n_columns", "n_rows"), [(1, 1), (1, 12), (2, 6), (3, 5), (4, 3), (6, 1)])
def test_columns_take_the_best_path_of_all(n_columns, n_rows):
    rng, n_bits = np.random.default_rng(n_rows), n_columns * path_length(n_rows)
    columns, steps = rng.normal(0, 3, (n_columns, n_rows)), rng.uniform(0.5, 1.5, n_columns)
    basis = rng.normal(size=(n_columns + 2, n_columns))
    spread = np.linalg.cholesky(np.linalg.inv(basis.T @ basis)).T.copy()
    every = [np.array(bits, np.uint8) for bits in itertools.product((0, 1), repeat=n_bits)]
    best = min((rounded_along(path, columns, steps, spread) for path in every), key=lambda found: found[1])
    found = np.empty(columns.shape, np.int64)
    round_columns(columns, steps, spread, moves(0), 2**n_bits, found)
    assert np.array_equal(found, best[0])


def test_more_survivors_of_columns_cost_less_error():
    rng = np.random.default_rng(0)
    columns, steps, spread = rng.normal(0, 3, (30, 20)), np.full(30, 0.7), np.eye(30)
    errors = []
    for n_survivors in (1, 8):
        found = np.empty(columns.shape, np.int64)
        round_columns(columns, steps, spread, moves(0), n_survivors, found)
        errors.append(((found * steps[:, None] - columns) ** 2).mean())
    by_rounding = 0.7**2 * 4 ** (2 / 3) / 12  # at the same rate: two thirds of a bit fewer
    assert errors[1] < 0.97 * errors[0] < 0.97 * 0.87 * by_rounding


@pytest.mark.parametrize("transform", ["rpp", "gamma:2.2+rpp", "inversion+rpp", "sympower+rpp", "scale:2+rpp"])
@pytest.mark.parametrize(("channels", "depth"), [(3, 8), (1, 8), (1, 16)])
def test_outputs_decode_as_the_value_map_says(table, transform, channels, depth):
    problem = table(channels=channels, depth=depth, transform=transform)
    decoding = _Decoding.of(problem)
    rng = np.random.default_rng(0)
    outputs = np.round(rng.uniform(-0.2, 1.2, (300, channels)) / OUTPUT_UNIT).astype(np.int64)
    outputs[:2] = [[-(1 << 40)], [1 << 40]]
    exact = problem.value_map.to_samples(outputs)
    for c in range(channels):
        values = outputs[:, c] * OUTPUT_UNIT * problem.value_map.sign
        rows = decoding.thresholds[c], decoding.starts[c], decoding.thresholds[c, 0], decoding.scales[c]
        assert [decoded(float(value), *rows) for value in values] == exact[:, c].tolist()


@pytest.mark.parametrize("transform", ["rpp", "gamma:2.2+rpp", "inversion+rpp", "standardize+rpp"])
@pytest.mark.parametrize("channels", [1, 3])
def test_without_a_price_the_error_is_less_than_that_of_any_other_path(table, transform, channels):
    problem = table(channels=channels, transform=transform)
    choice = choice_of(problem)
    best = problem.trial(choice.weights(choice.at(0.0, choice.nearest)))
    symbols = best.weights["level0"].symbols
    assert path_of(symbols) is not None
    wanted = choice._wanted.reshape(-1)[: symbols.size].reshape(symbols.shape)
    for seed in range(3):
        path = np.random.default_rng(seed).integers(0, 2, path_length(symbols.size)).astype(np.uint8)
        parity = parities(path, 0).reshape(-1)[: symbols.size].reshape(symbols.shape)
        other = 2 * np.round((wanted - parity) / 2).astype(np.int64) + parity
        level = replace(best.weights["level0"], symbols=other)
        assert problem.exact_psnr_db({**best.weights, "level0": level}) < best.psnr_db - 0.5


def test_a_price_trades_error_for_bits(table):
    problem = table()
    choice, trials = choice_of(problem), []
    symbols = choice.nearest
    for price in (0.0, 10.0, 60.0):
        symbols = choice.at(price, symbols)
        trials.append(problem.trial(choice.weights(symbols)))
    assert trials[0].psnr_db > trials[1].psnr_db > trials[2].psnr_db
    sizes = [problem.estimated_bytes(trial.weights) for trial in trials]
    assert sizes[0] > sizes[1] > sizes[2]


def test_bits_are_those_of_a_distribution_for_all_parities():
    counts = np.random.default_rng(0).integers(0, 9, (6, 4, 8))
    likely = 2.0 ** -_bits(counts, 0).astype(np.float64)
    for a, b, c in itertools.product(range(2), repeat=3):
        assert math.isclose(likely[a::2, b::2, c::2].sum(), 1, rel_tol=1e-5)
    assert likely[counts == 0].min() > 0
    assert math.isclose((2.0 ** -_bits(counts, None).astype(np.float64)).sum(), 1, rel_tol=1e-5)


@pytest.mark.parametrize("transform", ["rpp", "gamma:2+rpp", "inversion+standardize+rpp"])
@pytest.mark.parametrize(("channels", "depth", "psnr_db"), [(3, 8, 30.0), (3, 8, 45.0), (1, 8, 40.0), (1, 16, 60.0)])
def test_smaller_than_rounding_at_the_same_error(table, transform, channels, depth, psnr_db):
    problem, request = table(80, 75, channels, depth, transform), Request(Psnr(psnr_db), 5, 0)
    rounding = analysed(Table(), problem, request)
    trials = [trellis_trial(problem, request, rounding, lattice) for lattice in lattices(rounding)[:-1]]
    for trial in trials:
        assert trial is not None
        assert psnr_db <= trial.psnr_db == problem.exact_psnr_db(trial.weights)
        assert path_of(trial.weights["level0"].symbols) is not None
    smallest = min(problem.estimated_bytes(trial.weights) for trial in trials)
    assert smallest < 0.985 * problem.estimated_bytes(rounding.weights)  # at 16 bits 0.984, at hardly any other PSNR


def smaller_than_rounding(problem, request, lattice):
    """The trial on a lattice, which keeps the promise in fewer bytes."""
    rounding = analysed(Table(), problem, request)
    trial = trellis_trial(problem, request, rounding, lattice)
    assert trial is not None
    assert request.psnr_db <= trial.psnr_db == problem.exact_psnr_db(trial.weights)
    assert problem.estimated_bytes(trial.weights) < 0.98 * problem.estimated_bytes(rounding.weights)
    return trial


def test_without_the_code_it_is_still_smaller_than_rounding(table):
    problem, request = table(80, 75), Request(Psnr(36.0), 5, 0)
    smaller_than_rounding(problem, request, UNCODED)


def test_many_combinations_are_counted_by_feature(table, monkeypatch):
    problem, request = table(80, 75), Request(Psnr(40.0), 5, 0)
    monkeypatch.setattr(choice, "MAX_COMBINATIONS", 1000)
    smaller_than_rounding(problem, request, THREE)


def test_what_is_out_of_reach(table):
    problem = table()
    assert (
        trellis_trial(problem, Request(Psnr(200.0), 5, 0), analysed(Table(), problem, Request(Psnr(40.0), 5, 0)), THREE)
        is None
    )


def test_a_third_feature_of_few_bits_gets_no_parities(table):
    problem = table(80, 75)
    gray = replace(problem, samples=np.repeat(problem.samples[:, :1], 3, axis=1))
    colours = np.random.default_rng(0).integers(0, 256, problem.samples.shape).astype(np.uint8)
    for each, order in ((gray, (TWO, ONE, THREE)), (replace(problem, samples=colours), (THREE, TWO, ONE))):
        assert lattices(analysed(Table(), each, Request(Psnr(40.0), 5, 0))) == (*order, UNCODED)
    assert lattices(analysed(Table(), table(channels=1), Request(Psnr(40.0), 5, 0))) == (THREE, UNCODED)


def test_entropy():
    assert _entropy(np.array([[3, -5], [3, -5], [4, -5], [3, 0]])) == 1.5
    assert _entropy(np.zeros((9, 3), np.int64)) == 0


def test_code_1_leaves_the_third_feature_even(table):
    problem, request = table(80, 75), Request(Psnr(36.0), 5, 0)
    symbols = smaller_than_rounding(problem, request, TWO).weights["level0"].symbols
    assert not (symbols[:, :, 2] & 1).any()
    assert path_of(symbols)[0] == 1


def test_without_a_compiler_symbols_are_rounded(table, monkeypatch):
    problem, notes = table(), []
    monkeypatch.setitem(sys.modules, "nfcodec.kernels.viterbi", None)
    request = Request(Psnr(36.0), 5, 0, listen=lambda event: notes.append(event.message))
    assert trellis_trial(problem, request, analysed(Table(), problem, request), THREE) is None
    assert any("rounded" in note for note in notes)


def test_fits_do_not_load_the_compiler_before_they_need_it():
    check = "import sys, nfcodec.fitting; raise SystemExit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
