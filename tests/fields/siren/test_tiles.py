from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.fields.siren import sampled_fit as sampled
from nfcodec.fields.siren import tiles as module
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.networks import networks_of
from nfcodec.fields.siren.plan import is_small
from nfcodec.fields.siren.recipes import RECIPES
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.siren.tiles import fit_small
from nfcodec.fitting.engines import Stats
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.request import Request

SMALL = Siren(16, 2)
QUICK = replace(RECIPES[5], fit_steps=300)
CLOSE_DB = 0.3
"""So few weights do not come closer to a target: the error jumps with the steps."""


@pytest.fixture
def quick(monkeypatch):
    """Fits of a few steps on few pixels."""
    monkeypatch.setattr(module, "PARAMETERS_PER_PIXEL", 1.0)
    monkeypatch.setattr(sampled, "PIXELS", 600)


def solved(problem, psnr_db, seed=0, limits=None, **options):
    """Fitted and rounded."""
    request = Request(Psnr(psnr_db), 5, seed, **(limits or {}))
    return fit_small(problem, request, QUICK, **options).solved(request)


def test_the_file_just_reaches_the_target(make_problem, quick):
    problem = make_problem(SMALL, 60, 50)
    assert is_small(problem.field, problem.geometry)
    events = []
    solution = solved(problem, 32.0, limits={"listen": events.append})
    assert solution.problem is problem
    assert 32.0 <= solution.trial.psnr_db < 32.0 + CLOSE_DB
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert solution.steps == solution.fit_steps == 300
    assert {event.phase for event in events} >= {"fit", "quantize"}
    assert [event.step for event in events if event.phase == "fit"] == list(range(301))


def test_a_lower_target_takes_fewer_bits(make_problem, quick):
    problem = make_problem(SMALL, 60, 50)
    magnitudes = []
    for psnr_db in (20.0, 25.0):
        solution = solved(problem, psnr_db)
        magnitudes.append(float(np.abs(solution.trial.weights["weight1"].symbols).mean()))
    assert magnitudes[0] < 0.7 * magnitudes[1]


def test_the_same_seed_gives_the_same_weights(make_problem, quick):
    problem = make_problem(SMALL, 60, 50)
    runs = [solved(problem, 24.0, seed).trial.weights for seed in (1, 1, 2)]
    same = [all(np.array_equal(runs[0][n].symbols, run[n].symbols) for n in runs[0]) for run in runs]
    assert same == [True, True, False]


def test_a_field_that_is_too_small_grows(make_problem, quick):
    problem = make_problem(Siren(4, 2), 60, 50)
    solution = solved(problem, 25.0)
    assert solution.field.width > 4
    assert solution.trial.psnr_db >= 25.0
    assert solution.steps in (600, 900)


def test_tiles_reach_the_target_together(make_problem, quick, monkeypatch):
    problem, found = make_problem(TiledSiren(2, 2, (15, 16, 17, 18), 2), 90, 80), []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        solution = solved(problem, 29.0, last=True)
        assert solution.problem is problem
        assert 29.0 <= solution.trial.psnr_db < 29.0 + CLOSE_DB
        assert np.array_equal(problem.trial(solution.trial.weights).samples, solution.trial.samples)
        assert solution.steps == 300
        found.append(solution.trial.weights)
    for name, weight in found[0].items():
        assert np.array_equal(weight.symbols, found[1][name].symbols)
        assert "bias_out" in name or "weight" in name or np.all(np.diff(weight.symbols) >= 0)


