"""The fit of an Instant-NGP, phase by phase: where each may end, and what is left where one cannot begin."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.errors import EngineError, FormatError
from nfcodec.exact.field import Role
from nfcodec.fields.ngp import fit as ngp_fit
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.fit import solve_ngp
from nfcodec.fields.ngp.levels import HashLevel, hash_levels
from nfcodec.fields.ngp.recipes import RECIPES, Recipe
from nfcodec.fitting.engines.base import Engine
from nfcodec.fitting.engines.numba.engine import NumbaEngine
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.request import Request

COARSENESS = 3.0
FIELD = Ngp((HashLevel(2.5, 4, 16, 1), HashLevel(11.5, 13, 176, 1), HashLevel(24.0, 25, 632, 1)), hidden=(8, 8))
HASHED = Ngp(hash_levels(4, 2, 8, 4, 1.6), hidden=(16, 16))
"""Without an entry for each pixel."""

QUICK = Recipe(sparse_steps=30, soft_steps=60, hard_steps=20)
TARGET_DB = 34.0


def solved(problem, psnr_db=TARGET_DB, recipe=QUICK, coarseness=COARSENESS, seed=0, **others):
    request = Request(Psnr(psnr_db), 1, seed, device="cpu", **others)
    return solve_ngp(problem.field, problem, request, recipe, coarseness)


def assert_consistent(solution, problem):
    """What a solution says of itself is so."""
    assert solution.problem is problem
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert 0 <= solution.fit_steps <= solution.steps
    assert (solution.engine, solution.device) == ("numba", "cpu")


@pytest.mark.parametrize("field", [FIELD, HASHED], ids=["an entry a pixel", "hashed"])
@pytest.mark.parametrize("channels", [1, 3])
def test_fits_reach_their_target_and_repeat_exactly(make_problem, field, channels):
    problem, events = make_problem(field, channels=channels), []
    psnr_db = 28.0 if field is HASHED else TARGET_DB
    first, second = (solved(problem, psnr_db, seed=7, listen=events.append) for _ in range(2))
    assert_consistent(first, problem)
    assert first.trial.psnr_db >= psnr_db
    assert first.steps > first.fit_steps > 0
    assert first.steps == second.steps
    assert {event.phase for event in events} >= {"fit", "shrink", "fine-tune"}
    for name, weight in first.trial.weights.items():
        assert np.array_equal(weight.symbols, second.trial.weights[name].symbols)
        assert weight.step == second.trial.weights[name].step


def test_the_seed_matters(make_problem):
    problem = make_problem(FIELD, channels=1)
    first, other = (solved(problem, seed=seed).trial.weights["level2"].symbols for seed in (0, 1))
    assert not np.array_equal(first, other)


def test_a_field_with_an_entry_for_each_pixel_ends_at_the_target(make_problem):
    problem = make_problem(FIELD, channels=1)
    assert TARGET_DB <= solved(problem).trial.psnr_db < TARGET_DB + 0.15


def test_bits_in_the_loss_make_fewer_bytes_than_rounding(make_problem, monkeypatch):
    problem = make_problem(FIELD, channels=1)
    thrifty = solved(problem, recipe=RECIPES[1])
    monkeypatch.setattr(ngp_fit.engines, "for_request", Deaf.for_request)
    rounded = solved(problem, recipe=RECIPES[1])
    sizes = [problem.estimated_bytes(solution.trial.weights) for solution in (thrifty, rounded)]
    assert sizes[0] < 0.8 * sizes[1]


@pytest.mark.parametrize("max_steps", [0, 1, 7, 30, 60, 100, 140, 190, 250])
def test_steps_run_out(make_problem, max_steps):
    """In the fit, in one of the phases after it, or while these are done again; never more than there may be."""
    problem = make_problem(FIELD, channels=1)
    free = solved(problem)
    solution = solved(problem, max_steps=max_steps)
    assert_consistent(solution, problem)
    assert solution.steps <= max_steps
    assert solution.fit_steps == min(max_steps, free.fit_steps)
    if max_steps > free.fit_steps:
        assert solution.trial.psnr_db >= TARGET_DB


@pytest.mark.parametrize("more", [1, 50, 109, 110, 111, 129, 130, 150])
@pytest.mark.parametrize("coarseness", [COARSENESS, 60.0])
def test_no_phase_takes_more_steps_than_are_left(make_problem, more, coarseness):
    """Whatever is repeated because the target is missed: with steps so coarse, each phase and all of them."""
    problem = make_problem(FIELD, channels=1)
    fit_steps = solved(problem, max_steps=10_000).fit_steps
    solution = solved(problem, max_steps=fit_steps + more, coarseness=coarseness)
    assert_consistent(solution, problem)
    assert solution.fit_steps == fit_steps
    assert solution.steps <= fit_steps + more
    assert solution.trial.psnr_db >= TARGET_DB


@pytest.mark.parametrize("phase", ["fit", "shrink", "fine-tune"])
@pytest.mark.parametrize("step", [0, 3])
def test_time_runs_out(make_problem, monkeypatch, phase, step):
    """At some step of each phase: no further one begins, and where the fit got to the target, the weights do."""
    problem, late, real, seen = make_problem(FIELD, channels=1), [0.0], time.monotonic, []
    monkeypatch.setattr(time, "monotonic", lambda: real() + late[0])

    def listen(event):
        seen.append((event.phase, event.step))
        if (event.phase, event.step) == (phase, step):
            late[0] = 1e6

    solution = solved(problem, deadline=real() + 1000, listen=listen)
    assert late[0]
    assert_consistent(solution, problem)
    after = [(each, n) for each, n in seen[seen.index((phase, step)) + 1 :] if each != "quantize"]
    assert all(n == 0 for _, n in after)
    if phase == "fit":
        assert solution.steps == solution.fit_steps == step
        assert 0 < solution.trial.psnr_db < TARGET_DB
    else:
        assert solution.trial.psnr_db >= TARGET_DB


def test_time_that_is_up_at_once(make_problem):
    problem = make_problem(HASHED)
    solution = solved(problem, 45.0, deadline=0.0)
    assert solution.steps == 0
    assert 0 < solution.trial.psnr_db < 45.0


class Deaf(Engine):
    """An engine that knows no bits: numba's, in all else."""

    name, block = "deaf", 1

    def __init__(self, engine):
        self._engine, self.device, self.adam = engine, engine.device, engine.adam

    @staticmethod
    def for_request(request, problem, parameters, objective):
        if objective.rate_weight > 0:
            raise EngineError("nobody knows the bits")
        return Deaf(NumbaEngine(problem, parameters, objective, request.seed))

    def set_objective(self, objective):
        if objective.rate_weight > 0:
            raise EngineError("no bits here")
        self._engine.set_objective(objective)

    @classmethod
    def describe(cls):
        raise AssertionError("nobody asks")

    def get_ready(self, notify):
        self._engine.get_ready(notify)

    def gradient(self):
        return self._engine.gradient()

    def sampled_gradient(self, rows, cols):
        return self._engine.sampled_gradient(rows, cols)

    def gradients(self):
        return self._engine.gradients()

    def update(self, rates):
        self._engine.update(rates)

    def advance(self, rates, halt):
        return self._engine.advance(rates, halt)

    def evaluate(self):
        return self._engine.evaluate()

    def outputs(self):
        return self._engine.outputs()

    def parameters(self):
        return self._engine.parameters()

    def restore(self, parameters):
        self._engine.restore(parameters)


