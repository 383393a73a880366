"""What engines on a device have in common: one flat vector of parameters, Adam, and statistics that stay there.

How the vector is laid out and what a field makes of it is the business of the field's counterpart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from typing import Generic, TypeVar, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcodec.errors import EngineError
from nfcodec.exact.arithmetic import OUTPUT_UNIT
from nfcodec.exact.field import Parameters
from nfcodec.fitting.engines.base import Engine, Objective, Places, Rates, Stats, adam_of
from nfcodec.fitting.engines.cuda.fields import FlatField, Sampling
from nfcodec.fitting.engines.registry import counterpart
from nfcodec.fitting.problem import Problem

FieldT = TypeVar("FieldT", bound=FlatField)


class FlatEngine(Engine, Generic[FieldT]):
    """Adam on the full batch; one gradient or update at a time.

    Args:
        device: "auto" and "cuda" mean the CUDA device; on "cpu" the steps are the same, for tests.

    Raises:
        EngineError: there is no device.
    """

    def __init__(
        self, problem: Problem, parameters: Parameters, objective: Objective, seed: int, device: str = "cuda"
    ) -> None:
        self.device = "cuda" if device == "auto" else device
        if self.device != "cpu" and not torch.cuda.is_available():
            raise EngineError("no CUDA device is available to torch")
        self._device, self._problem = torch.device(self.device), problem
        self._objective: Objective = Objective()
        flat_field: type[FieldT] = counterpart(problem.field, self.name)
        self._field = field = flat_field(problem.field, problem.geometry, self._device)
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
        self.adam = adam_of(problem.field.layout(problem.geometry))
        self.set_objective(objective)
        self.restore(parameters)

    @final
    def restore(self, parameters: Parameters) -> None:
        self._flat.copy_(torch.from_numpy(self._field.flatten(parameters)))
        for state in self._optimizer.state.values() if self._optimizer else ():
            for value in state.values():
                value.zero_()

    @final
    def parameters(self) -> Parameters:
        return self._field.unflatten(self._flat.cpu().numpy())

    @final
    def gradients(self) -> Parameters:
        return self._field.unflatten(self._gradient.cpu().numpy())

    @final
    def set_objective(self, objective: Objective) -> None:
        if objective.rate_weight or objective.softness:
            raise EngineError(f"the engine {self.name!r} has no rate model")
        units = {tensor.name: tensor.unit for tensor in self._problem.field.layout(self._problem.geometry)}
        steps = {name: step / units[name] for name, step in objective.steps.items()}
        if objective.targets is not self._objective.targets:
            targets = self._problem.targets if objective.targets is None else objective.targets
            self._targets = torch.from_numpy(targets).to(self._device)
        self._objective, self._steps = objective, self._filled(steps) if steps else None

    def _filled(self, values: Mapping[str, float]) -> Tensor:
        """A vector (size,) of a value for each tensor; 0 for others."""
        layout = self._problem.field.layout(self._problem.geometry)
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

    @final
    def _full_gradient(self) -> Stats:
        """See `gradient`."""
        with arithmetic(fast=False):
            self._pass(differentiate=True)
        return self._stats()

    @final
    def sampled_gradient(self, rows: Places, cols: Places) -> Stats:
        if not isinstance(self._field, Sampling):
            field = type(self._problem.field).__name__
            raise EngineError(f"the engine {self.name!r} has no gradients of some pixels of a {field}")
        y, x = (torch.from_numpy(each).to(self._device) for each in (rows, cols))
        pixels = (y[:, None] * self._problem.geometry.width + x).reshape(-1)
        with arithmetic(fast=False):
            out = self._field.forward_at(self._seen(), y, x)
            errors = out - self._targets[pixels]
            self._sums[0], self._sums[1] = errors.square().sum(dtype=torch.float64), self._squared_error(out, pixels)
            self._gradient.zero_()
            self._field.backward(errors * (2 / errors.numel()), self._gradient)
        return self._stats_of(self._sums.cpu().numpy() * (self._targets.numel() / errors.numel()))

    @final
    def evaluate(self) -> Stats:
        with arithmetic(fast=False):
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

    @final
    def outputs(self) -> npt.NDArray[np.float32]:
        return np.concatenate([out.cpu().numpy() for out in self._outputs()])

    def _outputs(self) -> Iterator[Tensor]:
        seen = self._seen()
        for band in self._field.bands:
            yield self._field.forward(seen, band, keep=False)

    @final
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


@contextlib.contextmanager
def arithmetic(*, fast: bool) -> Generator[None, None, None]:
    """Matrix products in TF32, or in 32 bits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if fast else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
