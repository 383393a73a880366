from __future__ import annotations

import math
import time

import numpy as np
import pytest

from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.plan import Start, initial_for
from nfcodec.fitting.batches import SPIKE, Sampling
from nfcodec.fitting.engines import Engine, Objective, Rates, Stats
from nfcodec.fitting.engines.base import one_by_one
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.request import Clock
from nfcodec.workers import Workers

RATES = Rates(0.1, 0.2)
FIELD = Siren(width=8, hidden_layers=1)
SAMPLING = Sampling(n_pixels=100, seed=0, interval=10, worse=1.25, dead=0.97)


class FakeEngine(Engine):
    """One parameter x with the error x^2 in sample units; an update multiplies x by 1 - the network's rate.

    `accidents` maps a step to what x becomes after it.
    """

    name, device, block = "fake", "cpu", 1

    def __init__(self, problem, x: float = 100.0, accidents=None):
        self.problem, self.x, self.n_updates, self.rates, self.n_restored = problem, x, 0, [], 0
        self.accidents, self.looks, self.sampled = dict(accidents or {}), [], []

    @classmethod
    def describe(cls):
        raise AssertionError("the loop has its engine")

    def get_ready(self, notify):
        raise AssertionError("the loop has its engine")

    def gradient(self) -> Stats:
        return Stats(self.x**2, 0.0, self.x**2 * self.problem.samples.size)

    def evaluate(self) -> Stats:
        self.looks.append(self.n_updates)
        return self.gradient()

    def sampled_gradient(self, rows, cols) -> Stats:
        self.sampled.append((rows, cols))
        return self.gradient()

    def advance(self, rates, halt):
        return one_by_one(self, rates, halt)

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
    return make_problem(FIELD)


def run(problem, engine, goal=math.inf, max_steps=1000, before_step=None, sampling=None, **schedule):
    events = []
    clock = Clock("fit", 40.0, time.monotonic(), events.append)
    result = fit(problem, engine, Schedule(goal, max_steps, RATES, **schedule), clock, before_step, sampling=sampling)
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


def test_blocks_of_steps_are_told_one_by_one(problem):
    """An engine that takes several steps at once stops where one by one it would have."""

    class Blocks(FakeEngine):
        block = 7

    (one, events), (several, blocks) = (run(problem, each(problem), goal=40.0) for each in (FakeEngine, Blocks))
    assert (several.steps, several.psnr_db) == (one.steps, one.psnr_db)
    assert [event.psnr_db for event in blocks] == [event.psnr_db for event in events]
    looked, _ = run(problem, Blocks(problem), goal=40.0, before_step=lambda step, stats: None)
    assert looked.steps == one.steps


def test_stops_where_the_work_is_stopped_that_it_is_a_part_of(problem):
    engine = FakeEngine(problem)

    def task(worker: int, i: int) -> None:
        if i == 0:
            run(problem, engine, goal=None, max_steps=10**9)
        while engine.n_updates < 3:
            time.sleep(0.001)
        raise ValueError("of the other task")

    with pytest.raises(ValueError, match="of the other task"):
        Workers(2).run(2, task)
    assert 3 <= engine.n_updates < 10**9


# ------------------------------------------------------------------------------------------------- gradients of samples


def test_all_pixels_are_looked_at_now_and_then(problem):
    engine, seen = FakeEngine(problem), []
    result, events = run(
        problem, engine, None, 25, before_step=lambda step, stats: seen.append(step), sampling=SAMPLING
    )
    assert (result.steps, len(engine.sampled), result.reached) == (25, 25, True)
    assert engine.looks == [0, 10, 20, 25]
    assert seen == [0, 10, 20]
    assert result.stats.mse == pytest.approx((100 * 0.8**25) ** 2)
    assert [event.step for event in events] == list(range(26))
    assert events[19].psnr_db == events[10].psnr_db < events[20].psnr_db


def test_samples_differ_from_step_to_step_and_repeat_from_fit_to_fit(problem):
    engines = [FakeEngine(problem) for _ in range(2)]
    for engine in engines:
        run(problem, engine, None, 4, sampling=SAMPLING)
    assert len({tuple(rows) + tuple(cols) for rows, cols in engines[0].sampled}) == 4
    for a, b in zip(*(engine.sampled for engine in engines), strict=True):
        assert all(map(np.array_equal, a, b))


def test_a_fit_to_samples_does_not_stop_where_all_are_exact(problem):
    result, _ = run(problem, FakeEngine(problem, x=0.0), None, 12, sampling=SAMPLING)
    assert (result.steps, result.psnr_db) == (12, math.inf)


@pytest.mark.parametrize("accident", [50.0, 1e9])
def test_a_look_undoes_what_made_it_worse(problem, accident):
    engine = FakeEngine(problem, accidents={14: accident})
    result, _ = run(problem, engine, None, 40, sampling=SAMPLING)
    assert engine.n_restored == 1
    assert result.stats.mse == pytest.approx((100 * 0.8**10 * 0.9**20) ** 2)
    assert sorted({rates.network for rates in engine.rates}) == [0.1, 0.2]


def test_an_error_that_is_no_number_is_seen_at_once(problem):
    engine = FakeEngine(problem, accidents={13: math.nan})
    run(problem, engine, None, 20, sampling=SAMPLING)
    assert engine.looks[:4] == [0, 10, 15, 15]  # the step after shows it; then again, where the fit goes on
    assert engine.n_restored == 1


def test_a_field_that_says_nothing_is_undone(problem):
    """Its error is hardly less than the first one, which is the least that was seen."""
    engine = FakeEngine(problem, x=10.0, accidents={9: 9.9})
    run(problem, engine, None, 15, sampling=SAMPLING)
    assert engine.n_restored == 1


def test_the_best_parameters_are_kept_when_samples_end_worse(problem):
    engine = FakeEngine(problem, accidents={24: 20.0})
    result, _ = run(problem, engine, None, 25, sampling=SAMPLING)
    assert result.stats.mse == pytest.approx((100 * 0.8**20) ** 2)
    assert result.parameters["x"][0] == pytest.approx(100 * 0.8**20)


def test_rates_warm_up_at_the_start_and_after_going_back(problem):
    engine = FakeEngine(problem, accidents={9: 1e6})
    run(problem, engine, None, 20, sampling=SAMPLING, warm_up=5)
    shares = [rates.network / RATES.network for rates in engine.rates]
    assert shares[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert shares[10:16] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.5])


def test_fits_with_the_torch_engine(make_problem):
    pytest.importorskip("torch")
    from nfcodec.fitting.engines.torch import TorchEngine

    problem = make_problem(Siren(32, 2), channels=1)
    results = []
    for _ in range(2):
        engine = TorchEngine(problem, initial_for(problem, 0, Start(2.0, 2.0)), Objective(), 0, "cpu")
        clock = Clock("fit", 35.0, time.monotonic())
        results.append(fit(problem, engine, Schedule(35.0, 400, Rates(2.0**-9, 2.0**-9)), clock))
    assert results[0].reached
    assert results[0].psnr_db >= 35
    for name, value in results[0].parameters.items():
        assert np.array_equal(value, results[1].parameters[name])
