from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.fields import Geometry, Siren
from nfcodec.fitting import Request, candidates, solve
from nfcodec.fitting import sampled as module
from nfcodec.fitting.engines import Objective, create
from nfcodec.fitting.plan import default_siren, is_small, small_siren
from nfcodec.fitting.sampled import solve_sampled
from nfcodec.fitting.tensors import start_general

SMALL = Siren(16, 2)


@pytest.fixture
def quick(monkeypatch):
    """Fits of a few steps on few pixels."""
    monkeypatch.setattr(module, "FIT_STEPS", dict.fromkeys(range(1, 10), 120))
    monkeypatch.setattr(module, "PIXELS", 600)


def test_the_file_just_reaches_the_target(make_problem, quick):
    problem = make_problem(SMALL, 60, 50)
    assert is_small(problem.spec, problem.geometry)
    events = []
    solution, used = solve([problem], Request(26.0, 5, 0, listen=events.append))
    assert used is problem
    assert 26.0 <= solution.trial.psnr_db < 26.1
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert solution.steps == solution.fit_steps == 120
    assert {event.phase for event in events} >= {"fit", "quantize"}


def test_a_lower_target_takes_fewer_bits(make_problem, quick):
    problem = make_problem(SMALL, 60, 50)
    magnitudes = []
    for psnr_db in (20.0, 25.0):
        solution, _ = solve_sampled(problem, Request(psnr_db, 5, 0))
        magnitudes.append(float(np.abs(solution.trial.weights["weight1"].symbols).mean()))
    assert magnitudes[0] < 0.7 * magnitudes[1]


def test_the_same_seed_gives_the_same_weights(make_problem, quick):
    problem = make_problem(SMALL, 60, 50)
    runs = [solve_sampled(problem, Request(24.0, 5, seed))[0].trial.weights for seed in (1, 1, 2)]
    same = [all(np.array_equal(runs[0][n].symbols, run[n].symbols) for n in runs[0]) for run in runs]
    assert same == [True, True, False]


def test_a_field_that_is_too_small_grows(make_problem, quick):
    problem = make_problem(Siren(4, 2), 60, 50)
    solution, used = solve_sampled(problem, Request(25.0, 5, 0))
    assert used.spec.width > 4
    assert solution.trial.psnr_db >= 25.0
    assert solution.steps in (240, 360)


def test_what_grows_has_the_same_values_at_first(make_problem):
    problem = make_problem(SMALL)
    parameters = start_general(problem, 0)
    wider, grown = module._wider(problem, parameters, 3.5, 0)
    assert 20 <= wider.spec.width <= 24
    before = create("numba", "cpu", problem, parameters, Objective(), 0).outputs()
    after = create("numba", "cpu", wider, grown, Objective(), 0).outputs()
    assert np.allclose(before, after, atol=1e-5)
    assert all(np.abs(grown[f"weight{i}"][problem.spec.width :]).min() > 0 for i in range(3))


def test_noise_is_left_to_a_field_that_memorises(make_problem, quick):
    noise = np.random.default_rng(0).integers(0, 256, (60 * 50, 3)).astype(np.uint8)
    problem = replace(make_problem(SMALL, 60, 50), samples=noise)
    assert solve_sampled(problem, Request(60.0, 5, 0, max_steps=None)) is None


@pytest.mark.parametrize("limit", [{"max_steps": 0}, {"max_steps": 7}, {"deadline": 0.0}], ids=str)
def test_what_there_is_when_steps_or_time_run_out(make_problem, limit):
    problem = make_problem(SMALL, 60, 50)
    solution, used = solve([problem], Request(40.0, 5, 0, **limit))
    assert used is problem
    assert solution.steps == limit.get("max_steps", 0)
    assert 0 < solution.trial.psnr_db < 40.0
    assert solution.fit_seconds < time.monotonic()


def test_a_fit_recovers_from_a_rate_that_is_too_high(make_problem, quick, monkeypatch):
    monkeypatch.setattr(module, "RATE", 0.3)
    monkeypatch.setattr(module, "LOOK_BACK", 5)
    problem = make_problem(SMALL, 60, 50)
    solution, _ = solve_sampled(problem, Request(30.0, 5, 0, max_steps=120))
    flat_db = problem.psnr_db(float(np.square(problem.samples - problem.samples.mean(axis=0)).sum()))
    assert solution.trial.psnr_db > flat_db + 1


def test_steps_that_ruin_a_good_start_are_undone(make_problem, quick, monkeypatch):
    """As after widening, when the error has nowhere to go but up."""
    monkeypatch.setattr(module, "FIT_STEPS", dict.fromkeys(range(1, 10), 300))
    problem = make_problem(Siren(24, 2), 48, 40)
    engine = create("numba", "cpu", problem, start_general(problem, 0), Objective(), 0)
    module._fit(problem, engine, Request(30.0, 1, 0), 300)
    before = problem.psnr_db(engine.evaluate().squared_error)
    monkeypatch.setattr(module, "RATE", 0.3)
    module._fit(problem, engine, Request(30.0, 1, 0), 40)
    after = problem.psnr_db(engine.evaluate().squared_error)
    assert after > before - 3.5


def test_samples_are_spread_over_the_picture(make_problem):
    rng = np.random.default_rng(0)
    problem = replace(make_problem(SMALL), geometry=Geometry(512, 768, 3))
    seen = [module._sample(problem, rng) for _ in range(50)]
    for axis, n in ((0, 512), (1, 768)):
        for places in (each[axis] for each in seen):
            assert np.all(np.diff(places) > 0)
            assert 0 <= places[0] < 6
            assert n - 6 < places[-1] < n
        assert len(np.unique(np.concatenate([each[axis] for each in seen]))) == n
    assert all(0.9 < len(rows) * len(cols) / module.PIXELS < 1.1 for rows, cols in seen)
    for shape in ((1, 1), (1, 90), (70, 1)):
        rows, cols = module._sample(replace(problem, geometry=Geometry(*shape, 3)), rng)
        assert (rows.tolist(), cols.tolist()) == (list(range(shape[0])), list(range(shape[1])))


def test_the_size_follows_the_picture():
    geometry = Geometry(512, 768, 3)
    widths = [small_siren(geometry, n_bytes).width for n_bytes in (10, 3_000, 10_000, 100_000)]
    assert widths[0] == 16
    assert widths == sorted(set(widths))
    assert small_siren(geometry, float("inf")) is None
    assert is_small(small_siren(geometry, 10_000), geometry)
    assert not is_small(small_siren(geometry, 100_000), Geometry(24, 20, 3))
    tiny = Geometry(24, 20, 3)
    assert candidates("siren", tiny, False, 30.0, True, lambda spec: 100.0) == [default_siren(tiny, False, 30.0)]
    small, large = candidates("siren", geometry, False, 30.0, True, lambda spec: 7000.0)
    assert small.n_parameters(geometry) * 10 < large.n_parameters(geometry)
    assert candidates("siren", geometry, False, 30.0) == [large]
    (permuted,) = candidates("siren", geometry, True, 30.0, True, lambda spec: 7000.0)
    assert permuted.width > large.width
