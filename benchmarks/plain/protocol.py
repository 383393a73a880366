"""One fit in plain PyTorch, step by step: a field, an optimiser, a loss, and a stop.

transformed = arm("rpp", samples)
fitted = fit(transformed, Siren, Adam, rate=2**-9, stop=reached(50))
fitted.curve, transformed.picture(fitted.outputs)
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.paper.arms import Arm
from benchmarks.plain.field import Field
from benchmarks.plain.losses import Loss, l2
from benchmarks.plain.optimiser import Optimiser
from benchmarks.plain.stops import Stop, reached
from nfcodec.fields import Parameters

CHUNK_FLOATS = 1 << 25
"""Activations of a layer that are held at a time."""


@dataclass(frozen=True)
class Recipe:
    """What a fit is made of, but for the picture and the rate.

    Attributes:
        field, optimiser: the classes.
        loss: of outputs (n,) and targets (n,).
        width: of the field; None for its default.
    """

    field: type[Field]
    optimiser: type[Optimiser]
    loss: Loss = l2
    width: int | None = None


class PlainFit:
    """A field on its way to a transformed square.

    Args:
        seed: of the initial values.
        device: where torch computes.

    Attributes:
        field: as it stands.
        seconds: spent on gradients and steps.
    """

    def __init__(self, arm: Arm, recipe: Recipe, rate: float, seed: int = 0, device: str = "cpu") -> None:
        side = round(len(arm.targets) ** 0.5)
        width = recipe.field.default_width(side) if recipe.width is None else recipe.width
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.field = recipe.field(side, width).to(device)
        self._arm, self._recipe, self._rate = arm, recipe, rate
        self._targets = torch.from_numpy(arm.targets.astype(np.float32)).to(device)
        self._chunk = max(1, CHUNK_FLOATS // width)
        self._optimiser = recipe.optimiser(self.field, rate)
        self._loss, self.seconds = 0.0, 0.0

    def psnr_db(self) -> float:
        """Of the field as it stands; computes the gradient as well."""
        with self._on_the_clock():
            self.field.zero_grad()
            outputs = self._gradient().cpu().numpy()
        return self._arm.psnr_db(outputs)

    def update(self) -> None:
        """Take the step whose gradient `psnr_db` has just computed."""
        with self._on_the_clock():
            self._optimiser.step(self._loss)

    @torch.no_grad()
    def outputs(self) -> npt.NDArray[np.float32]:
        """The field's values (n,) as it stands."""
        return torch.cat([self.field(chunk)[:, 0] for chunk in self.field.places.split(self._chunk)]).cpu().numpy()

    def parameters(self) -> Parameters:
        """A copy of the field's parameters."""
        return {name: each.detach().cpu().numpy().copy() for name, each in self.field.named_parameters()}

    @torch.no_grad()
    def restore(self, parameters: Parameters) -> None:
        """Set the parameters; the optimiser begins anew."""
        for name, each in self.field.named_parameters():
            each.copy_(torch.from_numpy(parameters[name]))
        self._optimiser = self._recipe.optimiser(self.field, self._rate)

    def _gradient(self) -> Tensor:
        """Outputs (n,); where not all pixels fit into memory, they pass twice: for the loss, and for its gradient."""
        chunks = self.field.places.split(self._chunk)
        if len(chunks) == 1:
            outputs = self.field(chunks[0])[:, 0]
            self._backward(outputs)
            return outputs.detach()
        with torch.no_grad():
            outputs = torch.cat([self.field(chunk)[:, 0] for chunk in chunks])
        outputs.requires_grad_()
        self._backward(outputs)
        assert outputs.grad is not None
        for chunk, slopes in zip(chunks, outputs.grad.split(self._chunk), strict=True):
            self.field(chunk)[:, 0].backward(slopes)
        return outputs.detach()

    @contextmanager
    def _on_the_clock(self) -> Generator[None]:
        """Count the time.

        Numbers too small for a whole mantissa, which narrow wavelets make, would take processors many times as long,
        so they are taken for 0.
        """
        torch.set_flush_denormal(True)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start
            torch.set_flush_denormal(False)

    def _backward(self, outputs: Tensor) -> None:
        loss = self._recipe.loss(outputs, self._targets)
        loss.backward()
        self._loss = loss.item()


@dataclass(frozen=True)
class Fitted:
    """How a fit ended.

    Attributes:
        curve: PSNRs in dB before each step and after the last one.
        outputs: (n,) values of the field, for `Arm.picture`.
        seconds: spent on gradients and steps.
        field: as it is now.
    """

    curve: list[float]
    outputs: npt.NDArray[np.float32]
    seconds: float
    field: Field

    @property
    def steps(self) -> int:
        """How many were taken."""
        return len(self.curve) - 1


_TO_50_DB = reached(50.0)


def fit(
    arm: Arm, field: type[Field], optimiser: type[Optimiser], *, rate: float, loss: Loss = l2, stop: Stop = _TO_50_DB,
    width: int | None = None, seed: int = 0, device: str = "cpu",
) -> Fitted:  # fmt: skip
    """Fit a transformed square picture until `stop` says that it is enough."""
    running = PlainFit(arm, Recipe(field, optimiser, loss, width), rate, seed, device)
    curve = [running.psnr_db()]
    while not stop(curve):
        running.update()
        curve.append(running.psnr_db())
    return Fitted(curve, running.outputs(), running.seconds, running.field)
