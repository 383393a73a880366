"""The tinycudann engine: hashed `ngp` fields in tiny-cuda-nn's fused 16-bit kernels, on CUDA.

The kernels compute in 16 bits and the fit's parameters are kept in 32, as Instant-NGP does it. What comes out ends in the
same exact encoder as with every engine, so files do not depend on it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcodec.errors import EngineError
from nfcodec.fields import Geometry, Ngp, Parameters
from nfcodec.fitting.engines import tcnn_layout
from nfcodec.fitting.engines.base import GRID_ADAM, Engine, Objective, Rates, Stats
from nfcodec.fitting.engines.torch_fields import Band, torch_field
from nfcodec.fitting.problem import OUTPUT_UNIT, Problem

CHUNK_PIXELS = 1 << 20
"""Pixels in one call; a multiple of tiny-cuda-nn's granularity."""

CHECKED_PIXELS = 1 << 12
TOLERANCE = 2e-2
"""Allowed difference from the reference, relative to outputs over 1; 16 bits bring about 2e-3."""

FIRST_SCALE = 2.0**-6
"""Root mean square that gradients of outputs are scaled to at first: 16-bit numbers end at 6e-8 and at 65504."""

MAX_BACKOFFS = 12


def describe() -> str:
    """Version and devices, for `nfcodec doctor`. Raises EngineError where it cannot run."""
    module = _tinycudann()
    if not torch.cuda.is_available():
        raise EngineError("no CUDA device is available to torch")
    version = getattr(module, "__version__", "of unknown version")
    return f"tinycudann {version} on cuda:0 ({torch.cuda.get_device_name(0)})"


def create(
    device: str,
    problem: Problem,
    parameters: Parameters,
    objective: Objective,
    seed: int,
    notify: Callable[[str], object] = lambda message: None,
) -> Engine:
    """Make the engine on "auto" or "cuda".

    Raises:
        EngineError: there is no tinycudann or no device, the field is not one of tiny-cuda-nn's, or what it computes is
            not what our reference computes.
    """
    if device == "cpu":
        raise EngineError("tinycudann runs on CUDA devices only")
    engine = TcnnEngine(problem, parameters, objective, seed)
    engine.check()
    return engine


def _tinycudann() -> Any:
    """The module, whose import fails in many ways: not installed, no device, built for another version."""
    try:
        return importlib.import_module("tinycudann")
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()
        raise EngineError(f"tinycudann cannot be imported: {reason[-1] if reason else type(error).__name__}") from error


