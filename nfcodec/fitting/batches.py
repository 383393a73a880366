"""What a gradient sees: the whole picture at every step, or random pixels with a look at the whole now and then."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.engines import Engine, Halt, Rates, Stats
from nfcodec.fitting.problem import Problem

SPIKE = 4.0
"""A mean squared error this many times the best is a spike: go back to the best parameters, at a lower rate."""

KEEP_INTERVAL, MUCH_BETTER = 10, 0.5
"""Parameters are kept if they are better than those kept so many steps ago, or at once if the error is so much less."""

Places = npt.NDArray[np.int64]


class Optimizer(Protocol):
    """Turns gradients into updates."""

    def update(self, engine: Engine, rates: Rates, stats: Stats) -> None:
        """One step with the gradient that the engine has just computed, and the statistics that came with it."""
        ...

    def forget(self) -> None:
        """Drop what was learnt from earlier steps."""
        ...


class Batch(ABC):
    """Steps with gradients of some pixels, and what is made of a look at all of them.

    Attributes:
        block: steps to ask `onward` for at once.
    """

    block: int

    @abstractmethod
    def look(self) -> Stats:
        """The statistics of the engine's parameters over the whole picture; the next step begins there."""

    @abstractmethod
    def onward(self, step: int, rates: Sequence[Rates], stats: Stats, best: Stats) -> list[Stats | None]:
        """Steps with these rates, or some of them.

        Args:
            step: how many there were before.
            stats, best: of the latest look, and the best ones.

        Returns:
            The statistics after each step; None where not all pixels were looked at.
        """

    @abstractmethod
    def is_astray(self, stats: Stats, best: Stats) -> bool:
        """Whether a fit should go back to the best parameters."""

    @abstractmethod
    def is_better(self, stats: Stats, best: Stats, age: int) -> bool:
        """Whether parameters should be kept as the best; those that are have been for `age` steps."""

    @abstractmethod
    def ends_with_best(self, stats: Stats, best: Stats) -> bool:
        """Whether a fit that has run out of steps ends with the best parameters, not with the last ones."""


class FullBatch(Batch):
    """Gradients of the whole picture, whose statistics come with them.

    Args:
        optimizer: None for the engine's own.
        goal_psnr_db: see `Schedule`; infinite or None where something else than the error is minimised, so that the
            last parameters count.
        in_blocks: whether several steps may be taken without a word in between.
    """

    def __init__(
        self,
        problem: Problem,
        engine: Engine,
        optimizer: Optimizer | None,
        goal_psnr_db: float | None,
        *,
        in_blocks: bool,
    ) -> None:
        self._problem, self._engine, self._optimizer = problem, engine, optimizer
        self._goal = -math.inf if goal_psnr_db is None else problem.squared_error(goal_psnr_db)
        self._ends_with_last = goal_psnr_db is None or math.isinf(goal_psnr_db)
        self.block = engine.block if in_blocks and optimizer is None else 1

    def look(self) -> Stats:
        return self._engine.gradient()

    def onward(self, step: int, rates: Sequence[Rates], stats: Stats, best: Stats) -> list[Stats | None]:
        if self._optimizer is None:
            return [*self._engine.advance(rates, Halt(self._goal, SPIKE * best.mse))]
        self._optimizer.update(self._engine, rates[0], stats)
        return [self._engine.gradient()]

    def is_astray(self, stats: Stats, best: Stats) -> bool:
        return not stats.mse < SPIKE * best.mse

    def is_better(self, stats: Stats, best: Stats, age: int) -> bool:
        return stats.mse < best.mse and (age >= KEEP_INTERVAL or stats.mse < MUCH_BETTER * best.mse)

    def ends_with_best(self, stats: Stats, best: Stats) -> bool:
        return not self._ends_with_last and psnr_of(self._problem, best) > psnr_of(self._problem, stats)


@dataclass(frozen=True)
class Sampling:
    """Gradients of random pixels.

    Attributes:
        n_pixels: of a step, about.
        interval: steps from one look at all pixels to the next.
        worse: an error so many times the best one is undone.
        dead: of the picture's variance, and of the first error: a field with a larger error says nothing about the
            picture, and is undone, too.
    """

    n_pixels: int
    seed: int
    interval: int
    worse: float
    dead: float


class SampledBatch(Batch):
    """Gradients of the pixels where random rows and columns cross; the engine must have them for the field.

    Args:
        optimizer: None for the engine's own.
    """

    def __init__(self, problem: Problem, engine: Engine, optimizer: Optimizer | None, sampling: Sampling) -> None:
        self._geometry, self._engine, self._optimizer, self._sampling = problem.geometry, engine, optimizer, sampling
        self._rng, self._flat = np.random.default_rng(sampling.seed), math.inf
        self._variance = float(problem.targets.var(axis=0).mean())
        self.block = 1

    def look(self) -> Stats:
        return self._engine.evaluate()

    def onward(self, step: int, rates: Sequence[Rates], stats: Stats, best: Stats) -> list[Stats | None]:
        sampled = self._engine.sampled_gradient(*sampled_lines(self._geometry, self._sampling.n_pixels, self._rng))
        if self._optimizer is None:
            self._engine.update(rates[0])
        else:
            self._optimizer.update(self._engine, rates[0], sampled)
        due = (step + 1) % self._sampling.interval == 0 or not math.isfinite(sampled.mse)
        return [self.look() if due else None]

    def is_astray(self, stats: Stats, best: Stats) -> bool:
        if math.isinf(best.mse):  # there is nothing to go back to before the first look
            self._flat = self._sampling.dead * max(stats.mse, self._variance)
            return False
        return not stats.mse < min(self._sampling.worse * best.mse, self._flat)

    def is_better(self, stats: Stats, best: Stats, age: int) -> bool:
        return stats.mse < best.mse

    def ends_with_best(self, stats: Stats, best: Stats) -> bool:
        return not stats.mse <= best.mse


def psnr_of(problem: Problem, stats: Stats) -> float:
    """Of the samples; minus infinity where the error is not a number."""
    return problem.psnr_db(stats.squared_error) if math.isfinite(stats.mse) else -math.inf


def sampled_lines(geometry: Geometry, n_pixels: int, rng: np.random.Generator) -> tuple[Places, Places]:
    """Rows and columns, one out of each of so many equal parts, that cross at about so many pixels."""
    share = min(1.0, math.sqrt(n_pixels / geometry.n_pixels))

    def places(n: int) -> Places:
        ends = np.arange(max(1, round(n * share)) + 1) * n // max(1, round(n * share))
        return ends[:-1] + rng.integers(0, np.diff(ends))

    return places(geometry.height), places(geometry.width)
