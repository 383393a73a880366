"""Instant-NGP in tiny-cuda-nn's terms and back: configurations, one flat vector of parameters, and the counterpart.

tiny-cuda-nn (its PyTorch binding, NetworkWithInputEncoding, version 1.6 or later) keeps the network's matrices first,
row-major (out, in), inputs and outputs padded to multiples of 16 and without biases, then the grid levels one after the
other, all features of an entry together. Padding rows and columns are zero here, and have no effect there.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcodec.errors import EngineError, UsageError
from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel, hash_levels
from nfcodec.fitting.engines.tinycudann import Binding, TcnnModel
from nfcodec.fitting.starts import rough_start

BAND_PIXELS = 1 << 20
"""Pixels in one call; a multiple of tiny-cuda-nn's granularity, 256, so that it pads the last call only."""

FIRST_SCALE = 2.0**-6
"""Root mean square that derivatives by outputs are scaled to at first: 16-bit numbers end at 6e-8 and at 65504."""

PADDING = 16

FUSED_WIDTHS = (16, 32, 64, 128)
"""Hidden layers for which tiny-cuda-nn has a fully fused network; others take its CUTLASS network."""

NEARBY = 64
"""Neighbouring float32 numbers that are tried for a growth factor, in each direction."""


@dataclass(frozen=True)
class Configuration:
    """What tiny-cuda-nn's constructor is given."""

    encoding: dict[str, Any]
    network: dict[str, Any]


def configuration(field: Ngp) -> Configuration:
    """The configuration whose encoding and network are exactly those of a field.

    Raises:
        EngineError: tiny-cuda-nn has no such field (hidden layers of different or odd widths, levels that no growth
            factor gives).
    """
    if len(set(field.hidden)) > 1 or field.hidden[0] % PADDING:
        raise EngineError("tiny-cuda-nn's hidden layers have one width, a multiple of 16")
    encoding = {
        "otype": "Grid", "type": "Hash", "interpolation": "Linear", "n_levels": len(field.levels),
        "n_features_per_level": field.levels[0].features, **_growth(field.levels),
    }  # fmt: skip
    kind = "FullyFusedMLP" if field.hidden[0] in FUSED_WIDTHS else "CutlassMLP"
    network = {
        "otype": kind, "activation": "ReLU", "output_activation": "None", "n_neurons": field.hidden[0],
        "n_hidden_layers": len(field.hidden),
    }  # fmt: skip
    return Configuration(encoding, network)


def _growth(levels: tuple[HashLevel, ...]) -> dict[str, Any]:
    """Base resolution, growth factor and table size that give exactly these levels."""
    base = round(levels[0].scale) + 1
    log2_size = max(1, math.ceil(math.log2(max(level.size for level in levels))))
    last = len(levels) - 1
    growth = np.float32(2.0 if last == 0 else ((levels[-1].scale + 1) / base) ** (1 / last))
    for candidate in _around(growth):
        try:
            if hash_levels(len(levels), levels[0].features, log2_size, base, candidate) == levels:
                return {"base_resolution": base, "per_level_scale": candidate, "log2_hashmap_size": log2_size}
        except UsageError:
            continue
    raise EngineError("tiny-cuda-nn has no growth factor and table size that give these levels")


def _around(value: np.float32) -> Iterator[float]:
    """A float32 and its neighbours, nearest first."""
    below = above = value
    yield float(value)
    for _ in range(NEARBY):
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(np.inf))
        yield float(below)
        yield float(above)


def size(field: Ngp, channels: int) -> int:
    """Length of the flat vector."""
    rows = sum(a * b for a, b in _padded_shapes(field, channels))
    return rows + sum(level.size * level.features for level in field.levels)


def flatten(field: Ngp, channels: int, parameters: Parameters) -> npt.NDArray[np.float32]:
    """The flat vector of some parameters; zero where tiny-cuda-nn pads."""
    parts: list[npt.NDArray[np.float32]] = []
    for i, (rows, cols) in enumerate(_padded_shapes(field, channels)):
        matrix, weight = np.zeros((rows, cols), np.float32), parameters[f"weight{i}"]
        matrix[: weight.shape[0], : weight.shape[1]] = weight
        parts.append(matrix.reshape(-1))
    parts += [parameters[f"level{i}"].reshape(-1) for i in range(len(field.levels))]
    return np.concatenate(parts)


def unflatten(field: Ngp, channels: int, flat: npt.NDArray[np.float32]) -> Parameters:
    """The parameters in a flat vector, by name, in the layout's shapes and order; copies."""
    found: Parameters = {}
    at = 0
    widths = [field.encoding_size, *field.hidden, channels]
    for i, ((rows, cols), (n_in, n_out)) in enumerate(
        zip(_padded_shapes(field, channels), pairwise(widths), strict=True)
    ):
        found[f"weight{i}"] = flat[at : at + rows * cols].reshape(rows, cols)[:n_out, :n_in].copy()
        at += rows * cols
    levels: Parameters = {}
    for i, level in enumerate(field.levels):
        n = level.size * level.features
        levels[f"level{i}"] = flat[at : at + n].reshape(level.size, level.features).copy()
        at += n
    return {**levels, **found}


def _padded_shapes(field: Ngp, channels: int) -> list[tuple[int, int]]:
    """(out, in) of the matrices as tiny-cuda-nn stores them."""
    widths = [_up(field.encoding_size), *field.hidden, _up(channels)]
    return [(n_out, n_in) for n_in, n_out in pairwise(widths)]


def _up(n: int) -> int:
    return -(-n // PADDING) * PADDING


class TcnnField(TcnnModel):
    """A NetworkWithInputEncoding, whose `params` are the vector."""

    def __init__(self, field: Ngp, geometry: Geometry, device: torch.device) -> None:
        binding, found = Binding(), configuration(field)
        self._ngp, self._geometry, self._device, self.scale = field, geometry, device, 0.0
        self.size = size(field, geometry.channels)
        self.grid = slice(self.size - sum(level.size * level.features for level in field.levels), self.size)
        n = geometry.n_pixels
        self.bands = [slice(first, min(n, first + BAND_PIXELS)) for first in range(0, n, BAND_PIXELS)]
        try:
            self._model = binding.model(2, geometry.channels, found.encoding, found.network)
        except RuntimeError as error:
            raise EngineError(f"tinycudann refuses the field: {error}") from error
        if self._model.params.numel() != self.size:
            raise EngineError(f"tinycudann has {self._model.params.numel()} parameters, not {self.size}, for the field")
        self._fuses = binding.fuses
        if binding.fuses:
            self._model.jit_fusion = True
        weakref.finalize(self, binding.free_temporary_memory)
        self._out = torch.zeros(0)

    @property
    def jit_fusion(self) -> bool:
        return self._fuses and bool(self._model.jit_fusion)

    def example(self, geometry: Geometry) -> Parameters:
        return rough_start(self._ngp.layout(geometry), 0)

    def flatten(self, parameters: Parameters) -> npt.NDArray[np.float32]:
        return flatten(self._ngp, self._geometry.channels, parameters)

    def unflatten(self, flat: npt.NDArray[np.float32]) -> Parameters:
        return unflatten(self._ngp, self._geometry.channels, flat)

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
        """Pixel centres (n, 2) in [0, 1]^2, which the longer side fills, x first, in raster order."""
        index = torch.arange(band.start, band.stop, device=self._device)
        width = self._geometry.width
        longer = max(self._geometry.height, width)
        x, y = index % width, torch.div(index, width, rounding_mode="floor")
        return torch.stack([(x + 0.5) / longer, (y + 0.5) / longer], 1)
