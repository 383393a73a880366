"""Many fits side by side: runs that differ in picture, transform and learning rate, one step of all at a time.

A program holds full-batch Adam fits of one field. `EngineProgram` steps the codec's engines one after the other;
`stacked.StackedSiren` puts all runs of a SIREN into batched matrix products.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.data.problems import random_weights
from benchmarks.paper.arms import Arm, psnr_of_mse
from benchmarks.paper.losses import EngineWithLoss, RoundedLoss
from nfcodec.fields import Field, Parameters
from nfcodec.fitting import TABLE_BOUND, Adam, Engine, Halt, Objective, Picture, Problem, Rates, Stats, engines
from nfcodec.raster import Raster
from nfcodec.transforms import Chain


@dataclass(frozen=True)
class Run:
    """One fit: a transformed picture and a learning rate."""

    arm: Arm
    rate: float


class Runs(ABC):
    """Runs by number; all have taken the same number of steps, except those left out on the way."""

    seconds: list[float]
    """Time spent on the steps of each run."""

    @abstractmethod
    def psnrs(self, alive: Sequence[int]) -> list[float]:
        """The PSNR in dB of each of these runs as it stands; computes their gradients as well."""

    @abstractmethod
    def update(self, alive: Sequence[int]) -> None:
        """Take the step of these runs, whose gradients `psnrs` has just computed. Others are not used again."""


class Program(Runs):
    """Runs of fits, which can be looked into."""

    @abstractmethod
    def parameters(self, run: int) -> Parameters:
        """A copy of a run's parameters."""

    @abstractmethod
    def restore(self, run: int, parameters: Parameters) -> None:
        """Set a run's parameters; it forgets its optimiser's state."""

    @abstractmethod
    def outputs(self, run: int) -> npt.NDArray[np.float32]:
        """A run's field values (n,) as it stands."""


@dataclass(frozen=True)
class RealProblem(Problem):
    """A problem with real targets (n, 1): no decoder will see it."""

    real_targets: npt.NDArray[np.float32]

    @property
    def targets(self) -> npt.NDArray[np.float32]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.real_targets

    @classmethod
    def square(cls, field: Field, side: int, targets: npt.NDArray[np.float64]) -> RealProblem:
        """Fit a field to numbers (side * side,)."""
        samples = np.zeros((side, side, 1), np.uint8)
        picture = Picture.of(Raster(samples), Chain.prepare([], samples))
        reals = targets[:, None].astype(np.float32)
        return cls(field, picture.geometry, picture.samples, picture.value_map, reals)


EXACT = Objective()
"""Plain 32-bit arithmetic."""


class EngineProgram(Program):
    """The codec's engines, in turn; each uses the threads that it would use in an encode.

    Args:
        table_bound: entries of Instant-NGP begin between this and its negative.
        loss: what is minimised in place of the squared error; None for this.
        ahead: whether engines that like to take several steps at once may be ahead of what was asked for; parameters
            and outputs are not to be asked for then.
    """

    def __init__(
        self,
        field: Field,
        side: int,
        runs: Sequence[Run],
        seed: int = 0,
        *,
        table_bound: float = TABLE_BOUND,
        objective: Objective = EXACT,
        loss: RoundedLoss | None = None,
        adam: Adam | None = None,
        engine: str = "numba",
        device: str = "cpu",
        ahead: bool = False,
    ) -> None:
        self._arms, self._rates = [run.arm for run in runs], [Rates(run.rate, run.rate) for run in runs]
        problems = [RealProblem.square(field, side, run.arm.targets) for run in runs]
        starts = [random_weights(field, each.geometry, seed, table_bound) for each in problems]
        made = [
            engines.create(engine, device, each, start, objective, seed)
            for each, start in zip(problems, starts, strict=True)
        ]
        for each in made:
            each.adam = adam or each.adam
        self._engines: list[Engine | EngineWithLoss] = [
            each if loss is None else EngineWithLoss(each, problem, objective, loss)
            for each, problem in zip(made, problems, strict=True)
        ]
        self._blocks = [
            each.block if ahead and run.arm.gain else 1 for each, run in zip(self._engines, runs, strict=True)
        ]
        self._ahead: list[list[Stats]] = [[] for _ in runs]
        self.seconds = [0.0] * len(runs)

    def psnrs(self, alive: Sequence[int]) -> list[float]:
        return [self._psnr(run) for run in alive]

    def _psnr(self, run: int) -> float:
        start = time.perf_counter()
        stats = self._ahead[run].pop(0) if self._ahead[run] else self._engines[run].gradient()
        arm = self._arms[run]
        self.seconds[run] += time.perf_counter() - start
        if not math.isfinite(stats.mse):
            return -math.inf
        if arm.gain is None:  # a pass more, just to know the PSNR: not on the clock
            return arm.psnr_db(self.outputs(run).astype(np.float64))
        return psnr_of_mse(stats.mse / arm.gain**2)

    def update(self, alive: Sequence[int]) -> None:
        for run in alive:
            start = time.perf_counter()
            engine, n = self._engines[run], self._blocks[run]
            if n == 1:
                engine.update(self._rates[run])
            elif not self._ahead[run]:
                self._ahead[run] = engine.advance([self._rates[run]] * n, Halt())
            self.seconds[run] += time.perf_counter() - start

    def parameters(self, run: int) -> Parameters:
        return self._engines[run].parameters()

    def restore(self, run: int, parameters: Parameters) -> None:
        self._engines[run].restore(parameters)

    def outputs(self, run: int) -> npt.NDArray[np.float32]:
        return self._engines[run].outputs()[:, 0]