def test_the_psnr_that_is_told_is_that_of_all_tiles(make_problem, quick, monkeypatch):
    """As soon as all were looked at, which each is before its first step."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    problem, events = make_problem(TiledSiren(1, 2, (15, 16), 2), 60, 80), []
    request = Request(Psnr(25.0), 5, 0, listen=events.append)
    fits = sampled.fit_networks(problem, request, 400)
    told = [event.psnr_db for event in events if event.phase == "fit"]
    assert len(told) == 2 * 401
    assert told[-1] == pytest.approx(problem.psnr_db(sum(each.stats.squared_error for each in fits)), abs=0.5)
    assert all(np.isfinite(told))


def test_all_tiles_grow(make_problem, quick):
    problem = make_problem(TiledSiren(1, 2, (4, 5), 2), 90, 80)
    solution = solved(problem, 26.0)
    assert all(new > old for new, old in zip(solution.field.widths, problem.field.widths, strict=True))


def test_tiles_that_miss_the_target_are_better_than_nothing(make_problem, quick):
    noise = np.random.default_rng(0).integers(0, 256, (30 * 30, 3)).astype(np.uint8)
    problem = replace(make_problem(TiledSiren(1, 2, (4, 4), 1), 30, 30), samples=noise)
    assert fit_small(problem, Request(Psnr(60.0), 5, 0), QUICK) is None
    assert 0 < solved(problem, 60.0, last=True).trial.psnr_db < 60


def test_noise_is_left_to_a_field_that_memorises(make_problem, quick):
    noise = np.random.default_rng(0).integers(0, 256, (60 * 50, 3)).astype(np.uint8)
    problem = replace(make_problem(SMALL, 60, 50), samples=noise)
    assert fit_small(problem, Request(Psnr(60.0), 5, 0), QUICK) is None


@pytest.mark.parametrize("limit", [{"max_steps": 0}, {"max_steps": 7}, {"deadline": 0.0}], ids=str)
def test_what_there_is_when_steps_or_time_run_out(make_problem, limit):
    problem = make_problem(SMALL, 60, 50)
    solution = solved(problem, 40.0, limits=limit)
    assert solution.problem is problem
    assert solution.steps == limit.get("max_steps", 0)
    assert 0 < solution.trial.psnr_db < 40.0
    assert solution.fit_seconds < time.monotonic()


def test_a_fit_recovers_from_a_rate_that_is_too_high(make_problem, quick, monkeypatch):
    monkeypatch.setattr(sampled, "RATE", 0.3)
    monkeypatch.setattr(sampled, "CHECK_INTERVAL", 5)
    problem = make_problem(SMALL, 60, 50)
    solution = solved(problem, 30.0, limits={"max_steps": 300})
    flat_db = problem.psnr_db(float(np.square(problem.samples - problem.samples.mean(axis=0)).sum()))
    assert solution.trial.psnr_db > flat_db + 1


@pytest.mark.parametrize(("goal_db", "db"), [(32.0, module.DB_PER_DOUBLING), (28.0, module.DB_PER_HALVING)])
def test_networks_get_neurons_where_they_take_most_error_away(make_problem, goal_db, db):
    """Errors over parameters become equal, and as large as the goal allows, if errors fall as expected."""
    problem = make_problem(TiledSiren(1, 3, (40, 40, 40), 2), 30, 60)
    power = db / (10 * np.log10(2))
    fits = []
    for network, share in zip(networks_of(problem), (1, 2, 4), strict=True):
        fits.append(sampled.Fit(network, None, 0, Stats(0.0, 0.0, share * problem.squared_error(30.0) / 7)))
    resized = module._resized(problem, fits, goal_db)
    sizes = np.array([each.n_parameters for each in networks_of(resized)])
    errors = [
        each.stats.squared_error * (each.network.n_parameters / n) ** power for each, n in zip(fits, sizes, strict=True)
    ]
    assert errors / sizes == pytest.approx(np.mean(errors / sizes), rel=0.1)
    assert problem.psnr_db(sum(errors)) == pytest.approx(goal_db, abs=0.1)
    assert resized.field.widths == tuple(sorted(resized.field.widths))


def test_planned_widths_are_tried_and_changed(make_problem, quick, monkeypatch):
    monkeypatch.setattr(module, "PILOT_STEPS", 100)
    problem = make_problem(TiledSiren(1, 2, (6, 30), 2), 90, 80)
    solution = solved(problem, 28.0, planned=True)
    assert solution.steps in (400, 700)
    assert solution.field.widths[0] > 6
    assert solution.field.widths[1] < 30
    given = solved(problem, 17.0)
    assert given.problem is problem
    assert given.steps == 300


def test_a_second_pilot_is_longer(make_problem, quick, monkeypatch):
    monkeypatch.setattr(module, "PILOT_STEPS", 50)
    problem, fit_networks, seen = make_problem(TiledSiren(1, 2, (6, 30), 2), 90, 80), module.fit_networks, []

    def noted(problem, request, n_steps, start):
        seen.append((n_steps, problem.field.widths))
        return fit_networks(problem, request, n_steps, start)

    monkeypatch.setattr(module, "fit_networks", noted)
    solution = solved(problem, 28.0, planned=True)
    assert [n_steps for n_steps, _ in seen[:3]] == [50, 75, 300]
    assert solution.steps == sum(n_steps for n_steps, _ in seen)
    assert len({widths for _, widths in seen}) == len(seen)


def test_a_picture_of_one_colour(make_problem, quick):
    """Whose error is 0 before it is rounded."""
    problem = make_problem(TiledSiren(1, 2, (4, 4), 1), 30, 40)
    problem = replace(problem, samples=np.full_like(problem.samples, 77))
    assert 30.0 <= solved(problem, 30.0, last=True).trial.psnr_db < np.inf
