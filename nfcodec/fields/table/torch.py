"""Pyramids for the torch engine, with the rate of their entries."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from nfcodec.exact.field import Role
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.table.field import Pyramid
from nfcodec.fields.table.levels import DenseLevel
from nfcodec.fitting.engines.relu import ReluLayers
from nfcodec.fitting.engines.torch_fields import Band, Rating, Tensors, TorchField, laplace_bits, relu_outputs


class TorchPyramid(TorchField, Rating):
    """Levels on the lattice, interpolated and concatenated, a linear map of them and perhaps a hidden layer."""

    def __init__(self, field: Pyramid, geometry: Geometry, device: torch.device) -> None:
        layout = field.layout(geometry)
        names = [tensor.name for tensor in layout if tensor.role is Role.TABLE]
        self._levels = dict(zip(names, field.levels(geometry.channels), strict=True))
        self._geometry, self._device = geometry, device
        self._relu = ReluLayers.of(layout)

    def rows_used(self, name: str, band: Band) -> slice | None:
        return self._rows(self._levels[name], band) if name in self._levels else None

    def _rows(self, level: DenseLevel, band: Band) -> slice:
        """The rows of entries that a band touches."""
        stride, n_rows = 1 << level.log2_stride, level.shape(self._geometry)[0]
        return slice(max(0, band.start // stride - 1), min(n_rows, -(-band.stop // stride) + 1))

    def __call__(self, parameters: Tensors, band: Band) -> Tensor:
        features = [self._upsample(level, parameters[name], band) for name, level in self._levels.items()]
        return relu_outputs(self._relu, parameters, torch.cat(features, 1))

    def _upsample(self, level: DenseLevel, rows: Tensor, band: Band) -> Tensor:
        """Bilinear interpolation of the used rows (rows, cols, F) to (band rows * W, F)."""
        stride = 1 << level.log2_stride
        offset = band.start - self._rows(level, band).start * stride
        image = rows.permute(2, 0, 1)[None]
        if stride > 1:
            image = functional.interpolate(image, scale_factor=float(stride), mode="bilinear", align_corners=False)
        image = image[0, :, offset : offset + band.stop - band.start, : self._geometry.width]
        return image.permute(1, 2, 0).reshape(-1, level.features)

    def bits(self, seen: Tensors, steps: Mapping[str, float], band: Band, model: object | None) -> Tensor:
        """Laplace, scaled by the mean magnitude around each entry; no model is needed."""
        bits = torch.zeros((), device=self._device)
        for name, level in self._levels.items():
            if name not in steps:
                continue
            table, first = seen[name], self._rows(level, band).start
            symbols = (table / steps[name]).permute(2, 0, 1)[None]
            with torch.no_grad():
                scale = functional.avg_pool2d(symbols.abs(), 3, 1, 1, count_include_pad=False) + 0.1
            own = (torch.arange(first, first + table.shape[0], device=self._device)) << level.log2_stride
            mine = ((own >= band.start) & (own < band.stop)).to(symbols.dtype)[:, None]
            bits = bits + (laplace_bits(symbols, scale) * mine).sum()
        return bits
