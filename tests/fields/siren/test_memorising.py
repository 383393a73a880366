from __future__ import annotations

import math
import time

import numpy as np
import pytest

from nfcodec.fields.siren import memorising as module
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.memorising import solve_memorising, widened
from nfcodec.fields.siren.recipes import RECIPES
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.request import Request


def solved(problem, psnr_db, effort, seed=0, **limits):
    return solve_memorising(problem, Request(Psnr(psnr_db), effort, seed, **limits), RECIPES[effort])


def test_fits_reach_their_target_and_repeat_exactly(make_problem):
    events, solutions = [], []
    for _ in range(2):
        problem = make_problem(Siren(width=24, hidden_layers=2), channels=3)
        solutions.append(solved(problem, 35.0, 2, 7, device="cpu", started=time.monotonic(), listen=events.append))
    first, second = solutions
    assert first.trial.psnr_db == first.problem.exact_psnr_db(first.trial.weights) >= 35.0
    assert first.steps == second.steps >= first.fit_steps > 0
    assert (first.engine, first.device) == ("numba", "cpu")
    assert all(event.target_psnr_db == 35.0 and event.seconds >= 0 for event in events)
    assert {event.phase for event in events} >= {"fit", "fine-tune", "quantize"}
    for name, weight in first.trial.weights.items():
        assert weight.step == second.trial.weights[name].step
        assert np.array_equal(weight.symbols, second.trial.weights[name].symbols)


def test_other_seeds_give_other_fits(make_problem):
    problem = make_problem(Siren(width=16, hidden_layers=1), channels=1)
    a, b = (solved(problem, 25.0, 1, seed) for seed in (1, 2))
    assert any(
        not np.array_equal(a.trial.weights[name].symbols, b.trial.weights[name].symbols) for name in a.trial.weights
    )


def test_fields_widen_until_they_can(make_problem):
    problem = make_problem(Siren(width=4, hidden_layers=1), channels=1)
    solution = solved(problem, 30.0, 1, max_steps=150)
    assert solution.steps <= 150
    assert solution.field.width >= 4
    wider = widened(problem)
    assert wider is not None
    assert wider.field == Siren(width=6, hidden_layers=1)
    assert widened(make_problem(Siren(4096))) is None


def test_what_k_fac_cannot_fit_is_fitted_by_adam(make_problem, monkeypatch):
    monkeypatch.setattr(module, "KFAC_STEPS", 3)
    problem, phases = make_problem(Siren(width=24, hidden_layers=2), channels=1), []
    solution = solved(problem, 30.0, 1, listen=lambda event: phases.append((event.phase, event.step)))
    assert solution.trial.psnr_db >= 30.0
    assert solution.steps > 3
    assert phases.count(("fit", 0)) == 2  # the second from the start again


def test_an_encoding_is_fitted_by_adam(make_problem, monkeypatch):
    monkeypatch.setattr(module, "Kfac", lambda *_: pytest.fail("it is for coordinates themselves"))
    problem = make_problem(Siren(24, 2, frequencies=6), channels=1)
    assert solved(problem, 28.0, 2).trial.psnr_db >= 28.0


def test_more_effort_makes_the_file_smaller(make_problem):
    problem = make_problem(Siren(24, 2), channels=1)
    sizes = [len(problem.payload(solved(problem, 35.0, effort).trial.weights)) for effort in (1, 4)]
    assert sizes[1] < sizes[0]


def test_an_expired_deadline_ends_at_once(make_problem):
    solution = solved(make_problem(Siren(width=16, hidden_layers=1)), 45.0, 9, deadline=time.monotonic() - 1)
    assert solution.steps == 0
    assert math.isfinite(solution.trial.psnr_db)
