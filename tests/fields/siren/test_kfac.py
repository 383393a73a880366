from __future__ import annotations

import numpy as np
import pytest

from nfcodec.fields.siren import kfac
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.kfac import Kfac
from nfcodec.fields.siren.plan import PAPER, Start, initial_for, well_started
from nfcodec.fitting.engines import Objective, Rates, Stats, create
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.request import Clock


def engine_for(problem, start=PAPER):
    return create("numba", "cpu", problem, initial_for(problem, 0, start), Objective(), 0)


def steps_to(problem, goal_db: float, optimizer, rate: float, start=PAPER, max_steps: int = 400) -> int:
    schedule = Schedule(goal_db, max_steps, Rates(rate, rate))
    result = fit(problem, engine_for(problem, start), schedule, Clock("fit", goal_db, 0.0), optimizer=optimizer)
    assert result.reached
    return result.steps


def test_solves_with_the_damped_kronecker_product():
    rng = np.random.default_rng(0)
    square_a, square_g = (rng.normal(size=(n, n)).astype(np.float32) for n in (5, 3))
    a, g, gradient = square_a @ square_a.T, square_g @ square_g.T, rng.normal(size=(3, 5)).astype(np.float32)
    damping = 0.3
    ratio = np.sqrt(np.trace(a) / 5 / (np.trace(g) / 3))
    big = np.kron(g + np.sqrt(damping) / ratio * np.eye(3), a + np.sqrt(damping) * ratio * np.eye(5))
    expected = np.linalg.solve(big, gradient.reshape(-1)).reshape(3, 5)
    assert kfac._solved(gradient, a, g, damping) == pytest.approx(expected, rel=1e-3)


def test_a_whole_sample_gives_the_true_factors(make_problem, monkeypatch):
    """A of the first layer is the second moment of (x, y, 1); G of the last is the identity."""
    problem = make_problem(Siren(6, 1), channels=2)
    optimizer = Kfac(problem.field, problem.geometry, 0)
    monkeypatch.setattr(kfac, "SHARE", 1)
    monkeypatch.setattr(optimizer, "_rng", SimpleSampler(problem.geometry.n_pixels))
    factors = optimizer._sampled_factors(engine_for(problem).parameters())
    y, x = np.meshgrid(np.linspace(-1, 1, 24), np.linspace(-1, 1, 20), indexing="ij")
    rows = np.stack([x.reshape(-1), y.reshape(-1), np.ones(480)])
    assert factors.inputs[0] == pytest.approx(rows @ rows.T / 480, abs=1e-5)
    assert np.array_equal(factors.outputs[-1], np.eye(2))
    assert [len(a) for a in factors.inputs] == [3, 7, 7]
    assert [len(g) for g in factors.outputs] == [6, 6, 2]


class SimpleSampler:
    """Takes every pixel once, and every sign +1."""

    def __init__(self, n: int) -> None:
        self.n = n

    def integers(self, low: int, high: int, n: int):
        return np.arange(self.n)

    def choice(self, values, shape):
        return np.ones((self.n, shape[1]), np.float32)


@pytest.mark.parametrize("transform", ["none", "rpp", "standardize", "scale:2"])
def test_takes_many_times_fewer_steps_than_adam(make_problem, transform):
    problem = make_problem(Siren(48, 2), channels=1, transform=transform)
    start = well_started(problem.field, problem.geometry)
    steps = steps_to(problem, 50.0, Kfac(problem.field, problem.geometry, 0, problem.gain), kfac.RATE, start)
    adam = steps_to(problem, 50.0, None, 2.0**-10, max_steps=2000)
    assert 5 * steps <= adam


def test_the_scale_of_the_targets_does_not_matter(make_problem):
    counts = []
    for transform in ("none", "scale:2", "scale:8"):
        problem = make_problem(Siren(32, 2), channels=1, transform=transform)
        optimizer = Kfac(problem.field, problem.geometry, 0, problem.gain)
        counts.append(steps_to(problem, 40.0, optimizer, kfac.RATE, Start(2.0, 2.0)))
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_do_not_matter(make_problem, monkeypatch, threads):
    results = []
    for n in (1, threads):
        monkeypatch.setattr(kfac, "n_threads", lambda n=n: n)
        problem = make_problem(Siren(12, 2))
        engine, optimizer = engine_for(problem), Kfac(problem.field, problem.geometry, 0)
        for _ in range(4):
            optimizer.update(engine, Rates(kfac.RATE, kfac.RATE), engine.gradient())
        results.append(engine.parameters())
    assert all(np.array_equal(results[0][name], value) for name, value in results[1].items())


def test_damping_eases_while_the_error_falls(make_problem):
    problem = make_problem(Siren(12, 1))
    engine, optimizer = engine_for(problem), Kfac(problem.field, problem.geometry, 0)
    engine.gradient()
    eased = []
    for mse in (1.0, 0.5, 0.25, 0.3, 0.2):
        optimizer.update(engine, Rates(1e-6, 1e-6), Stats(mse, 0.0, 0.0))
        eased.append(optimizer._ease)
    assert eased == pytest.approx([1.0, 0.9, 0.81, 1.0, 0.9])
    optimizer.forget()
    assert (optimizer._ease, optimizer._moves, optimizer._factors) == (1.0, None, None)
