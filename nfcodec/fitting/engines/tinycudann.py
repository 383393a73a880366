"""The tinycudann engine: hashed `ngp` fields in tiny-cuda-nn's fused 16-bit kernels, on CUDA.

The kernels compute in 16 bits and the fit's parameters are kept in 32, as Instant-NGP does it. What comes out ends in
the same exact encoder as with every engine, so files do not depend on it.
"""

from __future__ import annotations

import importlib
import math
import weakref
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcodec.errors import EngineError
from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp import tinycudann as tcnn_layout
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fitting.engines.base import Engine, Objective, Stats
from nfcodec.fitting.engines.cuda.flat import FlatEngine, FlatField
from nfcodec.fitting.engines.self_check import check_against_reference
from nfcodec.fitting.problem import Problem

BAND_PIXELS = 1 << 20
"""Pixels in one call; a multiple of tiny-cuda-nn's granularity, 256, so that it pads the last call only."""

TOLERANCE, GRADIENT_TOLERANCE = 2e-2, 0.1
"""Allowed differences from the reference; 16 bits bring about 2e-3 to outputs, and sums over pixels in 16 bits more."""

FIRST_SCALE = 2.0**-6
"""Root mean square that derivatives by outputs are scaled to at first: 16-bit numbers end at 6e-8 and at 65504."""

MAX_BACKOFFS = 12


def describe() -> str:
    """Device and abilities, for `nfcodec doctor`. Raises EngineError where it cannot run."""
    module = _tinycudann()
    if not torch.cuda.is_available():
        raise EngineError("no CUDA device is available to torch")
    fused = "with" if _supports_jit(module) else "without"
    return f"tinycudann on cuda:0 ({torch.cuda.get_device_name(0)}), {fused} JIT fusion"


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
        raise EngineError("the engine 'tinycudann' runs on CUDA devices only")
    engine = TcnnEngine(problem, parameters, objective, seed)
    check(lambda small, start: TcnnEngine(small, start, Objective(), seed), problem)
    engine.evaluate()
    if _supports_jit(_tinycudann()) and not engine.jit_fusion:
        notify("tinycudann could not fuse its kernels for this field and takes the slower ones")
    return engine


def check(make: Callable[[Problem, Parameters], Engine], problem: Problem) -> None:
    """Raise EngineError unless engines that `make` makes compute what the reference computes."""
    check_against_reference(make, problem, TOLERANCE, GRADIENT_TOLERANCE)


def _tinycudann() -> Any:
    """The module, whose import fails in many ways: not installed, no device, built for another version."""
    try:
        return importlib.import_module("tinycudann")
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()
        raise EngineError(f"tinycudann cannot be imported: {reason[-1] if reason else type(error).__name__}") from error


def _supports_jit(module: Any) -> bool:
    """Version 2 and later may compile encoding and network into one kernel at run time."""
    return bool(getattr(module, "supports_jit_fusion", lambda: False)())


class TcnnEngine(FlatEngine):
    """Adam on the full batch, 32-bit parameters, 16-bit arithmetic."""

    name = "tinycudann"
    _field: TcnnField

    def __init__(
        self, problem: Problem, parameters: Parameters, objective: Objective, seed: int, device: str = "cuda"
    ) -> None:
        _tinycudann()
        if device == "cuda" and not torch.cuda.is_available():
            raise EngineError("no CUDA device is available to torch")
        super().__init__(problem, parameters, objective, device)

    def _make_field(self) -> FlatField:
        if not isinstance(self._problem.spec, Ngp):
            raise EngineError(f"tinycudann has no {self._problem.spec.name}")
        return TcnnField(self._problem.spec, self._problem.geometry, self._device)

    @property
    def jit_fusion(self) -> bool:
        """Whether the kernels are fused at run time; a failed attempt, in the first pass, turns it off."""
        return self._field.jit_fusion

    def gradient(self) -> Stats:
        for _ in range(MAX_BACKOFFS):
            stats = super().gradient()
            if bool(torch.isfinite(self._gradient).all()) or not math.isfinite(stats.mse):
                return stats
            self._field.scale /= 8
        raise EngineError("tinycudann's 16-bit gradients are not finite at any scale")


class TcnnField(FlatField):
    """A NetworkWithInputEncoding, whose `params` are the vector.

    Attributes:
        scale: that derivatives by outputs are multiplied with on their way through 16-bit numbers; 0 until the first.
    """

    def __init__(self, spec: Ngp, geometry: Geometry, device: torch.device) -> None:
        configuration, self._module = tcnn_layout.configuration(spec), _tinycudann()
        self._spec, self._geometry, self._device, self.scale = spec, geometry, device, 0.0
        self.size = tcnn_layout.size(spec, geometry.channels)
        n_grid = sum(tensor.size for tensor in spec.layout(geometry) if tensor.name.startswith("level"))
        self.grid = slice(self.size - n_grid, self.size)
        n = geometry.n_pixels
        self.bands = [slice(first, min(n, first + BAND_PIXELS)) for first in range(0, n, BAND_PIXELS)]
        try:
            self._model = self._module.NetworkWithInputEncoding(
                2, geometry.channels, configuration.encoding, configuration.network
            )
        except RuntimeError as error:
            raise EngineError(f"tinycudann refuses the field: {error}") from error
        if self._model.params.numel() != self.size:
            raise EngineError(f"tinycudann has {self._model.params.numel()} parameters, not {self.size}, for the field")
        if _supports_jit(self._module):
            self._model.jit_fusion = True
        weakref.finalize(self, getattr(self._module, "free_temporary_memory", lambda: None))
        self._out = torch.zeros(0)

    @property
    def jit_fusion(self) -> bool:
        """Whether the model's kernels are fused at run time."""
        return bool(getattr(self._model, "jit_fusion", False))

    def flatten(self, parameters: Parameters) -> npt.NDArray[np.float32]:
        return tcnn_layout.flatten(self._spec, self._geometry.channels, parameters)

    def unflatten(self, flat: npt.NDArray[np.float32]) -> Parameters:
        return tcnn_layout.unflatten(self._spec, self._geometry.channels, flat)

    def forward(self, flat: Tensor, band: slice, *, keep: bool) -> Tensor:
        with torch.no_grad():
            self._model.params.copy_(flat)
        with torch.set_grad_enabled(keep):
            self._out: Tensor = self._model(self._positions(band))
        return self._out.detach().float()

    def backward(self, slopes: Tensor, gradient: Tensor) -> None:
        if not self.scale:
            rms = float(slopes.square().mean().sqrt())
            self.scale = 2.0 ** round(math.log2(FIRST_SCALE / max(rms, 1e-30)))
        scaled = (slopes * self.scale).to(self._out.dtype)
        found = cast(Tensor, torch.autograd.grad(self._out, self._model.params, scaled)[0])
        gradient.add_(found.float(), alpha=1 / self.scale)

    def _positions(self, band: slice) -> Tensor:
        """Pixel centres (n, 2) in [0, 1]^2, x first, in raster order."""
        index = torch.arange(band.start, band.stop, device=self._device)
        height, width = self._geometry.height, self._geometry.width
        x, y = index % width, torch.div(index, width, rounding_mode="floor")
        return torch.stack([(x + 0.5) / width, (y + 0.5) / height], 1)
