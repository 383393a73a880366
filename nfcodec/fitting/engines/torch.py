"""The torch engine: any field, on the CPU or on CUDA; exact full-batch gradients accumulated over bands of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcodec.errors import EngineError
from nfcodec.exact.arithmetic import OUTPUT_UNIT
from nfcodec.exact.field import Parameters, Role
from nfcodec.fitting.engines.base import Engine, Halt, Objective, Places, Rates, Stats, adam_of, one_by_one
from nfcodec.fitting.engines.registry import counterpart
from nfcodec.fitting.engines.torch_fields import Band, Rating, Sampling, TorchField
from nfcodec.fitting.problem import Problem

BAND_PIXELS = 1 << 16
BAND_FLOATS = 1 << 22
"""Bounds on a band: its pixels, and its pixels times the widest layer. They bound memory, whatever the picture."""

SMALL_FLOATS = 1 << 18
"""A picture with fewer numbers a layer is fitted on one thread: waiting for others would take longer."""


@final
class TorchEngine(Engine):
    """Adam on the full batch. A field's counterpart is a `TorchField`.

    Args:
        device: "auto" takes a CUDA device if there is one.

    Raises:
        EngineError: there is no such device.
    """

    name: ClassVar[str] = "torch"
    block: ClassVar[int] = 1

    def __init__(
        self, problem: Problem, parameters: Parameters, objective: Objective, seed: int, device: str = "cpu"
    ) -> None:
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise EngineError("no CUDA device is available to torch")
        self.device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        self._problem, self._device = problem, torch.device(self.device)
        self._objective: Objective = Objective()
        self._layout = {tensor.name: tensor for tensor in problem.field.layout(problem.geometry)}
        torch_field: type[TorchField] = counterpart(problem.field, self.name)
        self._field = torch_field(problem.field, problem.geometry, self._device)
        self._targets = torch.from_numpy(problem.targets).to(self._device)
        self._samples = torch.from_numpy(problem.samples.astype(np.float32)).to(self._device)
        thresholds = problem.value_map.thresholds
        self._thresholds = torch.from_numpy((thresholds * OUTPUT_UNIT).astype(np.float32)).to(self._device)
        spacing = (thresholds[:, -1:] - thresholds[:, :1]) / (problem.peak - 1)
        self._is_affine = bool(np.all(np.abs(np.diff(thresholds, axis=1) - spacing) <= 1))
        self._parameters = {
            name: torch.from_numpy(np.array(value)).to(self._device) for name, value in parameters.items()
        }
        self._gradients = {name: torch.zeros_like(value) for name, value in self._parameters.items()}
        self._generator = torch.Generator(self._device).manual_seed(seed)
        self.set_objective(objective)
        self._optimizer = self._new_optimizer()
        self.adam = adam_of(list(self._layout.values()))
        rows = max(1, min(BAND_PIXELS, BAND_FLOATS // self._widest()) // problem.geometry.width)
        self._bands = [
            Band(start, min(start + rows, problem.geometry.height)) for start in range(0, problem.geometry.height, rows)
        ]

    @classmethod
    def describe(cls) -> str:
        devices = ["cpu"] + [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
        return f"torch {torch.__version__} on {', '.join(devices)}"

    def get_ready(self, notify: Callable[[str], object]) -> None:
        """There is nothing to do: this is the reference."""

    def _widest(self) -> int:
        """Numbers a pixel in the widest matrix product."""
        return max([1, *(max(each.shape) for each in self._layout.values() if each.role is not Role.TABLE)])

    def _new_optimizer(self) -> torch.optim.Optimizer:
        grid = [value for name, value in self._parameters.items() if self._layout[name].role is Role.TABLE]
        network = [value for name, value in self._parameters.items() if self._layout[name].role is not Role.TABLE]
        groups = [{"params": group, "is_grid": group is grid} for group in (grid, network) if group]
        return torch.optim.Adam(groups, lr=1e-3, fused=True)

    def gradient(self) -> Stats:
        for gradient in self._gradients.values():
            gradient.zero_()
        return self._run(differentiate=True)

    def sampled_gradient(self, rows: Places, cols: Places) -> Stats:
        if not isinstance(self._field, Sampling):
            field = type(self._problem.field).__name__
            raise EngineError(f"the engine {self.name!r} has no gradients of some pixels of a {field}")
        y, x = (torch.from_numpy(each).to(self._device) for each in (rows, cols))
        pixels = (y[:, None] * self._problem.geometry.width + x).reshape(-1)
        leaves = {name: value.detach().requires_grad_() for name, value in self._parameters.items()}
        out = self._field.at({name: self._quantized(name, leaf, training=True) for name, leaf in leaves.items()}, y, x)
        mse = (out - self._targets[pixels]).square().mean()
        for name, gradient in zip(leaves, torch.autograd.grad(mse, list(leaves.values())), strict=True):
            self._gradients[name].copy_(gradient)
        squared_error = float(self._squared_error(out.detach(), pixels)) * self._targets.numel() / out.numel()
        return Stats(float(mse.detach()), 0.0, squared_error)

    def advance(self, rates: Sequence[Rates], halt: Halt) -> list[Stats]:
        return one_by_one(self, rates, halt)

    def gradients(self) -> Parameters:
        return {name: value.cpu().numpy().copy() for name, value in self._gradients.items()}

    def evaluate(self) -> Stats:
        return self._run(differentiate=False)

    @torch.no_grad()
    def outputs(self) -> npt.NDArray[np.float32]:
        width = self._problem.geometry.width
        out = np.empty(self._problem.targets.shape, np.float32)
        for band in self._bands:
            used = {name: self._field.rows_used(name, band) for name in self._parameters}
            seen = {
                name: self._quantized(name, value if used[name] is None else value[used[name]], training=False)
                for name, value in self._parameters.items()
            }
            out[band.start * width : band.stop * width] = self._field(seen, band).cpu().numpy()
        return out

    def _run(self, *, differentiate: bool) -> Stats:
        threads = torch.get_num_threads()
        if self._problem.geometry.n_pixels * self._widest() < SMALL_FLOATS:
            torch.set_num_threads(1)
        try:
            return self._run_bands(differentiate=differentiate)
        finally:
            torch.set_num_threads(threads)

    def _run_bands(self, *, differentiate: bool) -> Stats:
        n_pixels, width = self._problem.geometry.n_pixels, self._problem.geometry.width
        sums = torch.zeros(3, dtype=torch.float64, device=self._device)  # stays there, so the host need not wait
        for band in self._bands:
            pixels = slice(band.start * width, band.stop * width)
            slices = {name: self._field.rows_used(name, band) for name in self._parameters}
            leaves = {
                name: (value if slices[name] is None else value[slices[name]]).detach()
                for name, value in self._parameters.items()
            }
            with torch.set_grad_enabled(differentiate):
                if differentiate:
                    for leaf in leaves.values():
                        leaf.requires_grad_()
                seen = {name: self._quantized(name, leaf, training=differentiate) for name, leaf in leaves.items()}
                out = self._field(seen, band)
                error = (out - self._targets[pixels]).square().sum()
                bits = self._bits(seen, band)
                loss = (
                    self._seen_error(out, error, pixels) / self._targets.numel()
                    + self._objective.rate_weight * bits / n_pixels
                )
            if differentiate:
                gradients = torch.autograd.grad(loss, list(leaves.values()))
                for name, gradient in zip(leaves, gradients, strict=True):
                    whole, used = self._gradients[name], slices[name]
                    (whole if used is None else whole[used]).add_(gradient)
            sums[0] += error.detach()
            sums[1] += bits.detach()
            sums[2] += self._squared_error(out.detach(), pixels)
        error, bits, squared_error = (float(each) for each in sums.cpu())
        return Stats(error / self._targets.numel(), bits / n_pixels, squared_error)

    def _seen_error(self, out: Tensor, error: Tensor, pixels: slice) -> Tensor:
        """The squared error, or what has the gradient of rounded errors."""
        quantum = self._objective.error_quantum
        if quantum == 0:
            return error
        errors = (out.detach() - self._targets[pixels]) / quantum
        return (2 * quantum * torch.round(errors) * out).sum()

    def _squared_error(self, out: Tensor, pixels: slice | Tensor) -> Tensor:
        """Sum of squared errors of the samples that the outputs decode to."""
        out, thresholds = out * self._problem.value_map.sign, self._thresholds
        if self._is_affine:  # the same as a search among thresholds, and much faster
            first, spacing = thresholds[:, 0], (thresholds[:, -1] - thresholds[:, 0]) / (thresholds.shape[1] - 1)
            decoded = out.sub(first).div_(spacing).floor_().add_(1).clamp_(0, self._problem.peak)
        else:
            columns = (
                torch.bucketize(x.contiguous(), row, right=True) for x, row in zip(out.T, thresholds, strict=True)
            )
            decoded = torch.stack(list(columns), 1)
        return (decoded - self._samples[pixels]).square().sum(dtype=torch.float64)

    def _quantized(self, name: str, leaf: Tensor, *, training: bool) -> Tensor:
        """The tensor as the field sees it: rounded to its step, or with noise in place of rounding."""
        if self._objective.half:
            return leaf + (leaf.half().float() - leaf).detach()
        step = self._objective.steps.get(name)
        is_table = self._layout[name].role is Role.TABLE
        if step is None or (is_table and self._objective.real):
            return leaf
        step /= self._layout[name].unit
        softness = self._objective.softness
        if training and softness > 0 and is_table:
            noise = torch.randn(leaf.shape, generator=self._generator, device=self._device)
            symbols = _soft_round(_soft_round(leaf / step, softness) + (0.07 + 0.43 * softness) * noise, softness)
            return symbols * step
        return leaf + (torch.round(leaf / step) * step - leaf).detach()

    def _bits(self, seen: dict[str, Tensor], band: Band) -> Tensor:
        """Bits of the entries of tables in a band; 0 without a rate."""
        objective = self._objective
        if objective.rate_weight > 0 and isinstance(self._field, Rating):
            return self._field.bits(seen, objective.steps, band, objective.rate_model)
        return torch.zeros((), device=self._device)

    def update(self, rates: Rates) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rates.grid if group["is_grid"] else rates.network
            group["betas"], group["eps"] = (self.adam.beta_1, self.adam.beta_2), self.adam.eps
        for name, value in self._parameters.items():
            value.grad = self._gradients[name]
        self._optimizer.step()

    def set_objective(self, objective: Objective) -> None:
        if objective.rate_weight > 0 and not isinstance(self._field, Rating):
            raise EngineError(f"a {type(self._problem.field).__name__} has no rate in the engine {self.name!r}")
        if objective.targets is not self._objective.targets:
            targets = self._problem.targets if objective.targets is None else objective.targets
            self._targets = torch.from_numpy(targets).to(self._device)
        self._objective = objective

    def parameters(self) -> Parameters:
        return {name: value.detach().cpu().numpy().copy() for name, value in self._parameters.items()}

    def restore(self, parameters: Parameters) -> None:
        for name, value in self._parameters.items():
            value.copy_(torch.from_numpy(parameters[name]))
        self._optimizer = self._new_optimizer()


def _soft_round(x: Tensor, softness: float) -> Tensor:
    """A differentiable rounding: the identity for large `softness`, rounding for small."""
    middle = torch.floor(x) + 0.5
    return middle + torch.tanh((x - middle) / softness) / (2 * math.tanh(0.5 / softness))
