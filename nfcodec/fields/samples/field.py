"""A field that is the picture: an entry a pixel, whose features are the samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nfcodec.coding import packed
from nfcodec.coding.payload import ANY
from nfcodec.exact.arithmetic import OUTPUT_BITS, ExactArray, Quantized, check_exact, rescale
from nfcodec.exact.field import Field, Role, Tensor, tiles_cost
from nfcodec.exact.geometry import Geometry, Place, part_of, whole
from nfcodec.exact.part import Part, SymbolCoder, Symbols
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader

TENSOR = "level0"

SAMPLE, MORE_VALUES = 20e-9, 8
"""Work of a sample, and how many numbers a tile has in memory for each of its samples."""


@dataclass(frozen=True)
class Samples(Field):
    """The samples of each pixel, in the order of the chain; its value maps do not apply."""

    wire_id: ClassVar[int] = 7
    counterparts: ClassVar[Mapping[str, str]] = {}
    holds_samples: ClassVar[bool] = True

    def pack(self) -> bytes:
        return b""

    @classmethod
    def unpack(cls, data: bytes) -> Samples:
        ByteReader(data).finish()
        return cls()

    def layout(self, geometry: Geometry) -> list[Tensor]:
        return [Tensor(TENSOR, (geometry.height, geometry.width, geometry.channels), Role.TABLE)]

    def cost(self, geometry: Geometry) -> Cost:
        tiles = tiles_cost(geometry, 8 * MORE_VALUES * geometry.channels)
        return Cost(tiles.memory_bytes, SAMPLE * geometry.n_pixels * geometry.channels)

    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> tuple[int, ...]:
        return (ANY,)

    def parts(self, geometry: Geometry, order: int) -> list[Part]:
        return [PackedPart((geometry.height, geometry.width, geometry.channels))]

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        return self.window_evaluator(geometry, weights, whole(geometry))

    def window_cost(self, geometry: Geometry, place: Place) -> Cost:
        return self.cost(part_of(geometry, place))

    def window_evaluator(
        self, geometry: Geometry, weights: Mapping[str, Quantized], place: Place
    ) -> Callable[[int, int], ExactArray]:
        samples = weights[TENSOR]
        check_exact(samples.limit(), samples.step, OUTPUT_BITS)

        def rows(start: int, stop: int) -> ExactArray:
            features = np.moveaxis(samples.symbols[start:stop, place[1]], 2, 0).reshape(geometry.channels, -1)
            return rescale(features.astype(np.float64), samples.step, OUTPUT_BITS)

        return rows


class PackedPart(Part):
    """All symbols in the head, which is the rest of the payload, and none in the stream.

    Args:
        shape: of the tensor, (rows, cols, features).
    """

    def __init__(self, shape: packed.Shape) -> None:
        self._shape, self._packed = shape, b""

    def head(self, symbols: Symbols) -> bytes:
        return packed.pack(symbols[TENSOR])

    def read_head(self, reader: ByteReader) -> None:
        """What is packed is looked at only when the symbols are decoded, so that limits can come before."""
        self._packed = reader.rest()

    def cost(self, stream_bytes: int) -> Cost:
        return Cost(kept_bytes=len(self._packed)).then(packed.packed_cost(self._packed, math.prod(self._shape)))

    def code(self, coder: SymbolCoder, symbols: Symbols | None, known: Symbols) -> Symbols:
        return {TENSOR: packed.unpack(self._packed, self._shape) if symbols is None else symbols[TENSOR]}
