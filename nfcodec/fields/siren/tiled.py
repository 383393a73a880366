"""A SIREN for each tile of a picture: small networks learn faster than a large one, and go where the detail is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from nfcodec import arguments
from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import CALL, PARAMETER_BYTES, ExactArray, Quantized
from nfcodec.exact.field import Field, Tensor, rows_of_tile
from nfcodec.exact.geometry import Geometry, Place, common, part_of, places, whole, within
from nfcodec.exact.part import Part, Symbols
from nfcodec.fields.siren.field import MAX_FREQUENCIES, MAX_HIDDEN_LAYERS, MAX_WIDTH, Siren
from nfcodec.fields.siren.payload import matrix_orders, matrix_parts
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader


@dataclass(frozen=True)
class Tile:
    """A rectangle of the lattice and its network.

    Attributes:
        prefix: of the names of its tensors.
    """

    place: Place
    geometry: Geometry
    siren: Siren
    prefix: str


@dataclass(frozen=True)
class TiledSiren(Field):
    """`rows` x `cols` tiles of nearly equal size, each with a SIREN of its own on coordinates -1 .. 1.

    Attributes:
        rows, cols: 1 .. 255.
        widths: of each tile's network, row by row, as `Siren`'s; 1 .. 4096.
        hidden_layers, frequencies: as `Siren`'s, of all tiles.
    """

    rows: int
    cols: int
    widths: tuple[int, ...]
    hidden_layers: int = 3
    frequencies: int = 0

    wire_id: ClassVar[int] = 2
    counterparts: ClassVar[Mapping[str, str]] = {}
    """Engines fit one network at a time."""

    def __post_init__(self) -> None:
        arguments.set_whole(self, "rows", 1, 255)
        arguments.set_whole(self, "cols", 1, 255)
        n_tiles = self.rows * self.cols
        arguments.set_wholes(self, "widths", (n_tiles, n_tiles), 1, MAX_WIDTH)
        arguments.set_whole(self, "hidden_layers", 0, MAX_HIDDEN_LAYERS)
        arguments.set_whole(self, "frequencies", 0, MAX_FREQUENCIES)

    def _siren(self, width: int) -> Siren:
        return Siren(width, self.hidden_layers, frequencies=self.frequencies)

    def tiles(self, geometry: Geometry) -> list[Tile]:
        """All tiles, row by row. Raises FormatError if there are more than pixels."""
        if self.rows > geometry.height or self.cols > geometry.width:
            raise FormatError("there are more tiles than pixels", code="field")
        return [
            Tile(place, part_of(geometry, place), self._siren(width), f"tile{i}.")
            for i, (place, width) in enumerate(zip(places(geometry, self.rows, self.cols), self.widths, strict=True))
        ]

    def layout(self, geometry: Geometry) -> list[Tensor]:
        return [
            replace(tensor, name=tile.prefix + tensor.name)
            for tile in self.tiles(geometry)
            for tensor in tile.siren.layout(tile.geometry)
        ]

    def macs_per_pixel(self, geometry: Geometry) -> int:
        """Multiplications that evaluating one pixel takes, on average."""
        macs = sum(tile.siren.macs_per_pixel(geometry) * tile.geometry.n_pixels for tile in self.tiles(geometry))
        return -(-macs // geometry.n_pixels)

    def n_tensors(self, geometry: Geometry) -> int:
        return len(self.widths) * len(self._siren(1).layout(geometry))

    def cost(self, geometry: Geometry) -> Cost:
        return self.window_cost(geometry, whole(geometry))

    def window_cost(self, geometry: Geometry, place: Place) -> Cost:
        total, part = Cost(), part_of(geometry, place)
        for tile in self.tiles(geometry):
            seen = common(tile.place, place)
            if seen is not None:
                network = PARAMETER_BYTES * tile.siren.n_parameters(tile.geometry)
                cost = tile.siren.window_cost(tile.geometry, within(seen, tile.place))
                total = total.then(cost.keeping(network))
        n_bands = -(-part.height // rows_of_tile(part)) + self.rows
        calls = Cost(work=CALL * (2 + self.hidden_layers) * self.cols * n_bands)
        return total.then(calls).keeping(0)

    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> tuple[int, ...]:
        return matrix_orders(self.layout(geometry), symbols, differences=True)

    def parts(self, geometry: Geometry, order: int) -> list[Part]:
        return matrix_parts(self.layout(geometry), order, differences=True)

    def pack(self) -> bytes:
        widths = b"".join(width.to_bytes(2, "little") for width in self.widths)
        return bytes([self.rows, self.cols, self.hidden_layers, self.frequencies]) + widths

    @classmethod
    def unpack(cls, data: bytes) -> TiledSiren:
        reader = ByteReader(data)
        rows, cols, hidden_layers, frequencies = (reader.u8() for _ in range(4))
        widths = tuple(reader.u16() for _ in range(rows * cols))
        reader.finish()
        try:
            return cls(rows, cols, widths, hidden_layers, frequencies)
        except UsageError as error:
            raise FormatError(str(error), code="field") from error

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        return self.window_evaluator(geometry, weights, whole(geometry))

    def window_evaluator(
        self, geometry: Geometry, weights: Mapping[str, Quantized], place: Place
    ) -> Callable[[int, int], ExactArray]:
        evaluators = [
            (each, tile.siren.window_evaluator(tile.geometry, own, within(each, tile.place)), tile.place[0].start)
            for tile in self.tiles(geometry)
            if (each := common(tile.place, place)) is not None
            for own in [{name: weights[tile.prefix + name] for name in _names(tile)}]
        ]
        left, width = place[1].start, place[1].stop - place[1].start

        def rows(start: int, stop: int) -> ExactArray:
            out: ExactArray = np.empty((geometry.channels, stop - start, width))
            for (down, across), evaluate, first in evaluators:
                top, bottom = max(start, down.start), min(stop, down.stop)
                if top < bottom:
                    values = evaluate(top - first, bottom - first).reshape(len(out), bottom - top, -1)
                    out[:, top - start : bottom - start, across.start - left : across.stop - left] = values
            return out.reshape(geometry.channels, -1)

        return rows


def _names(tile: Tile) -> list[str]:
    """Of its tensors, in its own network."""
    return [tensor.name for tensor in tile.siren.layout(tile.geometry)]
