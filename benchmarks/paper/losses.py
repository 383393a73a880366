"""Losses other than the squared error, for all engines: no engine knows of them.

The gradient of an engine is that of the mean squared error between outputs and targets, 2 (output - target) / n at each
output. With targets `output - slope` it becomes 2 slope / n, for slopes of any loss. So a step takes the outputs first,
then moves the targets, and then takes the gradient: a pass over the picture more than with the squared error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.plain.losses import Loss
from nfcodec.fitting import Engine, Halt, Objective, Problem, Rates, Stats

Floats = npt.NDArray[np.float32]


def slopes_of(loss: Loss) -> Callable[[Floats, Floats], Floats]:
    """From outputs and targets (n, 1) to slopes (n, 1): the loss's derivative by each output, times n / 2."""

    def slopes(outputs: Floats, targets: Floats) -> Floats:
        leaf = torch.from_numpy(outputs[:, 0].copy()).requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf, torch.from_numpy(targets[:, 0].copy())), leaf)
        return (gradient * (len(outputs) / 2)).numpy()[:, None]

    return slopes


@dataclass(frozen=True)
class RoundedLoss:
    """A loss, and how outputs and slopes are rounded.

    Attributes:
        slopes: of the loss, as `slopes_of` gives them.
        half: outputs have 16 bits.
        quantum: slopes are rounded to multiples of it; 0 for none.
    """

    slopes: Callable[[Floats, Floats], Floats]
    half: bool = False
    quantum: float = 0.0

    def outputs(self, outputs: Floats) -> Floats:
        """As the loss sees them."""
        return outputs.astype(np.float16).astype(np.float32) if self.half else outputs

    def moved_targets(self, outputs: Floats, targets: Floats) -> Floats:
        """With which an engine's gradient at these outputs, not yet rounded, is that of the loss."""
        slopes = self.slopes(self.outputs(outputs), targets)
        if self.quantum:
            slopes = np.round(slopes / np.float32(self.quantum)) * np.float32(self.quantum)
        return outputs - slopes


class EngineWithLoss:
    """An engine that minimises another loss: what `EngineProgram` asks of engines, and nothing more.

    Args:
        objective: of the engine; its targets are replaced.
        loss: what is minimised in place of the squared error.
    """

    block = 1

    def __init__(self, engine: Engine, problem: Problem, objective: Objective, loss: RoundedLoss) -> None:
        self._engine, self._objective, self._loss = engine, objective, loss
        self._targets = problem.targets.copy()  # an engine may write its objective's targets over the problem's
        self._outputs: Floats | None = None

    def gradient(self) -> Stats:
        """The gradient of the loss; the statistics have the mean squared error, as it is without the loss."""
        outputs = self._raw_outputs()
        with np.errstate(all="ignore"):  # a run that has diverged says so by its error
            self._engine.set_objective(
                replace(self._objective, targets=self._loss.moved_targets(outputs, self._targets))
            )
            errors = self._loss.outputs(outputs) - self._targets
            mse = float(np.mean(np.square(errors, dtype=np.float64)))
        return replace(self._engine.gradient(), mse=mse)

    def update(self, rates: Rates) -> None:
        self._outputs = None
        self._engine.update(rates)

    def advance(self, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
        found: list[Stats] = []
        for each in rates:
            self.update(each)
            found.append(self.gradient())
            if halt.at(found[-1]):
                break
        return found

    def outputs(self) -> Floats:
        return self._loss.outputs(self._raw_outputs())

    def parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        return self._engine.parameters()

    def restore(self, parameters: dict[str, npt.NDArray[np.float32]]) -> None:
        self._outputs = None
        self._engine.restore(parameters)

    def _raw_outputs(self) -> Floats:
        if self._outputs is None:
            self._outputs = self._engine.outputs()
        return self._outputs
