from __future__ import annotations

import math
import time

import numpy as np
import pytest

from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel
from nfcodec.fields.siren.field import Siren
from nfcodec.fitting.engines import Engine, Objective, Rates, Stats
from nfcodec.fitting.engines.torch import TorchEngine
from nfcodec.fitting.loop import SPIKE, Schedule, fit
from nfcodec.fitting.request import Clock

RATES = Rates(0.1, 0.2)
SPEC = Siren(width=8, hidden_layers=1)


class FakeEngine(Engine):
    """One parameter x with the error x^2 in sample units; an update multiplies x by 1 - the network's rate.

    `accidents` maps a step to what x becomes after it.
    """

    name, device = "fake", "cpu"

    def __init__(self, problem, x: float = 100.0, accidents=None):
        self.problem, self.x, self.n_updates, self.rates, self.n_restored = problem, x, 0, [], 0
        self.accidents = dict(accidents or {})

    def gradient(self) -> Stats:
        return Stats(self.x**2, 0.0, self.x**2 * self.problem.samples.size)

    evaluate = gradient

    def update(self, rates: Rates) -> None:
        self.rates.append(rates)
        self.x *= 1 - rates.network
        self.x = self.accidents.pop(self.n_updates, self.x)
        self.n_updates += 1

    def set_objective(self, objective: Objective) -> None: ...

    def gradients(self):
        raise AssertionError("the loop leaves gradients to the engine")

    def outputs(self):
        raise AssertionError("the loop leaves outputs to the engine")

    def parameters(self):
        return {"x": np.array([self.x], np.float32)}

    def restore(self, parameters) -> None:
        self.x = float(parameters["x"][0])
        self.n_restored += 1


@pytest.fixture
def problem(make_problem):
    return make_problem(SPEC)


def run(problem, engine, goal=math.inf, max_steps=1000, before_step=None, **schedule):
    events = []
    clock = Clock("fit", 40.0, time.monotonic(), events.append)
    result = fit(problem, engine, Schedule(goal, max_steps, RATES, **schedule), clock, before_step)
    return result, events


def psnr_db(x: float) -> float:
    return 20 * math.log10(255 / x)


def test_stops_at_the_goal_and_not_a_step_later(problem):
    result, events = run(problem, FakeEngine(problem), goal=40.0)
    expected = next(n for n in range(1000) if psnr_db(100 * 0.8**n) >= 40)
    assert (result.steps, result.reached) == (expected, True)
    assert result.psnr_db == pytest.approx(psnr_db(100 * 0.8**expected))
    assert result.parameters["x"][0] == pytest.approx(100 * 0.8**expected)
    assert [event.step for event in events] == list(range(expected + 1))
    assert all(event.phase == "fit" and event.max_steps == 1000 and event.target_psnr_db == 40 for event in events)
    assert events[-1].psnr_db == result.psnr_db


@pytest.mark.parametrize("max_steps", [0, 1, 7])
def test_stops_at_max_steps(problem, max_steps):
    engine = FakeEngine(problem)
    result, _ = run(problem, engine, goal=90.0, max_steps=max_steps)
    assert (result.steps, engine.n_updates, result.reached) == (max_steps, max_steps, False)
    assert result.psnr_db == pytest.approx(psnr_db(100 * 0.8**max_steps))


def test_an_infinite_goal_uses_all_steps(problem):
    result, _ = run(problem, FakeEngine(problem), max_steps=12)
    assert (result.steps, result.reached) == (12, True)


def test_stops_at_the_deadline(problem):
    result, _ = run(problem, FakeEngine(problem), goal=200.0, deadline=time.monotonic() - 1)
    assert (result.steps, result.reached) == (0, False)


@pytest.mark.parametrize("accident", [math.nan, math.inf, 1e9, -1e5])
def test_recovers_from_a_spike(problem, accident):
    engine = FakeEngine(problem, accidents={8: accident, 15: accident})
    result, events = run(problem, engine, goal=40.0)
    assert result.reached
    assert engine.n_restored == 2
    assert sorted({rates.network for rates in engine.rates}) == [0.05, 0.1, 0.2]
    assert engine.rates[-1] == Rates(RATES.grid / 4, RATES.network / 4)
    assert min(event.psnr_db for event in events) < psnr_db(100 * SPIKE)


def test_recovers_from_a_bad_start(problem):
    engine = FakeEngine(problem, x=math.nan)
    result, _ = run(problem, engine, goal=40.0, max_steps=5)
    assert (result.steps, result.reached, result.psnr_db) == (5, False, -math.inf)


def test_keeps_the_best_when_the_end_is_worse(problem):
    engine = FakeEngine(problem, accidents={19: 60.0})
    result, _ = run(problem, engine, goal=90.0, max_steps=20)
    assert not result.reached
    assert result.psnr_db > psnr_db(60.0)
    assert psnr_db(float(result.parameters["x"][0])) == pytest.approx(result.psnr_db)


def test_before_step_sees_every_step(problem):
    seen = []
    run(problem, FakeEngine(problem), max_steps=4, before_step=lambda step, stats: seen.append((step, stats.mse)))
    assert [step for step, _ in seen] == [0, 1, 2, 3]
    assert [mse for _, mse in seen] == pytest.approx([(100 * 0.8**n) ** 2 for n in range(4)])


def test_rates_decay_along_a_half_cosine():
    schedule = Schedule(math.inf, 100, Rates(1.0, 2.0), decay=0.1)
    assert schedule.rates_at(0) == Rates(1.0, 2.0)
    assert schedule.rates_at(50).grid == pytest.approx(0.55)
    assert schedule.rates_at(100).network == pytest.approx(0.2)
    assert Schedule(math.inf, 100, Rates(1.0, 2.0)).rates_at(77) == Rates(1.0, 2.0)


def test_fits_with_the_torch_engine(make_problem):
    problem = make_problem(Ngp((DenseLevel(1, 3), DenseLevel(0, 3)), hidden=(8,), bias=True, skip=True))
    results = []
    for _ in range(2):
        engine = TorchEngine(problem, problem.spec.initial(problem.geometry, 0), Objective(), 0, "cpu")
        results.append(run(problem, engine, goal=35.0, max_steps=400)[0])
    assert results[0].reached
    assert results[0].psnr_db >= 35
    for name, value in results[0].parameters.items():
        assert np.array_equal(value, results[1].parameters[name])
