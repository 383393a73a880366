"""The fitting loop: steps to a PSNR, with recovery from spikes. One loop for every field, engine and kind of gradient.

A step is one gradient and one update. What differs is how much of the picture a gradient sees, and when all of it is
looked at (`nfcodec.fitting.batches`): the whole picture at every step, or random pixels, with a look now and then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from nfcodec.exact.field import Parameters
from nfcodec.fitting.batches import Batch, FullBatch, Optimizer, SampledBatch, Sampling, psnr_of
from nfcodec.fitting.engines import Engine, Rates, Stats
from nfcodec.fitting.problem import Problem
from nfcodec.workers import check_stopped


@dataclass(frozen=True)
class Schedule:
    """When a fit stops, and how fast it goes.

    Attributes:
        goal_psnr_db: stop when the samples reach it, infinite for samples without an error; None to use all steps.
        max_steps: gradient steps at most.
        deadline: `time.monotonic()` value to stop at; infinite for none.
        rates: at the start.
        decay: final factor on the rates, reached along a half cosine; 1 for constant rates.
        decay_steps: over which it is reached; None for max_steps.
        warm_up: steps over which rates grow up to that, at the start and wherever the fit had to go back.
    """

    goal_psnr_db: float | None
    max_steps: int
    rates: Rates
    deadline: float = math.inf
    decay: float = 1.0
    decay_steps: int | None = None
    warm_up: int = 0

    def rates_at(self, step: int) -> Rates:
        """The rates of a step, 0 .. max_steps - 1, without a warm-up."""
        n_steps = self.max_steps if self.decay_steps is None else self.decay_steps
        progress = 0.5 - 0.5 * math.cos(math.pi * min(1.0, step / max(1, n_steps)))
        factor = 1.0 + (self.decay - 1.0) * progress
        return Rates(self.rates.grid * factor, self.rates.network * factor)

    def is_reached(self, psnr_db: float) -> bool:
        """Whether a PSNR is that of the goal."""
        return self.goal_psnr_db is not None and psnr_db >= self.goal_psnr_db

    def is_over(self, step: int) -> bool:
        """Whether no step may begin after so many."""
        return step >= self.max_steps or time.monotonic() >= self.deadline


@dataclass(frozen=True)
class FitResult:
    """The parameters that reached the goal, else the best ones kept (the last ones where there is no finite goal).

    Attributes:
        stats: of these parameters, which are not always the engine's.
        psnr_db: of the samples that they give.
    """

    parameters: Parameters
    stats: Stats
    psnr_db: float
    steps: int
    seconds: float
    reached: bool


class Teller(Protocol):
    """Who is told how far a fit is, as `request.Clock`."""

    def tell(self, step: int, max_steps: int, psnr_db: float, *, bits_per_pixel: float) -> None:
        """After each step, with the PSNR and the bits of the latest look at all pixels; NaN for bits not counted."""
        ...


@dataclass
class _Course:
    """The best parameters so far, and how a fit goes on from them after it went astray.

    Attributes:
        kept, back: the step at which they were kept, and the one at which the fit last went back to them.
        slowdown: factor on all rates.
    """

    engine: Engine
    schedule: Schedule
    optimizer: Optimizer | None
    best: Parameters
    stats: Stats = field(default_factory=lambda: Stats(math.inf, 0.0, math.inf))
    kept: int = 0
    back: int = 0
    slowdown: float = 1.0
    began: float = field(default_factory=time.monotonic)

    def keep(self, step: int, stats: Stats) -> None:
        """Take the engine's parameters as the best."""
        self.best, self.stats, self.kept = self.engine.parameters(), stats, step

    def go_back(self, step: int) -> None:
        """To the best parameters, at half the rates."""
        self.engine.restore(self.best)
        if self.optimizer:
            self.optimizer.forget()
        self.slowdown /= 2
        self.back = step

    def rates_at(self, step: int) -> Rates:
        rates, warm_up = self.schedule.rates_at(step), self.schedule.warm_up
        factor = self.slowdown * (min(1.0, (step - self.back + 1) / warm_up) if warm_up else 1.0)
        return Rates(rates.grid * factor, rates.network * factor)

    def result(self, problem: Problem, stats: Stats, steps: int, *, reached: bool, best: bool = False) -> FitResult:
        """Of the engine's parameters, which have these statistics, or of the best ones."""
        parameters = self.best if best else self.engine.parameters()
        seconds = time.monotonic() - self.began
        return FitResult(parameters, stats, psnr_of(problem, stats), steps, seconds, reached)


def fit(
    problem: Problem,
    engine: Engine,
    schedule: Schedule,
    clock: Teller,
    before_step: Callable[[int, Stats], None] | None = None,
    optimizer: Optimizer | None = None,
    sampling: Sampling | None = None,
) -> FitResult:
    """Step until the goal, the step limit or the deadline; less where the work is stopped that this is a part of.

    The statistics of the whole picture belong to the parameters before the update, so the step count at which a PSNR
    is reached is exact. When the error spikes or stops being a number, the loop goes back to the best parameters and
    halves the rates.

    Args:
        before_step: called with the step number and its statistics before each update that follows a look at all
            pixels (the rate controller).
        optimizer: Adam, the engine's own, by default.
        sampling: which pixels gradients are of, and when all are looked at; all of them at every step by default.
    """
    batch: Batch
    if sampling is None:
        batch = FullBatch(problem, engine, optimizer, schedule.goal_psnr_db, in_blocks=before_step is None)
    else:
        batch = SampledBatch(problem, engine, optimizer, sampling)
    course = _Course(engine, schedule, optimizer, engine.parameters())
    step, stats = 0, batch.look()
    seen: list[Stats | None] = [stats]
    while True:
        check_stopped()
        for behind, each in enumerate(seen, 1 - len(seen)):
            stats = stats if each is None else each
            bits = stats.bits_per_pixel or math.nan
            clock.tell(step + behind, schedule.max_steps, psnr_of(problem, stats), bits_per_pixel=bits)
        looked = seen[-1] is not None
        if looked and schedule.is_reached(psnr_of(problem, stats)):
            return course.result(problem, stats, step, reached=True)
        if looked and batch.is_astray(stats, course.stats):
            course.go_back(step)
            stats = batch.look()
        elif looked and batch.is_better(stats, course.stats, step - course.kept):
            course.keep(step, stats)
        if schedule.is_over(step):
            break
        if looked and before_step is not None:
            before_step(step, stats)
        steps = range(step, min(step + batch.block, schedule.max_steps))
        seen = batch.onward(step, [course.rates_at(each) for each in steps], stats, course.stats)
        step += len(seen)
    if seen[-1] is None:
        stats = batch.look()
    if batch.ends_with_best(stats, course.stats):
        return course.result(problem, course.stats, step, reached=False, best=True)
    return course.result(problem, stats, step, reached=schedule.goal_psnr_db in (None, math.inf))
