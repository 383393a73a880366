"""A field's counterpart in the torch engine, a `TorchField`: its real values, differentiable, for bands of pixels.

It is given the parameters of a band and returns that band's outputs. Tables on the lattice hand out only the entries
that a band touches, so memory and gradient traffic follow the band and not the picture.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nfcodec.exact.field import Field
from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.engines.relu import Layer, ReluLayers

Tensors = Mapping[str, Tensor]
"""By the names of a field's tensors."""


@dataclass(frozen=True)
class Band:
    """Rows start .. stop - 1 of the lattice."""

    start: int
    stop: int


class TorchField(ABC):
    """A field that can be evaluated and differentiated band by band. See also `Sampling` and `Rating`."""

    @abstractmethod
    def __init__(self, field: Field, geometry: Geometry, device: torch.device) -> None: ...

    @abstractmethod
    def rows_used(self, name: str, band: Band) -> slice | None:
        """The rows of a tensor that a band touches, or None for all of it."""

    @abstractmethod
    def __call__(self, parameters: Tensors, band: Band) -> Tensor:
        """Outputs (rows * W, C); `parameters` holds, for each tensor, just the rows used."""


class Sampling(ABC):
    """A counterpart that can do with some of the pixels."""

    @abstractmethod
    def at(self, parameters: Tensors, rows: Tensor, cols: Tensor) -> Tensor:
        """Outputs where these rows and columns of the lattice cross, (rows * cols, C)."""


class Rating(ABC):
    """A counterpart that knows what the entries of its field's tables take."""

    @abstractmethod
    def bits(self, seen: Tensors, steps: Mapping[str, float], band: Band, model: object | None) -> Tensor:
        """The bits of those entries with a step that belong to a band, a scalar, differentiable.

        Args:
            seen: the parameters, of each tensor just the rows used.
            model: see `Objective.rate_model`.
        """


def relu_outputs(relu: ReluLayers, parameters: Tensors, encoding: Tensor) -> Tensor:
    """Outputs (n, C) of a network for encodings (n, n_inputs)."""
    if not relu.layers:
        assert relu.skip is not None
        return _linear(relu.skip, parameters, encoding)
    x = encoding
    for layer in relu.layers[:-1]:
        x = torch.relu(_linear(layer, parameters, x))
    out = _linear(relu.layers[-1], parameters, x)
    return out if relu.skip is None else out + _linear(relu.skip, parameters, encoding)


def _linear(layer: Layer, parameters: Tensors, x: Tensor) -> Tensor:
    weight, bias = layer
    return functional.linear(x, parameters[weight.name], None if bias is None else parameters[bias.name])


def laplace_bits(symbols: Tensor, scale: Tensor) -> Tensor:
    """-log2 of a Laplace distribution's mass in [q - 1/2, q + 1/2], differentiable in q, for real q."""
    magnitude = symbols.abs()
    inside = -torch.log((1 - torch.exp(-0.5 / scale) * torch.cosh(magnitude.clamp(max=0.5) / scale)).clamp(min=1e-9))
    outside = magnitude.clamp(min=0.5) / scale - torch.log(torch.sinh(0.5 / scale))
    return torch.where(magnitude < 0.5, inside, outside) / math.log(2)
