"""Instant-NGP: levels of a hashed grid, interpolated and concatenated, and a ReLU network (Mueller et al. 2022)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nfcodec import arguments
from nfcodec.coding.payload import ANY, NEIGHBOURS
from nfcodec.coding.tensors import ColumnsPart
from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import ExactArray, Quantized
from nfcodec.exact.field import Field, Role, Tensor
from nfcodec.exact.geometry import Geometry, Place, part_of, whole
from nfcodec.exact.part import Part, Symbols
from nfcodec.exact.relu import ReluNetwork, layers_of, relu_cost, relu_tensors
from nfcodec.fields.ngp.levels import AXIS, AXIS_BYTES, MAX_LEVELS, HashLevel, hash_levels, safe_scale
from nfcodec.fields.ngp.payload import EntriesPart
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader
from nfcodec.workers import check_stopped, n_threads

MAX_HIDDEN, MAX_WIDTH = 16, 4096
SLICE_VALUES, MORE_VALUES = 1 << 18, 6
"""Encodings that a thread has in memory at a time, if they are not of one row; and how many numbers more there are for
each feature of a level."""


@dataclass(frozen=True)
class Ngp(Field):
    """Levels in tiny-cuda-nn's order, then ReLU layers without biases.

    Attributes:
        levels: 1 .. 32.
        hidden: width of each hidden layer, 1 .. 4096; 1 to 16 of them.
    """

    levels: tuple[HashLevel, ...]
    hidden: tuple[int, ...] = (64, 64)

    wire_id: ClassVar[int] = 3
    counterparts: ClassVar[Mapping[str, str]] = {
        "cuda": "nfcodec.fields.ngp.cuda:FlatNgp",
        "tinycudann": "nfcodec.fields.ngp.tinycudann:TcnnField",
        "numba": "nfcodec.fields.ngp.numba:NgpProgram",
        "torch": "nfcodec.fields.ngp.torch:TorchNgp",
    }

    def __post_init__(self) -> None:
        levels = arguments.items("levels", self.levels, 1, MAX_LEVELS, "levels, each a HashLevel")
        for i, level in enumerate(levels):
            arguments.instance_of(f"levels[{i}]", level, HashLevel, "a HashLevel")
        object.__setattr__(self, "levels", levels)
        arguments.set_wholes(self, "hidden", (1, MAX_HIDDEN), 1, MAX_WIDTH)

    @classmethod
    def instant(cls, longer_side: int, log2_table_size: int = 24) -> Ngp:
        """Instant-NGP's image default: 16 levels of 2 features from 16 to half the longer side, 2 x 64 neurons.

        Args:
            longer_side: of the picture, in pixels.
            log2_table_size: log2 of the most entries of a level, 1 .. 24.
        """
        longer_side = arguments.whole("longer_side", longer_side, 1)
        growth = safe_scale(16, 16, max(32.0, longer_side / 2))
        return cls(hash_levels(16, 2, log2_table_size, 16, growth))

    @property
    def encoding_size(self) -> int:
        """Numbers a pixel that the network gets."""
        return sum(level.features for level in self.levels)

    def layout(self, geometry: Geometry) -> list[Tensor]:
        tables = [Tensor(f"level{i}", level.shape, Role.TABLE) for i, level in enumerate(self.levels)]
        return tables + relu_tensors(self.encoding_size, self.hidden, geometry.channels, linear=False)

    def cost(self, geometry: Geometry) -> Cost:
        return self.window_cost(geometry, whole(geometry))

    def window_cost(self, geometry: Geometry, place: Place) -> Cost:
        sides, geometry = geometry.height + geometry.width, part_of(geometry, place)
        n_pixels, rows = geometry.n_pixels, _rows_of_slice(geometry, self.encoding_size)
        pixel_bytes = 8 * (self.encoding_size + MORE_VALUES * max(level.features for level in self.levels))
        tiles = min(n_threads(), -(-geometry.height // rows)) * rows * geometry.width * pixel_bytes
        axes = len(self.levels) * sides * AXIS_BYTES
        work = sum(level.lookup_work(n_pixels) + sides * AXIS for level in self.levels)
        lookups = Cost(tiles + axes, work, tiles + axes)
        return lookups.then(
            relu_cost(n_pixels, self.encoding_size, self.hidden, geometry.channels, linear=False)
        ).keeping(0)

    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> tuple[int, ...]:
        return ANY, NEIGHBOURS

    def parts(self, geometry: Geometry, order: int) -> list[Part]:
        matrices = [ColumnsPart(tensor) for tensor in self.layout(geometry) if tensor.role is Role.MATRIX]
        return [EntriesPart(self.levels, geometry, by_neighbours=order == NEIGHBOURS), *matrices]

    def pack(self) -> bytes:
        levels = b"".join(struct.pack("<BfI", each.features, each.scale, each.size) for each in self.levels)
        hidden = b"".join(width.to_bytes(2, "little") for width in self.hidden)
        return bytes([len(self.levels)]) + levels + bytes([len(self.hidden)]) + hidden

    @classmethod
    def unpack(cls, data: bytes) -> Ngp:
        reader = ByteReader(data)
        try:
            levels = tuple(_unpack_level(reader) for _ in range(reader.u8()))
            hidden = tuple(reader.u16() for _ in range(reader.u8()))
            reader.finish()
            return cls(levels, hidden)
        except UsageError as error:
            raise FormatError(str(error), code="field") from error

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        return self.window_evaluator(geometry, weights, whole(geometry))

    def window_evaluator(
        self, geometry: Geometry, weights: Mapping[str, Quantized], place: Place
    ) -> Callable[[int, int], ExactArray]:
        grids = [level.evaluator(geometry, weights[f"level{i}"], place[1]) for i, level in enumerate(self.levels)]
        part = part_of(geometry, place)
        n, bound = len(self.hidden), max(grid_bound for _, grid_bound in grids)
        network = ReluNetwork(layers_of(weights, n), (weights[f"weight{n}"], None), None, bound)
        at_a_time = _rows_of_slice(part, self.encoding_size)

        def some_rows(start: int, stop: int) -> ExactArray:
            encoding, at = np.empty((self.encoding_size, (stop - start) * part.width)), 0
            for level, (lookup, _) in zip(self.levels, grids, strict=True):
                check_stopped()  # all levels of a tile may take seconds
                encoding[at : at + level.features] = lookup(start, stop)
                at += level.features
            return network(encoding)

        def rows(start: int, stop: int) -> ExactArray:
            slices = [(first, min(first + at_a_time, stop)) for first in range(start, stop, at_a_time)]
            return np.concatenate([some_rows(*each) for each in slices], axis=1)

        return rows


def _rows_of_slice(geometry: Geometry, n_values: int) -> int:
    """How many rows of a picture are encoded at a time, if a pixel has so many values."""
    return max(1, min(geometry.height, SLICE_VALUES // (n_values * geometry.width)))


def _unpack_level(reader: ByteReader) -> HashLevel:
    features, (scale, size) = reader.u8(), struct.unpack("<fI", reader.take(8))
    if not 0 < scale < 65535:
        raise FormatError("a grid level's scale is out of range", code="field")
    return HashLevel(scale, math.ceil(scale) + 1, size, features)
