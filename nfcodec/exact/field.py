"""What a field is: parameter tensors, an exact evaluation, and how its symbols are held in a file.

A field maps every pixel of an (H, W) lattice to C output values. Its parameters are real while it is fitted and
integers times a step in the file; only the integers define the decoded picture. How fields are chosen and fitted is a
family's business (nfcodec.fitting.family); nothing here knows of fitting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import ExactArray, Quantized
from nfcodec.exact.geometry import Geometry, Place, part_of
from nfcodec.exact.part import Part, Symbols
from nfcodec.limits import Cost
from nfcodec.workers import Workers, n_threads, single_threaded_blas

if TYPE_CHECKING:
    from typing_extensions import Self

TILE_PIXELS = 16_384

FloatArray = npt.NDArray[np.float32]
Parameters = dict[str, FloatArray]
"""Real parameters by the names of their tensors."""


class Role(Enum):
    """What a tensor is to whoever fits it: entries that are looked up, a matrix of a network, or a vector added."""

    TABLE = "table"
    MATRIX = "matrix"
    BIAS = "bias"


@dataclass(frozen=True)
class Tensor:
    """One parameter tensor.

    Attributes:
        shape: (rows, cols, features) of a table whose entries lie on the lattice of pixels, (entries, features) of any
            other table, (out, in) of a matrix, (out,) of a bias.
        unit: the file holds parameter * unit (SIREN folds omega_0 / 2 pi into its weights, so phases are in turns).
    """

    name: str
    shape: tuple[int, ...]
    role: Role
    unit: float = 1.0

    @property
    def size(self) -> int:
        """How many parameters it has."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_spatial(self) -> bool:
        """Whether it is a table each of whose entries has a place in the picture."""
        return self.role is Role.TABLE and len(self.shape) == 3


class Decodable(ABC):
    """What decoding needs of a field, or of a part of one: how symbols are held, and what outputs they give.

    Attributes:
        uses_all_symbols: whether nothing comes behind its symbols in the stream.
    """

    uses_all_symbols: ClassVar[bool] = True

    @abstractmethod
    def cost(self, geometry: Geometry) -> Cost:
        """What `evaluate_tiles` takes at most, beside the symbols; `Part.cost` says what takes to decode those.

        It must be told from the field and the geometry alone, in little time and memory.
        """

    @abstractmethod
    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> Sequence[int]:
        """The orders of symbols worth trying for these; without `symbols`, all that a file may name."""

    @abstractmethod
    def parts(self, geometry: Geometry, order: int) -> list[Part]:
        """How the payload holds the tensors in one of `orders`: the parts follow each other in one stream."""

    @abstractmethod
    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        """Prepare exact evaluation; FormatError if the weights would overflow.

        Returns:
            A function of (first row, last row + 1) giving outputs (C, rows * W): integers in units of 2^-24.
        """

    def window_cost(self, geometry: Geometry, place: Place) -> Cost:
        """What `evaluate_tiles` takes at most for a rectangle of the lattice; see `cost`."""
        return self.cost(geometry)

    def window_evaluator(
        self, geometry: Geometry, weights: Mapping[str, Quantized], place: Place
    ) -> Callable[[int, int], ExactArray]:
        """The same as `evaluator` for the columns of a rectangle, and for its rows alone.

        Returns:
            A function of (first row, last row + 1) of the lattice giving outputs (C, rows * columns).
        """
        return cut(self.evaluator(geometry, weights), geometry, place)

    def tile_pixels(self, geometry: Geometry) -> int:
        """Pixels of a tile, if a row has no more; a field whose tiles look at rows beside them may want larger ones."""
        return TILE_PIXELS

    def evaluate(
        self, geometry: Geometry, weights: Mapping[str, Quantized], tile_pixels: int | None = None
    ) -> npt.NDArray[np.int64]:
        """All outputs, (H * W, C) int64 in units of 2^-24."""
        out = np.empty((geometry.n_pixels, geometry.channels), np.int64)

        def keep(pixels: slice, outputs: npt.NDArray[np.int64]) -> None:
            out[pixels] = outputs

        self.evaluate_tiles(geometry, weights, keep, tile_pixels)
        return out

    def evaluate_tiles(
        self,
        geometry: Geometry,
        weights: Mapping[str, Quantized],
        take: Callable[[slice, npt.NDArray[np.int64]], object],
        tile_pixels: int | None = None,
        place: Place | None = None,
    ) -> None:
        """Hand out all outputs in tiles of rows, so that memory does not have to hold them all.

        Args:
            take: called with each tile's pixels, a slice of H * W, and outputs, (n, C) int64 in units of 2^-24; by
                several threads at once.
            tile_pixels: None for those that suit the field.
            place: a rectangle of the lattice, to whose pixels the slices then belong; None for all of it.
        """
        if place is None:
            rows_of, part, top = self.evaluator(geometry, weights), geometry, 0
        else:
            rows_of = self.window_evaluator(geometry, weights, place)
            part, top = part_of(geometry, place), place[0].start

        def tile(pixels: slice, start: int, stop: int) -> None:
            take(pixels, np.transpose(rows_of(top + start, top + stop)).astype(np.int64))

        with single_threaded_blas():
            in_tiles(part, tile, tile_pixels or self.tile_pixels(part))


