"""What a field is: a wire id, a parameter layout, an initialisation, and an exact evaluation.

A field maps every pixel of an (H, W) lattice to C output values. Its parameters are real while it is fitted and
integers times a step in the file; only the integers define the decoded picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import ExactArray, Quantized
from nfcodec.exact.geometry import Geometry
from nfcodec.limits import PARAMETERS_PER_PIXEL, Limits
from nfcodec.workers import Workers, n_threads, single_threaded_blas

FloatArray = npt.NDArray[np.float32]


Parameters = dict[str, FloatArray]


@dataclass(frozen=True)
class TensorSpec:
    """One parameter tensor.

    Attributes:
        unit: the file holds parameter * unit (SIREN folds omega_0 / 2 pi into its weights, so phases are in turns).
        log2_stride: for dense grid levels, their stride; their symbols get spatial contexts. None for the others.
        wavelet_levels: for wavelet levels, how many the transform has. None for the others.
        differences: whether the file holds each symbol as its difference from the one before, as suits sorted ones.
    """

    name: str
    shape: tuple[int, ...]
    unit: float = 1.0
    log2_stride: int | None = None
    wavelet_levels: int | None = None
    differences: bool = False

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_spatial(self) -> bool:
        """Whether it is (rows, cols, features), each entry with a place in the picture."""
        return self.log2_stride is not None or self.wavelet_levels is not None


class FieldSpec(ABC):
    """The architecture of a field. Subclasses are frozen dataclasses, registered under a name and a wire id."""

    name: ClassVar[str]
    wire_id: ClassVar[int]

    @abstractmethod
    def layout(self, geometry: Geometry) -> list[TensorSpec]:
        """The parameter tensors, in the order of the file."""

    @abstractmethod
    def macs_per_pixel(self, geometry: Geometry) -> int:
        """Multiplications that decoding one pixel takes, roughly."""

    @abstractmethod
    def initial(self, geometry: Geometry, seed: int) -> Parameters:
        """Seeded initial parameters, float32."""

    @abstractmethod
    def pack(self) -> bytes:
        """The architecture as bytes."""

    @classmethod
    @abstractmethod
    def unpack(cls, data: bytes) -> FieldSpec:
        """The inverse of `pack`. Raises FormatError."""

    @abstractmethod
    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        """Prepare exact evaluation; FormatError if the weights would overflow.

        Returns:
            A function of (first row, last row + 1) giving outputs (C, rows * W): integers in units of 2^-24.
        """

    def n_parameters(self, geometry: Geometry) -> int:
        return sum(tensor.size for tensor in self.layout(geometry))

    def check(self, geometry: Geometry, limits: Limits) -> None:
        """Raise LimitError if evaluating this field would cost more than the limits allow."""
        limits.check("parameters", self.n_parameters(geometry) - PARAMETERS_PER_PIXEL * geometry.n_pixels)
        limits.check("macs", self.macs_per_pixel(geometry) * geometry.n_pixels)

    def evaluate(
        self, geometry: Geometry, weights: Mapping[str, Quantized], tile_pixels: int = 16_384
    ) -> npt.NDArray[np.int64]:
        """All outputs, (H * W, C) int64 in units of 2^-24, computed in tiles of rows, one a thread at a time."""
        rows_of = self.evaluator(geometry, weights)
        out = np.empty((geometry.n_pixels, geometry.channels), np.int64)
        rows = max(1, tile_pixels // geometry.width)
        n_tiles = -(-geometry.height // rows)

        def tile(worker: int, i: int) -> None:
            start, stop = i * rows, min(geometry.height, (i + 1) * rows)
            out[start * geometry.width : stop * geometry.width] = rows_of(start, stop).T

        with single_threaded_blas():
            Workers(min(n_threads(), n_tiles)).run(n_tiles, tile)
        return out