@pytest.mark.parametrize("psnr_db", [20.0, TARGET_DB, 50.0])
def test_where_no_engine_knows_the_bits_what_the_fit_found_is_rounded(make_problem, monkeypatch, psnr_db):
    problem, events = make_problem(FIELD, channels=1), []
    monkeypatch.setattr(ngp_fit.engines, "for_request", Deaf.for_request)
    solution = solved(problem, psnr_db, listen=events.append)
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights) >= psnr_db
    assert solution.steps == solution.fit_steps > 0
    assert solution.engine == "deaf"
    assert [event.message for event in events if event.message] == ["entries are only rounded: nobody knows the bits"]
    assert {event.phase for event in events} == {"fit", "quantize", "prepare"}


def test_another_engine_goes_on_where_the_first_knows_no_bits(make_problem, monkeypatch):
    problem, asked = make_problem(FIELD, channels=1), []

    def for_request(request, problem, parameters, objective):
        asked.append((request.engine, objective.rate_weight > 0))
        engine = NumbaEngine(problem, parameters, objective, request.seed)
        return engine if objective.rate_weight > 0 else Deaf(engine)

    monkeypatch.setattr(ngp_fit.engines, "for_request", for_request)
    solution = solved(problem, engine="numba")
    assert asked[:2] == [("numba", False), ("auto", True)]
    assert solution.trial.psnr_db >= TARGET_DB
    assert solution.steps > solution.fit_steps
    assert solution.engine == "deaf"  # which fitted


