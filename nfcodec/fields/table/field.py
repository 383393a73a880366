"""Fields of pixel-aligned entries: a table of one entry a pixel, and a pyramid of coarser and coarser levels."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nfcodec import arguments
from nfcodec.coding.convolutional import path_of
from nfcodec.coding.features import FeaturesPart
from nfcodec.coding.levels import LevelShape, LevelsPart
from nfcodec.coding.payload import ANY, CODED
from nfcodec.coding.tensors import AdaptivePart
from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import ExactArray, Quantized, widened
from nfcodec.exact.field import Field, Role, Tensor, cut, tiles_cost
from nfcodec.exact.geometry import Geometry, Place, grown, part_of, within
from nfcodec.exact.part import Part, Symbols
from nfcodec.exact.relu import ReluNetwork, layers_of, relu_cost, relu_tensors
from nfcodec.fields.table.levels import MAX_LOG2_STRIDE, DenseLevel
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader

MAX_HIDDEN = 4096

LOOKUP, ENCODINGS, MORE_VALUES = 15e-9, 2, 12
"""Work to interpolate a feature; how often a tile has its encodings in memory, and how many numbers more for each
channel."""


class LevelsField(Field):
    """Levels of as many features as the picture has channels, a linear map of them, and perhaps a hidden layer.

    The linear map and the layers have biases.
    """

    @property
    @abstractmethod
    def log2_strides(self) -> tuple[int, ...]:
        """Of the levels, from coarse to fine; the last one is 0."""

    @property
    @abstractmethod
    def hidden_widths(self) -> tuple[int, ...]:
        """Of the hidden layers; empty for a linear map alone."""

    def levels(self, channels: int) -> list[DenseLevel]:
        """From coarse to fine."""
        return [DenseLevel(stride, channels) for stride in self.log2_strides]

    def encoding_size(self, channels: int) -> int:
        """Numbers a pixel that the linear map and the layers get."""
        return channels * len(self.log2_strides)

    def layout(self, geometry: Geometry) -> list[Tensor]:
        channels = geometry.channels
        tables = [
            Tensor(f"level{i}", level.shape(geometry), Role.TABLE) for i, level in enumerate(self.levels(channels))
        ]
        return tables + relu_tensors(self.encoding_size(channels), self.hidden_widths, channels, linear=True)

    def cost(self, geometry: Geometry) -> Cost:
        n_inputs, channels = self.encoding_size(geometry.channels), geometry.channels
        tiles = tiles_cost(geometry, 8 * (ENCODINGS * n_inputs + MORE_VALUES * channels))
        lookups = Cost(tiles.memory_bytes, LOOKUP * n_inputs * geometry.n_pixels, tiles.memory_bytes)
        network = relu_cost(geometry.n_pixels, n_inputs, self.hidden_widths, channels, linear=True)
        return lookups.then(network).keeping(0)

    def window_cost(self, geometry: Geometry, place: Place) -> Cost:
        return self.cost(part_of(geometry, self._around(geometry, place)))

    def window_evaluator(
        self, geometry: Geometry, weights: Mapping[str, Quantized], place: Place
    ) -> Callable[[int, int], ExactArray]:
        """As if the picture ended where entries no longer matter."""
        around = self._around(geometry, place)
        part, near = part_of(geometry, around), dict(weights)
        for i, s in enumerate(self.log2_strides):
            rows, cols = (slice(each.start >> s, -(-each.stop >> s)) for each in around)
            near[f"level{i}"] = Quantized(weights[f"level{i}"].symbols[rows, cols], weights[f"level{i}"].step)
        return cut(self.evaluator(part, near), part, within(place, around), around[0].start)

    def _around(self, geometry: Geometry, place: Place) -> Place:
        """The pixels whose entries those of a rectangle depend on."""
        stride = 1 << self.log2_strides[0]
        return grown(geometry, place, stride - 1, stride)

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        levels, n = self.levels(geometry.channels), len(self.hidden_widths)
        grids = [level.evaluator(geometry, weights[f"level{i}"]) for i, level in enumerate(levels)]
        bound = max(grid_bound for _, grid_bound in grids)
        bias = weights["bias_out"]
        last = (weights[f"weight{n}"], bias) if n else None
        skip = (weights["skip"], None if n else bias)
        network = ReluNetwork(layers_of(weights, n), last, skip, bound)

        def rows(start: int, stop: int) -> ExactArray:
            return network(np.concatenate([level(start, stop) for level, _ in grids]))

        return rows


def _others(field: LevelsField, geometry: Geometry) -> list[Part]:
    """Parts for what is no level."""
    return [AdaptivePart(tensor) for tensor in field.layout(geometry) if tensor.role is not Role.TABLE]


@dataclass(frozen=True)
class Table(LevelsField):
    """One entry a pixel and a linear map of colours: for permuted pictures, whose pixels say nothing of each other."""

    wire_id: ClassVar[int] = 5
    counterparts: ClassVar[Mapping[str, str]] = {}

    @property
    def log2_strides(self) -> tuple[int, ...]:
        return (0,)

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        return ()

    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> tuple[int, ...]:
        coded = symbols is None or path_of(widened(symbols["level0"])) is not None
        return (ANY, CODED) if coded else (ANY,)

    def parts(self, geometry: Geometry, order: int) -> list[Part]:
        return [FeaturesPart(self.layout(geometry)[0], coded=order == CODED), *_others(self, geometry)]

    def pack(self) -> bytes:
        return b""

    @classmethod
    def unpack(cls, data: bytes) -> Table:
        ByteReader(data).finish()
        return cls()


@dataclass(frozen=True)
class Pyramid(LevelsField):
    """Levels at each power of two from 2^coarsest pixels to one pixel, and perhaps a hidden layer.

    Attributes:
        coarsest: log2 of the coarsest level's stride, 0 .. 7.
        hidden: width of the hidden layer, 1 .. 4096; 0 for none.
    """

    coarsest: int
    hidden: int = 0

    wire_id: ClassVar[int] = 6
    counterparts: ClassVar[Mapping[str, str]] = {
        "numba": "nfcodec.fields.table.numba:PyramidProgram",
        "torch": "nfcodec.fields.table.torch:TorchPyramid",
    }

    def __post_init__(self) -> None:
        arguments.set_whole(self, "coarsest", 0, MAX_LOG2_STRIDE)
        arguments.set_whole(self, "hidden", 0, MAX_HIDDEN)

    @property
    def log2_strides(self) -> tuple[int, ...]:
        return tuple(range(self.coarsest, -1, -1))

    @property
    def hidden_widths(self) -> tuple[int, ...]:
        return (self.hidden,) if self.hidden else ()

    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> tuple[int, ...]:
        return (ANY,)

    def parts(self, geometry: Geometry, order: int) -> list[Part]:
        shapes = {
            f"level{i}": LevelShape(*level.shape(geometry), level.log2_stride)
            for i, level in enumerate(self.levels(geometry.channels))
        }
        return [LevelsPart(shapes), *_others(self, geometry)]

    def pack(self) -> bytes:
        return bytes([self.coarsest]) + self.hidden.to_bytes(2, "little")

    @classmethod
    def unpack(cls, data: bytes) -> Pyramid:
        reader = ByteReader(data)
        coarsest, hidden = reader.u8(), reader.u16()
        reader.finish()
        try:
            return cls(coarsest, hidden)
        except UsageError as error:
            raise FormatError(str(error), code="field") from error
