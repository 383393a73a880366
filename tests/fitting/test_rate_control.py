from __future__ import annotations

from dataclasses import replace

import pytest

from nfcodec.fitting.engines import Objective, Stats
from nfcodec.fitting.rate_control import LARGEST_EXCESS_DB, RateControl, Steering

N_STEPS, TARGET_DB = 40, 30.0
STATS = Stats(1.0, 1.0, 1.0)


class Listening:
    """What a rate controller needs of an engine."""

    def __init__(self):
        self.objectives = []

    def set_objective(self, objective):
        self.objectives.append(objective)


def steered(steering: Steering, psnr_db, rate_weight: float = 1.0, n_steps: int = N_STEPS):
    """The objectives of all steps, and at which of them the rounded field was looked at."""
    engine, looks = Listening(), []

    def look(objective):
        looks.append(len(engine.objectives))
        return psnr_db, replace(objective, rate_model=len(looks))

    control = RateControl(engine, Objective({"level0": 0.1}, rate_weight), TARGET_DB, n_steps, steering, look)
    for step in range(n_steps):
        control(step, STATS)
    assert control.objective == engine.objectives[-1]
    return engine.objectives, looks


def test_the_quantizer_hardens():
    objectives, _ = steered(Steering((0.3, 0.1), 5, 0.3), TARGET_DB)
    softness = [objective.softness for objective in objectives]
    assert softness == sorted(softness, reverse=True)
    assert softness[0] == pytest.approx(0.3 - 0.2 / N_STEPS)
    assert softness[-1] == pytest.approx(0.1)
    assert {tuple(objective.steps.items()) for objective in objectives} == {(("level0", 0.1),)}


@pytest.mark.parametrize(("excess_db", "seen_db"), [(0.5, 0.5), (-0.5, -0.5), (9.0, 2.0), (-9.0, -2.0)])
def test_lambda_follows_the_psnr(excess_db, seen_db):
    """Up over the target, down below it, by so much at most."""
    assert LARGEST_EXCESS_DB == 2.0
    objectives, looks = steered(Steering((0.3, 0.1), 5, 0.25), TARGET_DB + excess_db)
    assert looks == [4, 9, 14, 19, 24, 29, 34, 39]
    expected = [2 ** (0.25 * seen_db * ((step + 1) // 5)) for step in range(N_STEPS)]
    assert [objective.rate_weight for objective in objectives] == pytest.approx(expected)
    assert objectives[-1].rate_model == len(looks)


@pytest.mark.parametrize(("hold", "first"), [(0.0, 4), (0.1, 4), (0.4, 19), (0.5, 24), (0.99, None), (1.0, None)])
def test_lambda_stands_still_at_first(hold, first):
    objectives, looks = steered(Steering((0.3, 0.1), 5, 0.25, hold=hold), TARGET_DB - 1)
    assert (looks[0] if looks else None) == first
    still = N_STEPS if first is None else first
    assert {objective.rate_weight for objective in objectives[:still]} == {1.0}
    assert [objective.rate_weight < 1 for objective in objectives[still:]] == [True] * (N_STEPS - still)


def test_lambda_does_not_fall_under_its_floor():
    floor, start = 0.05, 3.0
    objectives, _ = steered(Steering((0.3, 0.1), 1, 1.0, floor=floor), TARGET_DB - 5, start)
    weights = [objective.rate_weight for objective in objectives]
    assert weights[0] == pytest.approx(start / 4)
    assert weights[-1] == min(weights) == pytest.approx(floor * start)
    unbounded, _ = steered(Steering((0.3, 0.1), 1, 1.0), TARGET_DB - 5, start)
    assert unbounded[-1].rate_weight < 1e-20


def test_the_floor_is_a_share_of_the_start_and_not_of_later():
    """Not of what lambda rose to, and no bound from above."""
    engine, excess_db = Listening(), iter([2.0] * 10 + [-2.0] * 40)
    steering = Steering((0.3, 0.1), 1, 1.0, floor=0.5)

    def look(objective):
        return TARGET_DB + next(excess_db), objective

    control = RateControl(engine, Objective({}, 1.0), TARGET_DB, 50, steering, look)
    for step in range(50):
        control(step, STATS)
    weights = [objective.rate_weight for objective in engine.objectives]
    assert max(weights) == 2.0**20
    assert weights[-1] == 0.5
