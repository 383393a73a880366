"""What a fitting engine is. Engines only fit: the exact decoder alone defines what a file means.

Classes of engines are abstract or final: nothing that is implemented is overridden. An engine knows fields by their
counterparts alone (see its module), and what a counterpart cannot do, such as gradients of some pixels or bits of the
entries of its tables, the engine refuses with an EngineError.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nfcodec.exact.field import Parameters, Role, Tensor
from nfcodec.fitting.problem import Problem

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Objective:
    """What a fit minimises: MSE + rate_weight * bits a pixel, seen through the quantizer.

    Attributes:
        steps: quantizer step by tensor name, in the unit of the stored values; tensors without one stay real.
        rate_weight: lambda; 0 for no account of bits.
        softness: gradients see tables on the lattice through soft rounding with noise, from 0.35 (soft) to 0.08 (hard);
            0 is true rounding with straight-through gradients, which all other tensors with a step always get.
        real: tables are not rounded at all, and their steps only say what a symbol is, for the rate.
        half: the field sees all parameters rounded to binary16 (with straight-through gradients), as fields whose
            parameters have 16 bits do; steps are not used then.
        rate_model: what the field's counterpart knows of the bits of the tables' entries besides the entries
            themselves, in a class of the field's family; it is a constant to gradients. None where nothing is needed.
        targets: (H * W, C), what the outputs should be in place of the problem's targets; None for these.
        error_quantum: gradients see the errors of the outputs rounded to multiples of this, as where they are taken
            through numbers of few bits; 0 for none.
    """

    steps: Mapping[str, float] = field(default_factory=dict[str, float])
    rate_weight: float = 0.0
    softness: float = 0.0
    real: bool = False
    half: bool = False
    rate_model: object | None = None
    targets: npt.NDArray[np.float32] | None = None
    error_quantum: float = 0.0


@dataclass(frozen=True)
class Stats:
    """Of the current parameters over the full batch: mean squared error in the fitted domain, bits a pixel of the
    rate model (0 without one), and the sum of squared errors of the decoded samples."""

    mse: float
    bits_per_pixel: float
    squared_error: float


@dataclass(frozen=True)
class Halt:
    """When an engine that takes several steps at once must stop: at a goal, and at a spike (or no number at all).

    Attributes:
        squared_error: the goal, for the sum of squared errors of the decoded samples.
        mse: the mean squared error from which on it is a spike.
    """

    squared_error: float = -math.inf
    mse: float = math.inf

    def at(self, stats: Stats) -> bool:
        """Whether to stop here."""
        return stats.squared_error <= self.squared_error or not stats.mse < self.mse


@dataclass(frozen=True)
class Rates:
    """Learning rates, in real parameter units: of the tables and of everything else."""

    grid: float
    network: float


@dataclass(frozen=True)
class Adam:
    """Constants of the optimiser (Kingma & Ba 2015)."""

    beta_1: float = 0.9
    beta_2: float = 0.999
    eps: float = 1e-8


GRID_ADAM = Adam(beta_2=0.99, eps=1e-15)
"""Instant-NGP's (Mueller et al. 2022), for fields with tables."""


def adam_of(layout: Sequence[Tensor]) -> Adam:
    """The constants that suit a field."""
    return GRID_ADAM if any(tensor.role is Role.TABLE for tensor in layout) else Adam()


class Engine(ABC):
    """Holds parameters and optimiser state for one problem.

    Attributes:
        name: what `create` knows the engine by.
        block: steps that `advance` should be asked for at once; over 1 where waiting for each would take time.
        device: where it runs, "cpu" or "cuda".
        adam: what `update` uses; as `adam_of` has it, unless set before the first update.
    """

    name: ClassVar[str]
    block: ClassVar[int]
    device: str
    adam: Adam

    @abstractmethod
    def __init__(
        self, problem: Problem, parameters: Parameters, objective: Objective, seed: int, device: str
    ) -> None: ...

    @classmethod
    @abstractmethod
    def describe(cls) -> str:
        """Version, devices and abilities, for `nfcodec doctor`. Raises EngineError where the engine cannot run."""

    @abstractmethod
    def get_ready(self, notify: Callable[[str], object]) -> None:
        """What has to be done before the first step: kernels are compiled, and computations held against the reference.

        Args:
            notify: told what the user may want to know.

        Raises:
            EngineError: the engine cannot do what it is for.
        """

    @abstractmethod
    def gradient(self) -> Stats:
        """Compute the exact full-batch gradient at the current parameters, and their statistics."""

    @abstractmethod
    def sampled_gradient(self, rows: Places, cols: Places) -> Stats:
        """The gradient of the error over the pixels where these rows and columns cross, and its statistics.

        Args:
            rows, cols: places on the lattice, increasing.

        Raises:
            EngineError: the field's counterpart computes all pixels or none.
        """

    @abstractmethod
    def gradients(self) -> Parameters:
        """A copy of the gradient just computed."""

    @abstractmethod
    def update(self, rates: Rates) -> None:
        """One optimiser step with the gradient just computed."""

    @abstractmethod
    def advance(self, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
        """Steps with these rates, each an update with the gradient at hand and then the next gradient.

        Returns:
            The statistics after each update; the last ones halt, or all rates were used.
        """

    @abstractmethod
    def evaluate(self) -> Stats:
        """The statistics of the current parameters, without a gradient."""

    @abstractmethod
    def outputs(self) -> npt.NDArray[np.float32]:
        """The field's values (H * W, C) for the current parameters."""

    @abstractmethod
    def set_objective(self, objective: Objective) -> None:
        """Change what is minimised from the next `gradient` on.

        Raises EngineError if it has a rate and the field's counterpart has none.
        """

    @abstractmethod
    def parameters(self) -> Parameters:
        """A copy of the current parameters."""

    @abstractmethod
    def restore(self, parameters: Parameters) -> None:
        """Set the parameters and forget the optimiser's momentum."""


def gradient_seconds(engine: Engine) -> float:
    """How long a gradient takes, by computing one."""
    began = time.monotonic()
    engine.gradient()
    return time.monotonic() - began


def one_by_one(engine: Engine, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
    """`Engine.advance` for engines that take single steps."""
    seen: list[Stats] = []
    for each in rates:
        engine.update(each)
        seen.append(engine.gradient())
        if halt.at(seen[-1]):
            break
    return seen
