"""What engines on a device have in common: one flat vector of parameters, Adam, and statistics that stay there.

How the vector is laid out and what a field makes of it is a `FlatField`'s business.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcodec.errors import EngineError
from nfcodec.exact.arithmetic import OUTPUT_UNIT
from nfcodec.exact.field import FieldSpec, Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.engines.base import GRID_ADAM, Adam, Engine, Objective, Places, Rates, Stats
from nfcodec.fitting.problem import Problem

BAND_FLOATS = 1 << 29
"""Numbers that a band's activations may have: 2 GiB. They bound memory, whatever the picture."""


class FlatField(ABC):
    """A field as a function of a flat vector, with the gradient.

    Attributes:
        size: length of the vector.
        grid: where the entries of grid levels stand; empty without levels.
        bands: how the pixels, in raster order, are cut into parts that fit into memory.
    """

    size: int
    grid: slice
    bands: list[slice]

    @abstractmethod
    def flatten(self, parameters: Parameters) -> npt.NDArray[np.float32]:
        """The vector for some parameters."""

    @abstractmethod
    def unflatten(self, flat: npt.NDArray[np.float32]) -> Parameters:
        """The parameters in a vector, by name; copies."""

    @abstractmethod
    def forward(self, flat: Tensor, band: slice, *, keep: bool) -> Tensor:
        """Outputs (n, C), float32, of a band; with `keep`, what `backward` needs is kept until then."""

    def forward_at(self, flat: Tensor, rows: Tensor, cols: Tensor) -> Tensor | None:
        """Outputs where rows and columns cross, kept as those of a band are; None where only bands will do."""
        return None

    @abstractmethod
    def backward(self, slopes: Tensor, gradient: Tensor) -> None:
        """Add to a vector (size,) the gradient of a loss whose derivatives by the last band's outputs are `slopes`."""


