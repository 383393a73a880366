"""Instant-NGP on a flat vector, by Triton kernels; networks of other shapes by matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nfcodec.errors import EngineError
from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fitting.engines.cuda.fields import InOrder
from nfcodec.fitting.starts import rough_start
from nfcodec.lazy import load

ENCODE_PIXELS = 128
NETWORK_PIXELS = 64
"""Pixels a program at a time."""

FUSED_WIDTHS = (16, 32, 64)
PROGRAMS = 528
"""That sum up the network's gradient, each its share of the pixels: four for each multiprocessor of an H100."""


def kernel(name: str) -> Any:
    """One of the Triton kernels. Raises EngineError where there is no Triton."""
    try:
        return load(f"nfcodec.fields.ngp.triton_kernels:{name}")
    except (ImportError, OSError, RuntimeError) as error:
        raise EngineError(f"Triton cannot be imported: {error}") from error


class FlatNgp(InOrder):
    """Hashed levels and a ReLU network without biases, as tiny-cuda-nn's.

    Raises:
        EngineError: levels have different numbers of features, or there is no Triton.
    """

    def __init__(self, field: Ngp, geometry: Geometry, device: torch.device) -> None:
        levels = field.levels
        if len({level.features for level in levels}) != 1:
            raise EngineError("the engine 'cuda' has hashed levels of as many features each only")
        super().__init__(field, geometry, 3 * field.encoding_size + 2 * sum(field.hidden))
        self._encode, self._encode_backward = kernel("encode"), kernel("encode_backward")
        self._ngp, self._geometry = field, geometry
        firsts = np.cumsum([0, *(level.size for level in levels)])
        facts = [
            [first, level.size, level.resolution, not level.is_dense]
            for first, level in zip(firsts, levels, strict=False)
        ]
        axes = [level.axes(geometry)[::-1] for level in levels]
        cells = np.stack([np.concatenate([x.low, y.low]) for x, y in axes])
        fractions = np.stack([np.concatenate([x.fraction, y.fraction]) / (1 << x.bits) for x, y in axes])
        self._levels = torch.tensor(facts, dtype=torch.int64, device=device)
        self._cells = torch.from_numpy(cells.astype(np.int32)).to(device)
        self._fractions = torch.from_numpy(fractions.astype(np.float32)).to(device)
        self._features, self._n_levels = levels[0].features, len(levels)
        self._network = FusedNetwork(field, geometry) if _is_fused(field, geometry) else PlainNetwork()
        self._at, self._encoding, self._flat = slice(0, 0), torch.zeros(0), torch.zeros(0)

    def example(self, geometry: Geometry) -> Parameters:
        return rough_start(self._ngp.layout(geometry), 0)

    def forward(self, flat: Tensor, band: slice, *, keep: bool) -> Tensor:
        n = band.stop - band.start
        encoding = torch.empty(n, self._ngp.encoding_size, device=flat.device)
        self._call(self._encode, flat, encoding, band)
        if keep:
            self._at, self._encoding, self._flat = band, encoding, flat
        return self._network.forward(self._weights(flat), encoding, keep=keep)

    def backward(self, slopes: Tensor, gradient: Tensor) -> None:
        into = self._weights(gradient)
        encoding_slopes = self._network.backward(self._weights(self._flat), self._encoding, slopes, into)
        self._call(self._encode_backward, encoding_slopes, gradient, self._at)

    def _weights(self, flat: Tensor) -> list[Tensor]:
        views = self.views(flat)
        return [views[f"weight{i}"] for i in range(len(self._ngp.hidden) + 1)]

    def _call(self, run: Any, given: Tensor, into: Tensor, band: slice) -> None:
        n, grid = band.stop - band.start, (-(-(band.stop - band.start) // ENCODE_PIXELS), self._n_levels)
        run[grid](
            given, self._cells, self._fractions, self._levels, into, band.start, n, self._geometry.width,
            self._geometry.height, self._ngp.encoding_size, self._features, ENCODE_PIXELS,
        )  # fmt: skip


def _is_fused(field: Ngp, geometry: Geometry) -> bool:
    one_width = len(set(field.hidden)) == 1 and field.hidden[0] in FUSED_WIDTHS
    return one_width and len(field.hidden) <= 2 and field.encoding_size <= 64 and geometry.channels <= 16


class PlainNetwork:
    """ReLU layers by matrix products, any number and widths."""

    def __init__(self) -> None:
        self._hidden: list[Tensor] = []

    def forward(self, weights: list[Tensor], encoding: Tensor, *, keep: bool) -> Tensor:
        x, hidden = encoding, list[Tensor]()
        for weight in weights[:-1]:
            x = functional.linear(x, weight).relu_()
            hidden.append(x)
        self._hidden = hidden if keep else []
        return functional.linear(x, weights[-1])

    def backward(self, weights: list[Tensor], encoding: Tensor, slopes: Tensor, into: list[Tensor]) -> Tensor:
        """Derivatives by the encoding; those by the weights are added to `into`."""
        d = slopes
        for i in range(len(weights) - 1, 0, -1):
            x = self._hidden.pop()
            into[i].addmm_(d.T, x)
            d = (d @ weights[i]).mul_(x > 0)
        into[0].addmm_(d.T, encoding)
        return d @ weights[0]


class FusedNetwork:
    """One or two hidden layers of one width, in one kernel each way."""

    def __init__(self, field: Ngp, geometry: Geometry) -> None:
        self._forward, self._backward = kernel("network"), kernel("network_backward")
        self._n_in, self._n_out = field.encoding_size, geometry.channels
        padded = [max(16, 1 << math.ceil(math.log2(n))) for n in (self._n_in, self._n_out)]
        self._hidden, self._two = field.hidden[0], len(field.hidden) == 2
        self._shapes = [(self._hidden, padded[0]), (self._hidden, self._hidden), (padded[1], self._hidden)]
        self._constants = (self._hidden, *padded, self._two, NETWORK_PIXELS)

    def forward(self, weights: list[Tensor], encoding: Tensor, *, keep: bool) -> Tensor:
        n = len(encoding)
        out = torch.empty(n, self._n_out, device=encoding.device)
        self._forward[(-(-n // NETWORK_PIXELS),)](
            encoding, *self._three(weights), out, n, self._n_in, self._n_out, *self._constants, _precision()
        )
        return out

    def backward(self, weights: list[Tensor], encoding: Tensor, slopes: Tensor, into: list[Tensor]) -> Tensor:
        """Derivatives by the encoding; those by the weights are added to `into`."""
        n_programs = min(PROGRAMS, -(-len(encoding) // NETWORK_PIXELS))
        sizes = [rows * cols for rows, cols in self._shapes]
        partial = torch.empty(n_programs, sum(sizes), device=encoding.device)
        encoding_slopes = torch.empty_like(encoding)
        self._backward[(n_programs,)](
            encoding, *self._three(weights), slopes, encoding_slopes, partial, len(encoding), self._n_in, self._n_out,
            n_programs, *self._constants, _precision(),
        )  # fmt: skip
        total = partial.sum(0)
        parts: list[Tensor] = [total[at : at + n] for at, n in zip(np.cumsum([0, *sizes]), sizes, strict=False)]
        first, middle, last = (part.view(shape) for part, shape in zip(parts, self._shapes, strict=True))
        into[0].add_(first[:, : self._n_in])
        into[-1].add_(last[: self._n_out])
        if self._two:
            into[1].add_(middle)
        return encoding_slopes

    def _three(self, weights: list[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """First, middle and last; the first again where there is no middle one."""
        return weights[0], weights[1 if self._two else 0], weights[-1]


def _precision() -> str:
    return "tf32" if torch.get_float32_matmul_precision() == "high" else "tf32x3"
