"""Instant-NGP for the torch engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nfcodec.exact.field import Role
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fitting.engines.relu import ReluLayers
from nfcodec.fitting.engines.torch_fields import Band, Rating, Tensors, TorchField, laplace_bits, relu_outputs


class TorchNgp(TorchField, Rating):
    """Hashed levels, concatenated, then the ReLU network."""

    def __init__(self, field: Ngp, geometry: Geometry, device: torch.device) -> None:
        layout = field.layout(geometry)
        names = [tensor.name for tensor in layout if tensor.role is Role.TABLE]
        self._lookups = [
            (name, _Lookup(level, geometry, device)) for name, level in zip(names, field.levels, strict=True)
        ]
        self._lattices: dict[str, Tensor | None] = {}
        for name, level in zip(names, field.levels, strict=True):
            used = level.used(geometry)
            self._lattices[name] = torch.from_numpy(used.index).to(device) if used.on_lattice else None
        self._relu = ReluLayers.of(layout)

    def rows_used(self, name: str, band: Band) -> slice | None:
        return None

    def __call__(self, parameters: Tensors, band: Band) -> Tensor:
        features = [lookup(parameters[name], band) for name, lookup in self._lookups]
        return relu_outputs(self._relu, parameters, torch.cat(features, 1))

    def bits(self, seen: Tensors, steps: Mapping[str, float], band: Band, model: object | None) -> Tensor:
        """Laplace, scaled by the mean magnitude around each entry on the lattice, else of all entries.

        All entries belong to the first band. No model is needed.
        """
        bits: Any = 0.0
        for name, lattice in self._lattices.items() if band.start == 0 else ():
            if name not in steps:
                continue
            if lattice is not None:
                symbols = (seen[name][lattice] / steps[name]).permute(2, 0, 1)[None]
                with torch.no_grad():
                    scale = functional.avg_pool2d(symbols.abs(), 3, 1, 1, count_include_pad=False) + 0.1
            else:
                symbols = seen[name] / steps[name]
                scale = symbols.detach().abs().mean(0) + 0.1
            bits = bits + laplace_bits(symbols, scale).sum()
        return torch.as_tensor(bits, device=next(iter(seen.values())).device)


class _Lookup:
    """Interpolation in one level."""

    def __init__(self, level: HashLevel, geometry: Geometry, device: torch.device) -> None:
        self._index: Any = level.index  # made of operators that tensors have, too
        y, x = level.axes(geometry)
        self._x, self._y = (torch.from_numpy(axis.low).to(device) for axis in (x, y))
        self._fx, self._fy = (
            torch.from_numpy((axis.fraction / (1 << axis.bits)).astype(np.float32)).to(device) for axis in (x, y)
        )

    def __call__(self, table: Tensor, band: Band) -> Tensor:
        y, fy = self._y[band.start : band.stop, None], self._fy[band.start : band.stop, None]
        out: Tensor | None = None
        for down, weight_y in ((0, 1 - fy), (1, fy)):
            for right, weight_x in ((0, 1 - self._fx), (1, self._fx)):
                index = self._index(self._x + right, y + down).reshape(-1)
                term = functional.embedding(index, table) * (weight_y * weight_x).reshape(-1, 1)
                out = term if out is None else out + term
        assert out is not None
        return out