def test_the_last_phase_sees_the_steps_of_the_file(make_problem, monkeypatch):
    """Not other ones close by: rounding to these would be undone in part."""
    problem, objectives = make_problem(FIELD, channels=1), []
    set_objective = NumbaEngine.set_objective

    def listening(engine, objective):
        objectives.append(objective)
        set_objective(engine, objective)

    monkeypatch.setattr(NumbaEngine, "set_objective", listening)
    solution = solved(problem)
    last = [objective for objective in objectives if objective.softness > 0][-1]
    assert last.steps == {name: weight.step.value for name, weight in solution.trial.weights.items()}
    assert last.rate_weight > 0


def test_steps_of_tables_are_alike_and_become_finer_where_the_target_is_missed(make_problem, monkeypatch):
    problem, tried = make_problem(FIELD, channels=1), []
    land = ngp_fit.land
    monkeypatch.setattr(ngp_fit, "land", lambda *given: tried.append(given[2]) or land(*given))
    monkeypatch.setattr(ngp_fit, "ATTEMPTS", 3)
    solution = solved(problem, coarseness=60.0)
    tables = {tensor.name for tensor in FIELD.layout(problem.geometry) if tensor.role is Role.TABLE}
    steps = [{weights[name].step.value for name in tables} for weights in tried]
    assert all(len(each) == 1 for each in steps)
    assert len(tried) == 3
    sizes = [each.pop() for each in steps]
    assert sizes == sorted(sizes, reverse=True)
    assert solution.trial.psnr_db >= TARGET_DB


def test_a_target_that_no_fit_reaches_gives_the_closest(make_problem):
    """And no error: the caller decides what that means."""
    narrow = Ngp((HashLevel(1.5, 3, 16, 1),), hidden=(2,))
    problem = make_problem(narrow, channels=1)
    solution = solved(problem, 60.0, max_steps=400)
    assert_consistent(solution, problem)
    assert 10 < solution.trial.psnr_db < 60.0


def flat(problem, value=77):
    return replace(problem, samples=np.full_like(problem.samples, value))


@pytest.mark.parametrize("value", [0, 77, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_flat_pictures(make_problem, value, channels):
    problem = flat(make_problem(FIELD, 12, 10, channels), value)
    solution = solved(problem, 50.0)
    assert_consistent(solution, problem)
    assert solution.trial.psnr_db >= 50.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (2, 2)], ids=str)
@pytest.mark.parametrize(("depth", "psnr_db"), [(8, 30.0), (8, 45.0), (16, 60.0)])
def test_small_pictures(make_problem, shape, depth, psnr_db):
    side = float(max(shape))
    field = Ngp((HashLevel(0.5, 2, 8, 1), HashLevel(side, int(side) + 1, 104, 1)), hidden=(8,))
    problem = make_problem(field, *shape, 1, depth=depth)
    solution = solved(problem, psnr_db)
    assert_consistent(solution, problem)
    assert solution.trial.psnr_db >= psnr_db


@pytest.mark.parametrize("transform", ["inversion", "gamma:2.2", "scale:0.1", "standardize", "zigzag", "sympower+rpp"])
def test_any_chain(make_problem, transform):
    problem = make_problem(FIELD, channels=1, transform=transform)
    solution = solved(problem, 36.0)
    assert_consistent(solution, problem)
    assert solution.trial.psnr_db >= 36.0


@pytest.mark.parametrize("psnr_db", [1.0, 10.0, 60.0, 150.0])
def test_targets_far_from_the_usual(make_problem, psnr_db):
    problem = make_problem(FIELD, channels=1)
    solution = solved(problem, psnr_db)
    assert_consistent(solution, problem)
    assert solution.trial.psnr_db >= psnr_db
    assert psnr_db < 100 or math.isinf(solution.trial.psnr_db)


def test_steps_that_suit_no_arithmetic_leave_what_the_fit_found(make_problem, monkeypatch):
    """Rounded as it is, with a note that says why."""
    problem, events = make_problem(FIELD, channels=1), []

    def too_large(*given):
        raise FormatError("too large for the format")

    monkeypatch.setattr(ngp_fit, "land", too_large)
    solution = solved(problem, listen=events.append)
    assert_consistent(solution, problem)
    assert solution.trial.psnr_db >= TARGET_DB
    assert solution.steps > solution.fit_steps
    assert "entries are only rounded: too large for the format" in {event.message for event in events}