class InOrder(FlatField):
    """A field whose vector is its tensors one after the other, levels first.

    Args:
        floats: numbers a pixel that a band holds at a time.
    """

    def __init__(self, spec: FieldSpec, geometry: Geometry, floats: int) -> None:
        self._layout = spec.layout(geometry)
        self.size = sum(tensor.size for tensor in self._layout)
        self.grid = slice(0, sum(tensor.size for tensor in self._layout if tensor.name.startswith("level")))
        rows = max(1, BAND_FLOATS // (floats * geometry.width))
        self.bands = [
            slice(first * geometry.width, min(first + rows, geometry.height) * geometry.width)
            for first in range(0, geometry.height, rows)
        ]

    def flatten(self, parameters: Parameters) -> npt.NDArray[np.float32]:
        return np.concatenate([parameters[tensor.name].reshape(-1) for tensor in self._layout])

    def unflatten(self, flat: npt.NDArray[np.float32]) -> Parameters:
        return {name: part.copy() for name, part in self._split(flat)}

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """The tensors inside a vector."""
        return dict(self._split(flat))

    def _split(self, flat: Any) -> Iterator[tuple[str, Any]]:
        at = 0
        for tensor in self._layout:
            yield tensor.name, flat[at : at + tensor.size].reshape(tensor.shape)
            at += tensor.size


class FlatEngine(Engine):
    """Adam on the full batch; one gradient or update at a time."""

    def __init__(self, problem: Problem, parameters: Parameters, objective: Objective, device: str) -> None:
        self.device, self._device, self._problem = device, torch.device(device), problem
        self._field = field = self._make_field()
        self._targets = torch.from_numpy(problem.targets).to(self._device)
        self._samples = torch.from_numpy(problem.samples.astype(np.float32)).to(self._device)
        thresholds = (problem.value_map.thresholds * OUTPUT_UNIT).astype(np.float32)
        self._thresholds = torch.from_numpy(thresholds).to(self._device)
        self._sums = torch.zeros(2, dtype=torch.float64, device=self._device)
        """Of the last pass: squared errors of the outputs, and of the samples that they decode to."""
        self._flat, self._gradient = (torch.zeros(field.size, device=self._device) for _ in range(2))
        n_grid = field.grid.stop - field.grid.start
        network = slice(0, field.grid.start) if field.grid.start else slice(field.grid.stop, field.size)
        self._groups = {"network": network, **({"grid": field.grid} if n_grid else {})}
        self._rates = {name: torch.zeros((), device=self._device) for name in self._groups}
        self._frozen = torch.zeros((), device=self._device)
        """1 makes updates do nothing."""
        self._optimizer: torch.optim.Optimizer | None = None
        self.adam = GRID_ADAM if n_grid else Adam()
        self.set_objective(objective)
        self.restore(parameters)

    @abstractmethod
    def _make_field(self) -> FlatField: ...

    def restore(self, parameters: Parameters) -> None:
        self._flat.copy_(torch.from_numpy(self._field.flatten(parameters)))
        for state in self._optimizer.state.values() if self._optimizer else ():
            for value in state.values():
                value.zero_()

    def parameters(self) -> Parameters:
        return self._field.unflatten(self._flat.cpu().numpy())

    def gradients(self) -> Parameters:
        return self._field.unflatten(self._gradient.cpu().numpy())

    def set_objective(self, objective: Objective) -> None:
        if objective.rate_weight or objective.softness:
            raise EngineError(f"the engine {self.name!r} has no rate model")
        units = {tensor.name: tensor.unit for tensor in self._problem.spec.layout(self._problem.geometry)}
        steps = {name: step / units[name] for name, step in objective.steps.items()}
        self._objective, self._steps = objective, self._filled(steps) if steps else None

    def _filled(self, values: Mapping[str, float]) -> Tensor:
        """A vector (size,) of a value for each tensor; 0 for others."""
        layout = self._problem.spec.layout(self._problem.geometry)
        tensors = {tensor.name: np.full(tensor.shape, values.get(tensor.name, 0.0), np.float32) for tensor in layout}
        return torch.from_numpy(self._field.flatten(tensors)).to(self._device)

    def _seen(self) -> Tensor:
        """The parameters as the field sees them: rounded to 16 bits, or to their steps."""
        if self._objective.half:
            return self._flat.half().float()
        if self._steps is None:
            return self._flat
        safe = torch.where(self._steps > 0, self._steps, 1.0)
        return torch.where(self._steps > 0, torch.round(self._flat / safe) * safe, self._flat)

    def gradient(self) -> Stats:
        self._pass(differentiate=True)
        return self._stats()

    def sampled_gradient(self, rows: Places, cols: Places) -> Stats:
        y, x = (torch.from_numpy(each).to(self._device) for each in (rows, cols))
        out = self._field.forward_at(self._seen(), y, x)
        if out is None:
            return self.gradient()
        pixels = (y[:, None] * self._problem.geometry.width + x).reshape(-1)
        errors = out - self._targets[pixels]
        self._sums[0], self._sums[1] = errors.square().sum(dtype=torch.float64), self._squared_error(out, pixels)
        self._gradient.zero_()
        self._field.backward(errors * (2 / errors.numel()), self._gradient)
        return self._stats_of(self._sums.cpu().numpy() * (self._targets.numel() / errors.numel()))

    def evaluate(self) -> Stats:
        self._pass(differentiate=False)
        return self._stats()

    def _stats(self) -> Stats:
        """Of the last pass; waits for the device."""
        return self._stats_of(self._sums.cpu().numpy())

    def _stats_of(self, sums: npt.NDArray[np.float64]) -> Stats:
        return Stats(float(sums[0]) / self._targets.numel(), 0.0, float(sums[1]))

    def _pass(self, *, differentiate: bool) -> None:
        """Fill the sums and, if asked to, the gradient; the host does not wait. Raises EngineError without memory."""
        try:
            self._run_bands(differentiate=differentiate)
        except torch.cuda.OutOfMemoryError as error:
            raise EngineError(f"not enough memory on {self.device} for the fit") from error

    def _run_bands(self, *, differentiate: bool) -> None:
        seen = self._seen()
        self._sums.zero_()
        if differentiate:
            self._gradient.zero_()
        for band in self._field.bands:
            out = self._field.forward(seen, band, keep=differentiate)
            errors = out - self._targets[band]
            self._sums[0] += errors.square().sum(dtype=torch.float64)
            self._sums[1] += self._squared_error(out, band)
            if differentiate:
                quantum = self._objective.error_quantum
                errors = torch.round(errors / quantum) * quantum if quantum else errors
                self._field.backward(errors * (2 / self._targets.numel()), self._gradient)

    def _squared_error(self, out: Tensor, pixels: slice | Tensor) -> Tensor:
        """Sum of squared errors of the samples that the outputs decode to."""
        signed = out * self._problem.value_map.sign
        decoded = [
            torch.bucketize(column.contiguous(), row, right=True)
            for column, row in zip(signed.T, self._thresholds, strict=True)
        ]
        return (torch.stack(decoded, 1) - self._samples[pixels]).square().sum(dtype=torch.float64)

    def outputs(self) -> npt.NDArray[np.float32]:
        return np.concatenate([out.cpu().numpy() for out in self._outputs()])

    def _outputs(self) -> Iterator[Tensor]:
        seen = self._seen()
        for band in self._field.bands:
            yield self._field.forward(seen, band, keep=False)

    def update(self, rates: Rates) -> None:
        for name, rate in self._rates.items():
            rate.fill_(rates.grid if name == "grid" else rates.network)
        self._take_step()

    def _take_step(self) -> None:
        """Adam, with the rates on the device, unless frozen."""
        if self._optimizer is None:
            self._optimizer = self._new_optimizer()
        self._optimizer.step()

    def _new_optimizer(self) -> torch.optim.Optimizer:
        groups = [{"params": [self._flat[part]], "lr": self._rates[name]} for name, part in self._groups.items()]
        constants = (self.adam.beta_1, self.adam.beta_2)
        optimizer = torch.optim.Adam(groups, betas=constants, eps=self.adam.eps, fused=True, capturable=True)
        for group, part in zip(optimizer.param_groups, self._groups.values(), strict=True):
            group["params"][0].grad = self._gradient[part]
        optimizer.grad_scale, optimizer.found_inf = None, self._frozen  # pyright: ignore[reportAttributeAccessIssue]
        return optimizer
