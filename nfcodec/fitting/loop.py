"""The fitting loop: full-batch steps to a PSNR, with recovery from spikes. One loop for every engine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nfcodec.exact.field import Parameters
from nfcodec.fitting.engines import Engine, Halt, Rates, Stats
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Clock

SPIKE = 4.0
"""A mean squared error this many times the best is a spike: go back to the best parameters, at a lower rate."""


@dataclass(frozen=True)
class Schedule:
    """When a fit stops, and how fast it goes.

    Attributes:
        goal_psnr_db: stop when the samples reach it; infinite to use all steps.
        max_steps: gradient steps at most.
        deadline: `time.monotonic()` value to stop at; infinite for none.
        rates: at the start.
        decay: final factor on the rates, reached along a half cosine over max_steps; 1 for constant rates.
    """

    goal_psnr_db: float
    max_steps: int
    rates: Rates
    deadline: float = math.inf
    decay: float = 1.0

    def rates_at(self, step: int) -> Rates:
        """The rates of a step, 0 .. max_steps - 1."""
        progress = 0.5 - 0.5 * math.cos(math.pi * step / max(1, self.max_steps))
        factor = 1.0 + (self.decay - 1.0) * progress
        return Rates(self.rates.grid * factor, self.rates.network * factor)


@dataclass(frozen=True)
class FitResult:
    """The parameters that reached the goal, else the best ones kept (the last ones for an infinite goal)."""

    parameters: Parameters
    psnr_db: float
    steps: int
    seconds: float
    reached: bool


class Optimizer(Protocol):
    """Turns gradients into updates."""

    def update(self, engine: Engine, rates: Rates, stats: Stats) -> None:
        """One step with the gradient that the engine has just computed, and the statistics that came with it."""
        ...

    def forget(self) -> None:
        """Drop what was learnt from earlier steps."""
        ...


def fit(
    problem: Problem,
    engine: Engine,
    schedule: Schedule,
    clock: Clock,
    before_step: Callable[[int, Stats], None] | None = None,
    optimizer: Optimizer | None = None,
) -> FitResult:
    """Step until the goal, the step limit or the deadline.

    A step is one full-batch gradient and one update. The statistics belong to the parameters before the update, so
    the step count at which a PSNR is reached is exact. When the error spikes or stops being a number, the loop goes
    back to the best parameters and halves the rates.

    Args:
        before_step: called with the step number and its statistics before each update (the rate controller).
        optimizer: Adam, the engine's own, by default.
    """
    began, block = time.monotonic(), 1 if before_step or optimizer else engine.block
    best, best_mse, best_psnr = engine.parameters(), math.inf, -math.inf
    slowdown, saved_at, step = 1.0, 0, 0
    fresh = [engine.gradient()]
    while True:
        for behind, each in enumerate(fresh, 1 - len(fresh)):
            clock.tell(step + behind, schedule.max_steps, _psnr_db(problem, each))
        stats = fresh[-1]
        psnr_db = _psnr_db(problem, stats)
        if psnr_db >= schedule.goal_psnr_db:
            return FitResult(engine.parameters(), psnr_db, step, time.monotonic() - began, True)
        if not stats.mse < SPIKE * best_mse:
            engine.restore(best)
            if optimizer:
                optimizer.forget()
            slowdown /= 2
            stats = engine.gradient()
            psnr_db = _psnr_db(problem, stats)
        elif stats.mse < best_mse and (step >= saved_at + 10 or stats.mse < 0.5 * best_mse):
            best, best_mse, best_psnr, saved_at = engine.parameters(), stats.mse, psnr_db, step
        if step >= schedule.max_steps or time.monotonic() >= schedule.deadline:
            break
        if before_step is not None:
            before_step(step, stats)
        steps = range(step, min(step + block, schedule.max_steps))
        rates = [Rates(each.grid * slowdown, each.network * slowdown) for each in map(schedule.rates_at, steps)]
        if optimizer:
            optimizer.update(engine, rates[0], stats)
            fresh = [engine.gradient()]
        else:
            fresh = engine.advance(rates, Halt(problem.squared_error(schedule.goal_psnr_db), SPIKE * best_mse))
        step += len(fresh)
    seconds = time.monotonic() - began
    if schedule.goal_psnr_db < math.inf and best_psnr > psnr_db:
        return FitResult(best, best_psnr, step, seconds, False)
    return FitResult(engine.parameters(), psnr_db, step, seconds, schedule.goal_psnr_db == math.inf)


def _psnr_db(problem: Problem, stats: Stats) -> float:
    return problem.psnr_db(stats.squared_error) if math.isfinite(stats.mse) else -math.inf