class TcnnEngine(Engine):
    """Adam on the full batch, 32-bit parameters, 16-bit arithmetic."""

    name = "tinycudann"

    def __init__(
        self, problem: Problem, parameters: Parameters, objective: Objective, seed: int, device: str = "cuda"
    ) -> None:
        spec = problem.spec
        if not isinstance(spec, Ngp):
            raise EngineError(f"tinycudann has no {spec.name}")
        configuration, module = tcnn_layout.configuration(spec), _tinycudann()
        if device == "cuda" and not torch.cuda.is_available():
            raise EngineError("no CUDA device is available to torch")
        self.device, self._device, self._problem, self._spec = device, torch.device(device), problem, spec
        self._channels = problem.geometry.channels
        try:
            self._model = module.NetworkWithInputEncoding(
                2, self._channels, configuration.encoding, configuration.network, seed=seed & 0x7FFFFFFF
            )
        except RuntimeError as error:
            raise EngineError(f"tinycudann refuses the field: {error}") from error
        expected = tcnn_layout.size(spec, self._channels)
        if self._model.params.numel() != expected:
            raise EngineError(f"tinycudann has {self._model.params.numel()} parameters, not {expected}, for the field")
        self._n_grid = sum(value.size for name, value in parameters.items() if name.startswith("level"))
        self._targets = torch.from_numpy(problem.targets).to(self._device)
        self._samples = torch.from_numpy(problem.samples.astype(np.float32)).to(self._device)
        thresholds = (problem.value_map.thresholds * OUTPUT_UNIT).astype(np.float32)
        self._thresholds = torch.from_numpy(thresholds).to(self._device)
        self._scale = 0.0
        self.adam = GRID_ADAM
        self.set_objective(objective)
        self.restore(parameters)

    def restore(self, parameters: Parameters) -> None:
        flat = tcnn_layout.flatten(self._spec, self._channels, parameters)
        self._flat = torch.from_numpy(flat).to(self._device)
        self._gradient, self._mean, self._square = (torch.zeros_like(self._flat) for _ in range(3))
        self._updates = 0

    def parameters(self) -> Parameters:
        return tcnn_layout.unflatten(self._spec, self._channels, self._flat.cpu().numpy())

    def gradients(self) -> Parameters:
        return tcnn_layout.unflatten(self._spec, self._channels, self._gradient.cpu().numpy())

    def set_objective(self, objective: Objective) -> None:
        if objective.rate_weight or objective.softness:
            raise EngineError("tinycudann's fields have no rate model")
        layout = self._spec.layout(self._problem.geometry)
        steps = {
            tensor.name: np.full(tensor.shape, objective.steps.get(tensor.name, 0.0) / tensor.unit, np.float32)
            for tensor in layout
        }
        flat = torch.from_numpy(tcnn_layout.flatten(self._spec, self._channels, steps))
        self._objective, self._steps = objective, flat.to(self._device) if objective.steps else None

    def _seen(self) -> Tensor:
        """The parameters, rounded to their steps."""
        if self._steps is None:
            return self._flat
        safe = torch.where(self._steps > 0, self._steps, 1.0)
        return torch.where(self._steps > 0, torch.round(self._flat / safe) * safe, self._flat)

    def gradient(self) -> Stats:
        for _ in range(MAX_BACKOFFS):
            self._gradient.zero_()
            stats = self._run(differentiate=True)
            if bool(torch.isfinite(self._gradient).all()):
                return stats
            self._scale /= 8
        raise EngineError("tinycudann's 16-bit gradients are not finite at any scale")

    def evaluate(self) -> Stats:
        return self._run(differentiate=False)

    def _run(self, *, differentiate: bool) -> Stats:
        seen = self._seen().detach().requires_grad_(differentiate)
        mse, squared_error = (torch.zeros((), dtype=torch.float64, device=self._device) for _ in range(2))
        n_values = self._targets.numel()
        for pixels in self._chunks():
            with torch.set_grad_enabled(differentiate):
                out = torch.func.functional_call(self._model, {"params": seen}, (self._positions(pixels),))
            values = out.detach().float()
            errors = values - self._targets[pixels]
            mse += errors.square().sum(dtype=torch.float64)
            squared_error += self._squared_error(values, pixels)
            if differentiate:
                if not self._scale:
                    rms = float(errors.square().mean().sqrt()) * 2 / n_values
                    self._scale = 2.0 ** round(np.log2(FIRST_SCALE / max(rms, 1e-30)))
                quantum = self._objective.error_quantum
                errors = torch.round(errors / quantum) * quantum if quantum else errors
                (gradient,) = torch.autograd.grad(out, seen, (errors * (2 * self._scale / n_values)).to(out.dtype))
                self._gradient += gradient.float() / self._scale
        return Stats(float(mse) / n_values, 0.0, float(squared_error))

    def _squared_error(self, values: Tensor, pixels: slice) -> Tensor:
        """Sum of squared errors of the samples that the outputs decode to."""
        signed = values * self._problem.value_map.sign
        decoded = [
            torch.bucketize(column.contiguous(), row, right=True)
            for column, row in zip(signed.T, self._thresholds, strict=True)
        ]
        return (torch.stack(decoded, 1) - self._samples[pixels]).square().sum(dtype=torch.float64)

    @torch.no_grad()
    def update(self, rates: Rates) -> None:
        adam, gradient = self.adam, self._gradient
        self._updates += 1
        self._mean.lerp_(gradient, 1 - adam.beta_1)
        self._square.mul_(adam.beta_2).addcmul_(gradient, gradient, value=1 - adam.beta_2)
        root = self._square.sqrt().div_((1 - adam.beta_2**self._updates) ** 0.5).add_(adam.eps)
        step = self._mean / root / (1 - adam.beta_1**self._updates)
        n_network = self._flat.numel() - self._n_grid
        self._flat[:n_network] -= rates.network * step[:n_network]
        self._flat[n_network:] -= rates.grid * step[n_network:]

    @torch.no_grad()
    def outputs(self) -> npt.NDArray[np.float32]:
        seen = self._seen()
        calls = (
            torch.func.functional_call(self._model, {"params": seen}, (self._positions(pixels),))
            for pixels in self._chunks()
        )
        return np.concatenate([out.float().cpu().numpy() for out in calls])

    def check(self) -> None:
        """Raise EngineError unless outputs agree with those of the torch reference on some rows."""
        geometry = self._problem.geometry
        rows = min(geometry.height, -(-CHECKED_PIXELS // geometry.width))
        start = (geometry.height - rows) // 2
        band = Band(start, start + rows)
        reference = torch_field(self._spec, geometry, torch.device("cpu"))
        tensors = {name: torch.from_numpy(value) for name, value in self.parameters().items()}
        expected = reference(tensors, band).numpy()
        found = self.outputs()[start * geometry.width : (start + rows) * geometry.width]
        worst = float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))))
        if not worst <= TOLERANCE:
            raise EngineError(f"tinycudann's outputs differ from the reference by up to {worst:.2g}")

    def _chunks(self) -> list[slice]:
        n = self._problem.geometry.n_pixels
        return [slice(first, min(n, first + CHUNK_PIXELS)) for first in range(0, n, CHUNK_PIXELS)]

    def _positions(self, pixels: slice) -> Tensor:
        """Pixel centres in [0, 1]^2, x first."""
        return positions(self._problem.geometry, pixels, self._device)


def positions(geometry: Geometry, pixels: slice, device: torch.device) -> Tensor:
    """Centres (n, 2) of pixels in raster order: x = (column + 1/2) / W, y = (row + 1/2) / H."""
    index = torch.arange(pixels.start, pixels.stop, device=device)
    x, y = index % geometry.width, torch.div(index, geometry.width, rounding_mode="floor")
    return torch.stack([(x + 0.5) / geometry.width, (y + 0.5) / geometry.height], 1)
