"""Fields in torch: the real-valued counterpart of the exact evaluation, differentiable, for bands of pixels.

A model is given the parameters of a band (`slices`) and returns outputs (n, C) of that band. Dense levels hand out
only the entries that a band touches, so memory and gradient traffic follow the band and not the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nfcodec.errors import EngineError
from nfcodec.exact.field import FieldSpec
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel, HashLevel
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.wavelet.field import WaveletLevel

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Band:
    """Rows start .. stop - 1 of the lattice."""

    start: int
    stop: int


class TorchField(Protocol):
    """A field that can be evaluated and differentiated band by band."""

    def rows_used(self, name: str, band: Band) -> slice | None:
        """The rows of a tensor that a band touches, or None for all of it."""
        ...

    def __call__(self, parameters: Tensors, band: Band) -> Tensor:
        """Outputs (rows * W, C); `parameters` holds, for each tensor, just the rows used."""
        ...


def torch_field(spec: FieldSpec, geometry: Geometry, device: torch.device) -> TorchField:
    """The torch counterpart of a field. Raises EngineError if it has none."""
    if isinstance(spec, Siren):
        return TorchSiren(spec, geometry, device)
    if isinstance(spec, Ngp) and not isinstance(spec.levels[0], WaveletLevel):
        return TorchNgp(spec, geometry, device)
    raise EngineError(f"the torch engine has no counterpart of this {type(spec).__name__}")


class TorchSiren:
    """Sine layers on coordinates linspace(-1, 1), x first."""

    def __init__(self, spec: Siren, geometry: Geometry, device: torch.device) -> None:
        self._spec = spec
        self._untrained = {name: torch.from_numpy(value).to(device) for name, value in spec.untrained().items()}
        self._x = (
            torch.linspace(-1, 1, geometry.width, device=device)
            if geometry.width > 1
            else torch.zeros(1, device=device)
        )
        self._y = (
            torch.linspace(-1, 1, geometry.height, device=device)
            if geometry.height > 1
            else torch.zeros(1, device=device)
        )

    def rows_used(self, name: str, band: Band) -> slice | None:
        return None

    def __call__(self, parameters: Tensors, band: Band) -> Tensor:
        return self._where_crossing(parameters, self._y[band.start : band.stop], self._x)

    def at(self, parameters: Tensors, rows: Tensor, cols: Tensor) -> Tensor:
        """Outputs where these rows and columns of the lattice cross, (rows * cols, C)."""
        return self._where_crossing(parameters, self._y[rows], self._x[cols])

    def _where_crossing(self, parameters: Tensors, y: Tensor, across: Tensor) -> Tensor:
        parameters = {**parameters, **self._untrained}
        x = torch.stack([across.repeat(len(y)), y.repeat_interleave(len(across))], 1)
        for i in range(1 + self._spec.hidden_layers):
            weight, bias = parameters[f"weight{i}"], parameters[f"bias{i}"]
            x = torch.sin(functional.linear(x, self._spec.omega_0 * weight, self._spec.omega_0 * bias))
        return functional.linear(x, parameters["weight_out"], parameters["bias_out"])


class TorchNgp:
    """Grid levels, concatenated, then the ReLU network."""

    def __init__(self, spec: Ngp, geometry: Geometry, device: torch.device) -> None:
        self._spec, self._geometry = spec, geometry
        self._lookups = [
            _HashLookup(level, geometry, device) if isinstance(level, HashLevel) else None for level in spec.levels
        ]

    def rows_used(self, name: str, band: Band) -> slice | None:
        if not name.startswith("level"):
            return None
        level = self._spec.levels[int(name[5:])]
        if isinstance(level, HashLevel):
            return None
        assert isinstance(level, DenseLevel)
        stride = 1 << level.log2_stride
        return slice(max(0, band.start // stride - 1), min(level.shape(self._geometry)[0], -(-band.stop // stride) + 1))

    def __call__(self, parameters: Tensors, band: Band) -> Tensor:
        features: list[Tensor] = []
        for i, (level, lookup) in enumerate(zip(self._spec.levels, self._lookups, strict=True)):
            table = parameters[f"level{i}"]
            if lookup is not None:
                features.append(lookup(table, band))
            elif isinstance(level, DenseLevel):
                features.append(self._upsample(level, f"level{i}", table, band))
        encoding = torch.cat(features, 1)
        n_hidden = len(self._spec.hidden)
        x = encoding
        for i in range(n_hidden):
            x = torch.relu(functional.linear(x, parameters[f"weight{i}"], parameters.get(f"bias{i}")))
        bias = parameters.get("bias_out")
        if n_hidden == 0:
            return functional.linear(encoding, parameters["skip"], bias)
        out = functional.linear(x, parameters[f"weight{n_hidden}"], bias)
        return out + functional.linear(encoding, parameters["skip"]) if self._spec.skip else out

    def _upsample(self, level: DenseLevel, name: str, rows: Tensor, band: Band) -> Tensor:
        """Bilinear interpolation of the used rows (rows, cols, F) to (band rows * W, F)."""
        width, stride = self._geometry.width, 1 << level.log2_stride
        used = self.rows_used(name, band)
        offset = band.start - (used.start if used else 0) * stride
        image = rows.permute(2, 0, 1)[None]
        if stride > 1:
            image = functional.interpolate(image, scale_factor=float(stride), mode="bilinear", align_corners=False)
        image = image[0, :, offset : offset + band.stop - band.start, :width]
        return image.permute(1, 2, 0).reshape(-1, level.features)


class _HashLookup:
    """Interpolation in one hash level."""

    def __init__(self, level: HashLevel, geometry: Geometry, device: torch.device) -> None:
        self._index: Any = level.index  # made of operators that tensors have, too
        y, x = level.axis(geometry.height), level.axis(geometry.width)
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
