"""The field of grids: what a file describes.

docs/reference/format.md, "Grids", is the normative text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from nfcodec import arguments
from nfcodec.coding.payload import ANY
from nfcodec.coding.tensors import ColumnsPart
from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import ExactArray, Quantized, layers_cost
from nfcodec.exact.field import TILE_PIXELS, Field, Role, Tensor, rows_of_tile, tiles_cost
from nfcodec.exact.geometry import Geometry, Place, grown, part_of, whole
from nfcodec.exact.part import Part, Symbols
from nfcodec.fields.grid.payload import LATENTS, LatentsPart
from nfcodec.fields.grid.shape import MOST_MAPPED_GRIDS, NEIGHBOURS, Lattice, lattices
from nfcodec.fields.grid.synthesis import REACH, Synthesis
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader

MAX_LEVELS, MAX_MAPPED, MAX_HIDDEN = 12, 16, 256

TILE_ROWS, MAX_TILE_PIXELS = 32, 1 << 17
"""Rows of a tile, which are evaluated with two more above and below; and its pixels, where rows are long."""

WINDOW_REACH = 16
"""A rectangle takes no more than if it had so many more pixels on all sides, and the picture ended there."""

RESAMPLING, NEAR, NEAR_VALUES = 7e-9, 40e-9, 16
"""Work of a number of a grid at the picture's size, and of an output of the layers that see neighbours; and how many
numbers these layers have in memory for each such output."""


@dataclass(frozen=True)
class Grid(Field):
    """Grids at 1:1, 1:2, .. of the picture's size, each of one feature; networks that predict and read them.

    Attributes:
        n_levels: latent grids, 1 .. 12.
        n_hyper: of the coarsest levels have a hyperlatent grid, too; none of the three finest levels.
        n_neighbours: entries of the same grid that predict an entry, 1 .. 14.
        n_mapped: numbers that the entropy model makes of coarser grids, 0 .. 16.
        n_hidden: neurons of the network that reads the samples, 1 .. 256.
    """

    n_levels: int = 7
    n_hyper: int = 3
    n_neighbours: int = 14
    n_mapped: int = 6
    n_hidden: int = 48

    wire_id: ClassVar[int] = 8
    counterparts: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        arguments.set_whole(self, "n_levels", 1, MAX_LEVELS)
        arguments.set_whole(self, "n_hyper", 0, max(0, self.n_levels - MOST_MAPPED_GRIDS))
        arguments.set_whole(self, "n_neighbours", 1, len(NEIGHBOURS))
        arguments.set_whole(self, "n_mapped", 0, MAX_MAPPED)
        arguments.set_whole(self, "n_hidden", 1, MAX_HIDDEN)

    @property
    def n_inputs(self) -> int:
        """Numbers that an entry is predicted from, and the width of the entropy model."""
        return self.n_neighbours + self.n_mapped

    def lattices(self, geometry: Geometry) -> list[Lattice]:
        """See `shape.lattices`."""
        return lattices(geometry, self.n_levels, self.n_hyper)

    @property
    def n_coarser(self) -> list[int]:
        """For each grid that sees coarser ones, how many: all behind it in the order of `lattices`."""
        n_grids = self.n_levels + self.n_hyper
        return [n_grids - 1 - i for i in range(min(MOST_MAPPED_GRIDS, self.n_levels - 1))]

    def n_entries(self, geometry: Geometry) -> int:
        """Of all grids."""
        return sum(lattice.size for lattice in self.lattices(geometry))

    def layout(self, geometry: Geometry) -> list[Tensor]:
        """The tensors; `docs/reference/format.md` says what each row is."""
        n, channels, n_maps = self.n_inputs, geometry.channels, len(self.n_coarser)
        matrix, bias = Role.MATRIX, Role.BIAS
        return [
            Tensor("latents", (self.n_entries(geometry), 1), Role.TABLE),
            Tensor("entropy", (2 * n + 4, n), matrix),
            Tensor("entropy_bias", (2 * n + 2,), bias),
            Tensor("maps", (self.n_mapped, sum(self.n_coarser)), matrix),
            Tensor("map_bias", (n_maps * self.n_mapped,), bias),
            Tensor("filters", (2 * (self.n_levels - 1), 4), matrix),
            Tensor("synthesis", (self.n_hidden + channels, self.n_levels), matrix),
            Tensor("out", (channels, self.n_hidden), matrix),
            Tensor("near", (2 * channels, 9 * channels), matrix),
            Tensor("synthesis_bias", (self.n_hidden + 3 * channels,), bias),
            Tensor("scale", (channels, 1), matrix),
            Tensor("offset", (channels,), bias),
        ]

    def tile_pixels(self, geometry: Geometry) -> int:
        return max(TILE_PIXELS, min(MAX_TILE_PIXELS, TILE_ROWS * geometry.width))

    def cost(self, geometry: Geometry) -> Cost:
        n_pixels, channels, n_levels = geometry.n_pixels, geometry.channels, self.n_levels
        tile_pixels = self.tile_pixels(geometry)
        rows = rows_of_tile(geometry, tile_pixels)
        with_borders = min(geometry.height, rows + 2 * REACH)
        again = with_borders / rows
        half = sum(lattice.size for lattice in self.lattices(geometry)[1:2])
        kept = Cost(8 * n_levels * half * 5 / 4, RESAMPLING * n_levels * half * 4 / 3, 8 * n_levels * half)
        resampled = n_levels * (4 * with_borders + 7)  # rows of numbers, with what doubling has in between
        read = (n_levels + NEAR_VALUES * channels) * with_borders
        tiles = tiles_cost(geometry, -(-8 * max(resampled, read) // rows), tile_pixels)
        network = layers_cost(int(again * n_pixels), [n_levels, self.n_hidden + channels, channels])
        work = again * n_pixels * (RESAMPLING * n_levels + NEAR * channels)
        return kept.then(tiles.keeping(tiles.memory_bytes)).then(network).then(Cost(work=work)).keeping(0)

    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> tuple[int, ...]:
        return (ANY,)

    def parts(self, geometry: Geometry, order: int) -> list[Part]:
        """See `Field.parts`; entries come last, as the network that predicts them comes before."""
        others = (ColumnsPart(tensor) for tensor in self.layout(geometry) if tensor.name != LATENTS)
        return [*others, LatentsPart(self, geometry)]

    def pack(self) -> bytes:
        return bytes([self.n_levels, self.n_hyper, self.n_neighbours, self.n_mapped, self.n_hidden - 1])

    @classmethod
    def unpack(cls, data: bytes) -> Grid:
        reader = ByteReader(data)
        n_levels, n_hyper, n_neighbours, n_mapped, last = (reader.u8() for _ in range(5))
        reader.finish()
        try:
            return cls(n_levels, n_hyper, n_neighbours, n_mapped, last + 1)
        except UsageError as error:
            raise FormatError(str(error), code="field") from error

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        return self.window_evaluator(geometry, weights, whole(geometry))

    def window_cost(self, geometry: Geometry, place: Place) -> Cost:
        return self.cost(part_of(geometry, grown(geometry, place, WINDOW_REACH)))

    def window_evaluator(
        self, geometry: Geometry, weights: Mapping[str, Quantized], place: Place
    ) -> Callable[[int, int], ExactArray]:
        return Synthesis(self, geometry, weights, place).rows
