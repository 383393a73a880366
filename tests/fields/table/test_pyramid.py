from __future__ import annotations

import math
import time

import numpy as np
import pytest

from nfcodec.exact.arithmetic import OUTPUT_UNIT, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.table.analysis import interpolate, start
from nfcodec.fields.table.family import default_pyramid
from nfcodec.fields.table.field import Pyramid, Table
from nfcodec.fields.table.levels import DenseLevel
from nfcodec.fields.table.pyramid import _moves, analysed, solve_pyramid
from nfcodec.fields.table.recipes import RECIPES
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.landing import land
from nfcodec.fitting.problem import Quantized, quantize
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import land_by_step
from nfcodec.fitting.starts import uniform_start

FIELD = Pyramid(3, 8)


def solved(problem, request):
    return solve_pyramid(problem.field, problem, request, RECIPES[request.effort])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(24, 20), (7, 9), (1, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("psnr_db", [30.0, 50.0, 55.0])
def test_the_analysis_reproduces_the_targets(make_problem, torch_outputs, channels, shape, psnr_db):
    field = Pyramid(3, 4)
    problem = make_problem(field, *shape, channels)
    parameters, steps = start(field, problem, Request(Psnr(psnr_db), 5, 0))
    level = field.levels(channels)[-1]
    assert level == DenseLevel(0, channels)
    step = steps["level0"]
    assert Step.nearest(step).value == step
    assert np.abs(torch_outputs(field, problem.geometry, parameters) - problem.targets).max() < 1e-5
    fine = {name: step if name.startswith("level") else 2.0**-14 for name in steps}
    for all_steps, slack in ((fine, 1e-3), (steps, 0.01 * step + 2e-3)):
        exact = field.evaluate(problem.geometry, quantize(problem, parameters, all_steps)) * OUTPUT_UNIT
        assert np.abs(exact - problem.targets).max() <= channels**0.5 * step / 2 + slack


def test_the_analysis_leaves_the_network_silent(make_problem):
    problem = make_problem(FIELD)
    initial = uniform_start(FIELD.layout(problem.geometry), 0)
    parameters, steps = start(FIELD, problem, Request(Psnr(36.0), 5, 0))
    assert np.array_equal(parameters["weight0"], initial["weight0"])
    assert not parameters["weight1"].any()
    assert len({steps[f"level{i}"] for i in range(4)}) == 1
    assert len({step for name, step in steps.items() if not name.startswith("level")}) == 1


def test_interpolation_is_that_of_the_field(make_problem):
    level, geometry = DenseLevel(2, 1), Geometry(13, 11, 1)
    table = np.random.default_rng(0).integers(-9, 9, level.shape(geometry))
    rows, _ = level.evaluator(geometry, Quantized(table, Step(128, -7)))
    exact = rows(0, 13).reshape(13, 11) * 2.0**-16
    assert np.allclose(interpolate(level, table.astype(float), geometry)[:, :, 0], exact, atol=1e-4)


@pytest.mark.parametrize("psnr_db", [20.0, 33.3, 45.0, 55.0])
def test_landing_by_step_ends_just_over_the_target(make_problem, psnr_db):
    problem, request = make_problem(FIELD), Request(Psnr(psnr_db), 5, 0)
    landed = land_by_step(request, lambda x: problem.trial(quantize(problem, *start(FIELD, problem, request, 2.0**x))))
    assert landed.psnr_db == problem.exact_psnr_db(landed.weights)
    assert psnr_db <= landed.psnr_db < psnr_db + 1.5


def landed_from(problem, request, weights, estimate_db=None):
    def propose(weights, outputs, short):
        return _moves(problem.field, problem, weights, outputs, short)

    return land(problem, request, weights, propose, estimate_db)


@pytest.mark.parametrize("coarseness", [0.8, 1.0, 1.3])
def test_landing_moves_symbols_to_the_target(make_problem, coarseness):
    problem, request = make_problem(FIELD), Request(Psnr(36.0), 5, 0)
    before = quantize(problem, *start(FIELD, problem, request, coarseness))
    before_db = problem.exact_psnr_db(before)
    landed = landed_from(problem, request, before)
    assert landed.psnr_db == problem.exact_psnr_db(landed.weights)
    moves = {name: np.abs(weight.symbols - before[name].symbols).max() for name, weight in landed.weights.items()}
    assert max(moves.pop("level3"), 1) == 1
    assert not any(moves.values())
    if before_db >= 36.0:
        assert 36.0 <= landed.psnr_db <= before_db
    else:
        assert landed.psnr_db >= before_db


@pytest.mark.parametrize("offset_db", [-0.5, 0.5])
def test_landing_by_a_poor_estimate_still_keeps_the_promise(make_problem, offset_db):
    """The estimate is off by half a decibel for the first weights, and by nothing for the others."""
    problem, request = make_problem(FIELD), Request(Psnr(36.0), 5, 0)
    first = quantize(problem, *start(FIELD, problem, request, 0.7))

    def estimate_db(weights) -> float:
        return problem.exact_psnr_db(weights) + (offset_db if weights is first else 0.0)

    landed = landed_from(problem, request, first, estimate_db)
    assert landed.psnr_db >= 36.0
    assert landed.psnr_db == problem.exact_psnr_db(landed.weights)


def test_landing_repairs_a_shortfall(make_problem):
    """Symbols that are off by one where it hurts come back."""
    problem, request = make_problem(FIELD), Request(Psnr(36.0), 5, 0)
    weights = quantize(problem, *start(FIELD, problem, request, 0.8))
    spoilt = weights["level3"].symbols.copy()
    spoilt[::3, ::2] += 1
    first = {**weights, "level3": Quantized(spoilt, weights["level3"].step)}
    assert problem.exact_psnr_db(first) < 36.0
    assert landed_from(problem, request, first).psnr_db >= 36.0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(24, 20), (64, 70)], ids=str)
