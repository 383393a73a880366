"""Steering a fit of error and bits: the quantizer hardens, and lambda follows the PSNR of the rounded field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from nfcodec.fitting.engines import Engine, Objective, Stats

LARGEST_EXCESS_DB = 2.0
"""What counts at most of how far a look is off the target."""


@dataclass(frozen=True)
class Steering:
    """How a fit is steered.

    Attributes:
        softness: of the quantizer, at the start and at the end.
        interval: steps from one look at the rounded field to the next.
        gain: log2(lambda) moves by so much per dB off the target, each look.
        hold: share of the steps before lambda moves at all.
        floor: lambda does not fall under this share of its start.
    """

    softness: tuple[float, float]
    interval: int
    gain: float
    hold: float = 0.0
    floor: float = 0.0


@dataclass
class RateControl:
    """What `loop.fit` calls before each step.

    Attributes:
        objective: the latest.
        psnr_db: the target.
        look: tells the PSNR of the rounded field, and what else of the objective is to be renewed.
    """

    engine: Engine
    objective: Objective
    psnr_db: float
    n_steps: int
    steering: Steering
    look: Callable[[Objective], tuple[float, Objective]]

    def __post_init__(self) -> None:
        self._least = self.steering.floor * self.objective.rate_weight

    def __call__(self, step: int, stats: Stats) -> None:
        first, last = self.steering.softness
        softness = first + (last - first) * ((step + 1) / self.n_steps)
        objective, interval = replace(self.objective, softness=softness), self.steering.interval
        if step % interval == interval - 1 and step >= self.steering.hold * self.n_steps:
            rounded_db, objective = self.look(objective)
            excess_db = max(-LARGEST_EXCESS_DB, min(LARGEST_EXCESS_DB, rounded_db - self.psnr_db))
            rate_weight = objective.rate_weight * 2 ** (self.steering.gain * excess_db)
            objective = replace(objective, rate_weight=max(rate_weight, self._least))
        self.objective = objective
        self.engine.set_objective(objective)
