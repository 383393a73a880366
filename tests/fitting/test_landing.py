"""The search for a number of moves; what families propose is tested with them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.fields.table.field import Table
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.landing import Moves, land, wishes_of
from nfcodec.fitting.problem import quantize
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import CLOSE_DB

STEP = 0.05


@pytest.fixture
def start(make_problem):
    """A table whose entries are a picture's gray values in coarse steps, most of them a little too dark."""
    problem = make_problem(Table(), 24, 20, 1)
    parameters = {
        "level0": problem.targets.reshape(24, 20, 1) - np.float32(0.3 * STEP),
        "skip": np.ones((1, 1), np.float32),
        "bias_out": np.zeros(1, np.float32),
    }
    return problem, quantize(problem, parameters, {"level0": STEP, "skip": 2.0**-7, "bias_out": 2.0**-7})


def proposal(problem, weights, outputs, short):
    level = weights["level0"]
    wishes = wishes_of(problem, outputs, level, weights["skip"].values)
    towards = np.sign(wishes).astype(np.int64) if short else -np.sign(level.symbols)
    return Moves.of("level0", wishes, towards, np.ones(wishes.shape), short=short)


def test_wishes_are_what_is_missing(start):
    problem, weights = start
    outputs = problem.field.evaluate(problem.geometry, weights)
    wishes = wishes_of(problem, outputs, weights["level0"], weights["skip"].values)
    step = weights["level0"].step.value
    wanted = problem.targets.reshape(24, 20, 1) / step - weights["level0"].symbols
    assert np.allclose(wishes, wanted, atol=1e-3)
    assert 0.7 < np.abs(wishes).max() < 0.81


def test_moves_that_take_error_away_come_by_their_gain_over_their_cost():
    wishes = np.array([[0.9, 0.4, -2.0, 0.8]])
    towards = np.array([[1, 1, -1, 0]])
    saving = np.array([[-1.0, -1.0, -10.0, 0.0]])
    moves = Moves.of("table", wishes, towards, saving, short=True)
    assert moves.order.tolist() == [0, 2]  # 0.8 a bit, 0.3 a bit; the others gain nothing or stay
    weights = {"table": Quantized(np.array([[5, 6, 7, 8]]), Step(128, -7))}
    assert [moves.first(n, weights)["table"].symbols.tolist() for n in (0, 1, 2)] == [
        [[5, 6, 7, 8]], [[6, 6, 7, 8]], [[6, 6, 6, 8]],
    ]  # fmt: skip
    assert weights["table"].symbols.tolist() == [[5, 6, 7, 8]]


def test_moves_that_save_bits_come_by_their_saving_over_the_error_they_make():
    wishes = np.array([0.0, -0.4, 0.3, -0.2])
    towards = np.array([1, 1, -1, -1])
    saving = np.array([1.0, 3.6, -2.0, 1.0])
    moves = Moves.of("table", wishes, towards, saving, short=False)
    assert moves.order.tolist() == [1, 3, 0]  # 3.6 bits for 1.8, 1 for 0.6, 1 for 1; the other one costs bits


@pytest.mark.parametrize("offset_db", [-2.0, -0.4, 0.5, 1.0, 9.0])
def test_as_few_moves_as_reach_the_target_or_as_many_as_keep_it(start, offset_db):
    problem, weights = start
    target_db = problem.exact_psnr_db(weights) + offset_db
    trial = land(problem, Request(Psnr(target_db), 1, 0), weights, partial(proposal, problem))
    outputs = problem.field.evaluate(problem.geometry, weights)
    moves = proposal(problem, weights, outputs, offset_db > 0)
    found = [problem.exact_psnr_db(moves.first(n, weights)) for n in range(len(moves.order) + 1)]
    if offset_db > 0 and max(found) < target_db:
        assert trial.psnr_db == found[-1]
    else:
        least = min(each for each in found if each >= target_db)
        assert least <= trial.psnr_db < max(least, target_db + CLOSE_DB) + 0.02
    assert trial.psnr_db == problem.exact_psnr_db(trial.weights)
    assert np.abs(trial.weights["level0"].symbols - weights["level0"].symbols).max() == 1


def test_what_is_on_the_target_stays(start):
    problem, weights = start
    target_db = problem.exact_psnr_db(weights) - CLOSE_DB / 2

    def unexpected(*arguments):
        raise AssertionError

    assert land(problem, Request(Psnr(target_db), 1, 0), weights, unexpected).weights is weights


@pytest.mark.parametrize("offset_db", [-1.0, 1.0])
def test_without_moves_there_is_nothing_to_do(start, offset_db):
    problem, weights = start
    request = Request(Psnr(problem.exact_psnr_db(weights) + offset_db), 1, 0)
    none = np.zeros(0, np.int64)
    trial = land(problem, request, weights, lambda weights, outputs, short: Moves("level0", none, none, short))
    assert np.array_equal(trial.weights["level0"].symbols, weights["level0"].symbols)


@pytest.mark.parametrize("error_db", [-0.5, 0.5])
@pytest.mark.parametrize("offset_db", [-1.0, 1.0])
def test_a_poor_estimate_still_keeps_the_promise(start, offset_db, error_db):
    """The estimate is off by half a decibel for the first weights, and by nothing for the others."""
    problem, weights = start
    target_db = problem.exact_psnr_db(weights) + offset_db

    def estimate_db(tried) -> float:
        return problem.exact_psnr_db(tried) + (error_db if tried is weights else 0.0)

    exact, rough = (
        land(problem, Request(Psnr(target_db), 1, 0), weights, partial(proposal, problem), estimate)
        for estimate in (None, estimate_db)
    )
    assert rough.psnr_db == problem.exact_psnr_db(rough.weights)
    assert (rough.psnr_db >= target_db) == (exact.psnr_db >= target_db)