def test_pyramids_reach_their_target(make_problem, channels, shape):
    problem = make_problem(default_pyramid(Geometry(*shape, channels)), *shape, channels)
    solution = solved(problem, Request(Psnr(35.0), 3, 0, device="cpu", max_steps=100))
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert 35.0 <= solution.trial.psnr_db < 36.0


def test_a_fit_repeats_exactly(make_problem):
    events, solutions = [], []
    for _ in range(2):
        request = Request(Psnr(35.0), 2, 7, device="cpu", started=time.monotonic(), listen=events.append)
        solutions.append(solved(make_problem(FIELD), request))
    first, second = solutions
    assert first.trial.psnr_db >= 35.0
    assert first.steps == second.steps > 0
    assert (first.engine, first.device) == ("numba", "cpu")
    assert all(event.target_psnr_db == 35.0 and event.seconds >= 0 for event in events)
    assert {event.phase for event in events} >= {"shrink", "quantize"}
    for name, weight in first.trial.weights.items():
        assert weight.step == second.trial.weights[name].step
        assert np.array_equal(weight.symbols, second.trial.weights[name].symbols)


def test_a_fit_makes_the_file_smaller(make_problem):
    problem, sizes = make_problem(FIELD, 40, 40), []
    for max_steps in (0, 70):
        solution = solved(problem, Request(Psnr(38.0), 4, 0, max_steps=max_steps))
        assert solution.trial.psnr_db >= 38.0
        sizes.append(problem.estimated_bytes(solution.trial.weights))
    assert sizes[1] < sizes[0]


def test_a_fit_that_falls_short_is_replaced_by_the_analysis(make_problem):
    problem, request = make_problem(FIELD), Request(Psnr(50.0), 1, 0, max_steps=1)
    assert solved(problem, request).trial.psnr_db >= 50.0


def test_an_expired_deadline_ends_at_once(make_problem):
    solution = solved(make_problem(FIELD), Request(Psnr(45.0), 9, 0, deadline=time.monotonic() - 1))
    assert solution.steps == 0
    assert math.isfinite(solution.trial.psnr_db)


def test_without_a_hidden_layer_nothing_is_fitted(make_problem):
    for field in (Pyramid(2), Table()):
        problem, request = make_problem(field), Request(Psnr(35.0), 5, 0)
        solution = solved(problem, request)
        assert (solution.steps, solution.engine) == (0, None)
        trial = analysed(field, problem, request)
        assert solution.trial.psnr_db == trial.psnr_db


def test_default_pyramids():
    for channels in (1, 3):
        for shape in ((1, 1), (1, 300), (24, 20), (512, 768)):
            field = default_pyramid(Geometry(*shape, channels))
            coarsest = field.levels(channels)[0].shape(Geometry(*shape, channels))
            assert max(coarsest[:2]) <= max(2, *(-(-side // 64) for side in shape), max(shape))
    assert default_pyramid(Geometry(512, 768, 3)) == Pyramid(6, 16)
    assert default_pyramid(Geometry(1, 1, 3)) == Pyramid(0)
