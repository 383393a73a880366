"""A field's counterpart in engines on a device, a `FlatField`: outputs of one flat vector of parameters, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcodec.exact.field import Field, Parameters, Role
from nfcodec.exact.geometry import Geometry

BAND_FLOATS = 1 << 29
"""Numbers that a band's activations may have: 2 GiB. They bound memory, whatever the picture."""


class FlatField(ABC):
    """A field as a function of a flat vector, with the gradient. See also `Sampling`.

    Attributes:
        size: length of the vector.
        grid: where the entries of tables stand, at one of its ends; empty without tables.
        bands: how the pixels, in raster order, are cut into parts that fit into memory.
    """

    size: int
    grid: slice
    bands: list[slice]

    @abstractmethod
    def __init__(self, field: Field, geometry: Geometry, device: torch.device) -> None:
        """Raises EngineError where the engine or the device cannot do what the field takes."""

    @abstractmethod
    def example(self, geometry: Geometry) -> Parameters:
        """Parameters by which engines can be compared: none too small to matter, none so large that errors grow.

        Args:
            geometry: of another picture, with as many channels.
        """

    @abstractmethod
    def flatten(self, parameters: Parameters) -> npt.NDArray[np.float32]:
        """The vector for some parameters."""

    @abstractmethod
    def unflatten(self, flat: npt.NDArray[np.float32]) -> Parameters:
        """The parameters in a vector, by name; copies."""

    @abstractmethod
    def forward(self, flat: Tensor, band: slice, *, keep: bool) -> Tensor:
        """Outputs (n, C), float32, of a band; with `keep`, what `backward` needs is kept until then."""

    @abstractmethod
    def backward(self, slopes: Tensor, gradient: Tensor) -> None:
        """Add to a vector (size,) the gradient of a loss whose derivatives by the last band's outputs are `slopes`."""


class Sampling(ABC):
    """A counterpart that can do with some of the pixels."""

    @abstractmethod
    def forward_at(self, flat: Tensor, rows: Tensor, cols: Tensor) -> Tensor:
        """Outputs where rows and columns cross, (rows * cols, C), kept for `backward` as those of a band are."""


class InOrder(FlatField):
    """A field whose vector is its tensors one after the other, tables first.

    Args:
        floats: numbers a pixel that a band holds at a time.
    """

    def __init__(self, field: Field, geometry: Geometry, floats: int) -> None:
        self._layout = field.layout(geometry)
        self.size = sum(tensor.size for tensor in self._layout)
        self.grid = slice(0, sum(tensor.size for tensor in self._layout if tensor.role is Role.TABLE))
        rows = max(1, BAND_FLOATS // (floats * geometry.width))
        self.bands = [
            slice(first * geometry.width, min(first + rows, geometry.height) * geometry.width)
            for first in range(0, geometry.height, rows)
        ]

    def flatten(self, parameters: Parameters) -> npt.NDArray[np.float32]:
        return np.concatenate([parameters[tensor.name].reshape(-1) for tensor in self._layout])

    def unflatten(self, flat: npt.NDArray[np.float32]) -> Parameters:
        return {name: part.copy() for name, part in self._split(flat)}

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """The tensors inside a vector."""
        return dict(self._split(flat))

    def _split(self, flat: Any) -> Iterator[tuple[str, Any]]:
        at = 0
        for tensor in self._layout:
            yield tensor.name, flat[at : at + tensor.size].reshape(tensor.shape)
            at += tensor.size