class Field(Decodable):
    """What a file describes and a decoder evaluates. Subclasses are frozen dataclasses; `unpack(f.pack()) == f`.

    Attributes:
        wire_id: what a file calls the class; never used for another one.
        counterparts: what computes the field's values and gradients in an engine, by the engine's name, as
            "module:attribute", imported when a fit asks for it. See nfcodec.fitting.engines.
        holds_samples: whether the outputs are samples, so that a chain's value maps do not apply.
    """

    wire_id: ClassVar[int]
    counterparts: ClassVar[Mapping[str, str]]
    holds_samples: ClassVar[bool] = False

    @abstractmethod
    def pack(self) -> bytes:
        """The architecture as bytes."""

    @classmethod
    @abstractmethod
    def unpack(cls, data: bytes) -> Self:
        """The inverse of `pack`. Raises FormatError."""

    @abstractmethod
    def layout(self, geometry: Geometry) -> list[Tensor]:
        """The parameter tensors, in the order of the file."""

    def n_parameters(self, geometry: Geometry) -> int:
        """Of all tensors."""
        return sum(tensor.size for tensor in self.layout(geometry))

    def n_tensors(self, geometry: Geometry) -> int:
        """Of the layout; a field that may have very many says so without making it."""
        return len(self.layout(geometry))

    def coarser(self, geometry: Geometry, scale: int) -> tuple[Decodable, Geometry] | None:
        """What gives the picture reduced to 1/scale out of the first symbols alone, with the lattice of its outputs.

        None where the field has nothing better than means of blocks of what it gives otherwise.

        Args:
            scale: a power of two, from 2 on.
        """
        return None


def cut(
    rows_of: Callable[[int, int], ExactArray], geometry: Geometry, place: Place, top: int = 0
) -> Callable[[int, int], ExactArray]:
    """Of what gives outputs (C, rows * W) of rows of a lattice, the columns of a rectangle.

    Args:
        top: what its callers call row 0 of that lattice.
    """

    def rows(start: int, stop: int) -> ExactArray:
        outputs = rows_of(start - top, stop - top).reshape(geometry.channels, stop - start, geometry.width)
        return outputs[:, :, place[1]].reshape(geometry.channels, -1)

    return rows


def tiles_cost(geometry: Geometry, pixel_bytes: int, tile_pixels: int = TILE_PIXELS) -> Cost:
    """The memory of the tiles that threads evaluate at a time, if a tile takes so much for each of its pixels."""
    rows = rows_of_tile(geometry, tile_pixels)
    at_a_time = min(geometry.height, rows * n_threads())
    return Cost(at_a_time * geometry.width * pixel_bytes)


def rows_of_tile(geometry: Geometry, tile_pixels: int = TILE_PIXELS) -> int:
    """How many rows a tile has."""
    return max(1, min(geometry.height, tile_pixels // geometry.width))


def in_tiles(geometry: Geometry, tile: Callable[[slice, int, int], object], tile_pixels: int = TILE_PIXELS) -> None:
    """Call a function for all tiles of whole rows of a picture, one a thread at a time.

    Args:
        tile: takes the pixels, a slice of H * W, and the first row and the one behind the last.
    """
    rows, width = rows_of_tile(geometry, tile_pixels), geometry.width
    starts = range(0, geometry.height, rows)

    def work(worker: int, i: int) -> None:
        start, stop = starts[i], min(geometry.height, starts[i] + rows)
        tile(slice(start * width, stop * width), start, stop)

    Workers(min(n_threads(), len(starts))).run(len(starts), work)
