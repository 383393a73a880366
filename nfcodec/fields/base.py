"""What a field is: a wire id, a parameter layout, an initialisation, and an exact evaluation.

A field maps every pixel of an (H, W) lattice to C output values. Its parameters are real while it is fitted and
integers times a step in the file; only the integers define the decoded picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError, UnsupportedError, UsageError
from nfcodec.fields.fixed_point import ExactArray, Quantized
from nfcodec.limits import PARAMETERS_PER_PIXEL, Limits
from nfcodec.workers import Workers, n_threads, single_threaded_blas

FloatArray = npt.NDArray[np.float32]
Parameters = dict[str, FloatArray]


@dataclass(frozen=True)
class Geometry:
    """The lattice that a field covers: rows, columns, and outputs a pixel."""

    height: int
    width: int
    channels: int

    @property
    def n_pixels(self) -> int:
        return self.height * self.width


Place = tuple[slice, slice]
"""Rows and columns of a rectangle."""


def places(geometry: Geometry, rows: int, cols: int) -> list[Place]:
    """The tiles of a grid, row by row: the i-th of n along an axis ends where i / n of it does, rounded down."""
    down, across = (
        [slice(size * i // n, size * (i + 1) // n) for i in range(n)]
        for size, n in ((geometry.height, rows), (geometry.width, cols))
    )
    return [(each_down, each_across) for each_down in down for each_across in across]


def part_of(geometry: Geometry, place: Place) -> Geometry:
    """The lattice of a rectangle alone."""
    rows, cols = place
    return Geometry(rows.stop - rows.start, cols.stop - cols.start, geometry.channels)


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


class ByteReader:
    """Reads a field's bytes; every overrun is a FormatError."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, n: int) -> bytes:
        if self._at + n > len(self._data):
            raise FormatError("the field description is truncated")
        self._at += n
        return self._data[self._at - n : self._at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def last_u8(self) -> int:
        """A last byte that may be missing, which means 0, and is never 0; then `finish`."""
        value = 0
        if self._at < len(self._data):
            value = self.u8()
            if value == 0:
                raise FormatError("the field description is too long")
        self.finish()
        return value

    def finish(self) -> None:
        if self._at != len(self._data):
            raise FormatError("the field description is too long")


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


_BY_NAME: dict[str, type[FieldSpec]] = {}
_BY_ID: dict[int, type[FieldSpec]] = {}


Spec = TypeVar("Spec", bound=FieldSpec)


def register(cls: type[Spec]) -> type[Spec]:
    """Class decorator: make a field known by `cls.name` and `cls.wire_id`; neither may ever change."""
    if cls.name in _BY_NAME or cls.wire_id in _BY_ID:
        raise ValueError(f"field {cls.name} (id {cls.wire_id}) is registered twice")
    _BY_NAME[cls.name] = _BY_ID[cls.wire_id] = cls
    return cls


def field_names() -> list[str]:
    """Names of the registered fields."""
    return sorted(_BY_NAME)


def field_class(name: str) -> type[FieldSpec]:
    """The field registered under `name`. Raises UsageError."""
    if name not in _BY_NAME:
        raise UsageError(f"unknown field {name!r}; known: {', '.join(field_names())}")
    return _BY_NAME[name]


def unpack_field(wire_id: int, data: bytes) -> FieldSpec:
    """The field described by a file. Raises UnsupportedError or FormatError."""
    if wire_id not in _BY_ID:
        raise UnsupportedError(f"field id {wire_id} is not known to this version")
    return _BY_ID[wire_id].unpack(data)
