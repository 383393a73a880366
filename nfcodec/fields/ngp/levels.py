"""Levels of Instant-NGP's grid: tiny-cuda-nn's grid encoding, dense or hashed by its own rule, in its exact layout.

Mueller et al. 2022. docs/reference/format.md, "Hash levels", is the normative text.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nfcodec import arguments
from nfcodec.errors import UsageError
from nfcodec.exact.arithmetic import ACTIVATION_BITS, ExactArray, IntArray, Quantized, check_exact, rescale
from nfcodec.exact.geometry import AxisLookup, Geometry

HASH_FRACTION_BITS = 12
"""Positions inside a cell of a HashLevel are rounded down to multiples of 2^-12."""

HASH_PRIME = 2_654_435_761

AXIS, AXIS_BYTES = 2e-6, 24
"""Work and memory of each row and column, to find where they fall in a level."""

VERTICES, LOOKUP, CACHE_MISS, CACHED = 100e-9, 25e-9, 100e-9, 1 << 16
"""Work of a pixel in a level, to find its vertices; of each feature; and more where there are so many entries."""

USE, USE_ROW = 12e-9, 25e-6
"""Work of each vertex and of each row of vertices, to find the entries that a picture uses."""

MAX_LEVELS, LOG2_MAX_SIZE = 32, 24

SCALE_ERROR = 8e-6
"""By which implementations of tiny-cuda-nn's levels may differ in a scale, relative to it."""

FINEST_SCALE = 0.5 / SCALE_ERROR
"""Above it no scale is so far from an integer that all implementations round it alike."""

FEATURES = (1, 2, 4, 8)


@dataclass(frozen=True)
class UsedEntries:
    """Entries of a level's table.

    Attributes:
        index: their numbers: (rows, cols), as their vertices lie; or (1, n), increasing, where several vertices may
            share an entry.
        on_lattice: which of the two.
    """

    index: IntArray
    on_lattice: bool


@dataclass(frozen=True)
class HashLevel:
    """One level of tiny-cuda-nn's grid encoding (type Hash, CoherentPrime, Linear) over [0, 1]^2.

    The longer side of the picture fills [0, 1], so that cells are squares.

    Attributes:
        scale: positions are scale * (pixel centre) + 1/2; an exact float32 value.
        resolution: vertices a side, ceil(scale) + 1.
        size: entries in the table, a multiple of 8; the level is dense if resolution^2 <= size.
        features: 1, 2, 4 or 8.
    """

    scale: float
    resolution: int
    size: int
    features: int

    def __post_init__(self) -> None:
        scale = arguments.number("scale", self.scale, 65535.0, "a float32 over 0 and under 65535")
        if not (float(np.float32(scale)) == scale and scale < 65535):
            raise UsageError("a hash level's scale is a float32 in (0, 65535)")
        object.__setattr__(self, "scale", scale)
        for name, most in (("resolution", 1 << 16), ("size", 1 << LOG2_MAX_SIZE), ("features", FEATURES[-1])):
            arguments.set_whole(self, name, 1, most)
        if self.resolution != math.ceil(scale) + 1 or self.size % 8:
            raise UsageError(
                "a hash level has resolution ceil(scale) + 1 and a size that is a multiple of 8, up to 2^24"
            )
        if self.features not in FEATURES:
            raise UsageError("a hash level has 1, 2, 4 or 8 features")

    @property
    def shape(self) -> tuple[int, int]:
        """(entries, features)."""
        return self.size, self.features

    def axis(self, n_pixels: int, longer_side: int) -> AxisLookup:
        """Pixel centre (j + 1/2) / n to cell and fraction: floor(2^12 scale (2 j + 1) / (2 n)) + 2^11, exactly.

        Args:
            longer_side: of the picture, n above.
        """
        position = self._positions(0, n_pixels, longer_side)
        cell = position >> HASH_FRACTION_BITS
        return AxisLookup(cell, cell + 1, position - (cell << HASH_FRACTION_BITS), HASH_FRACTION_BITS)

    def _positions(self, start: int, stop: int, longer_side: int) -> IntArray:
        """Of pixels start .. stop - 1, in units of 2^-12 cells."""
        numerator, denominator = self.scale.as_integer_ratio()
        found = [
            (numerator * (2 * j + 1) << HASH_FRACTION_BITS) // (2 * longer_side * denominator)
            + (1 << (HASH_FRACTION_BITS - 1))
            for j in range(start, stop)
        ]
        return np.array(found, np.int64)

    def lookup_work(self, n_pixels: int) -> float:
        """Of the interpolation of all pixels."""
        return n_pixels * (VERTICES + self.features * LOOKUP + (CACHE_MISS if self.size > CACHED else 0))

    def axes(self, geometry: Geometry) -> tuple[AxisLookup, AxisLookup]:
        """Where the rows and the columns of a picture fall."""
        longer = max(geometry.height, geometry.width)
        return self.axis(geometry.height, longer), self.axis(geometry.width, longer)

    def vertices(self, geometry: Geometry) -> tuple[IntArray, IntArray]:
        """Those with a weight at some pixel: their rows, and their columns, increasing."""
        rows, cols = (np.unique(np.concatenate([a.low, a.high[a.fraction > 0]])) for a in self.axes(geometry))
        return rows, cols

    def is_on_lattice(self, geometry: Geometry) -> bool:
        """Whether each vertex that a picture uses has an entry of its own, as the last one on the longer side tells."""
        longer = max(geometry.height, geometry.width)
        last = self._positions(longer - 1, longer, longer)
        return self.is_dense and int(last[0] + (1 << HASH_FRACTION_BITS) - 1 >> HASH_FRACTION_BITS) < self.resolution

    @property
    def is_dense(self) -> bool:
        """Whether each vertex has an entry of its own, by tiny-cuda-nn's rule."""
        return self.resolution * self.resolution <= self.size

    def used(self, geometry: Geometry) -> UsedEntries:
        """The entries that a picture uses; all others say nothing, and are in no file."""
        rows, cols = self.vertices(geometry)
        if self.is_on_lattice(geometry):
            return UsedEntries(self.index(cols, rows[:, None]), True)
        mask = np.zeros(self.size, bool)
        for row in rows:
            mask[self.index(cols, row)] = True
        return UsedEntries(np.flatnonzero(mask)[None], False)

    def most_used(self, geometry: Geometry) -> int:
        """A bound on how many entries `used` finds, at once."""
        return min(self.size, math.prod(min(self.resolution + 1, 2 * n) for n in (geometry.height, geometry.width)))

    @property
    def touched(self) -> int:
        """A bound on how many entries of a table take memory: of a lattice those behind its vertices never do."""
        return min(self.size, self.resolution * self.resolution) if self.is_dense else self.size

    def use_work(self, geometry: Geometry) -> float:
        """Work of `used`."""
        rows, cols = (min(self.resolution + 1, 2 * n) for n in (geometry.height, geometry.width))
        return (geometry.height + geometry.width) * AXIS + rows * USE_ROW + rows * cols * USE + self.size * 2e-9

    def shares_entries(self, geometry: Geometry) -> bool:
        """Whether vertices that a picture uses have entries in common."""
        return self.used(geometry).index.size < math.prod(map(len, self.vertices(geometry)))

    def index(self, x: IntArray, y: IntArray) -> IntArray:
        """Table entry of vertex (x, y), broadcast; tiny-cuda-nn's `grid_index`."""
        if self.is_dense:
            return (x + y * self.resolution) % self.size
        return (x ^ (y * HASH_PRIME & 0xFFFFFFFF)) % self.size

    def evaluator(
        self, geometry: Geometry, table: Quantized, cols: slice = slice(None)
    ) -> tuple[Callable[[int, int], ExactArray], float]:
        """Interpolation of rows [start, stop), as (features, rows * columns) in units of 2^-16, and its bound.

        Args:
            cols: those that are wanted, one after the other.
        """
        y, x = self.axes(geometry)
        x = AxisLookup(x.low[cols], x.high[cols], x.fraction[cols], x.bits)
        unit, shift = 1 << HASH_FRACTION_BITS, ACTIVATION_BITS - 2 * HASH_FRACTION_BITS
        bound = check_exact(float(table.limit() * unit * unit), table.step, shift)

        def rows(start: int, stop: int) -> ExactArray:
            mixed = np.zeros((stop - start, len(x.low), self.features))
            fy = y.fraction[start:stop, None]
            for row, weight_y in ((y.low, unit - fy), (y.high, fy)):
                for col, weight_x in ((x.low, unit - x.fraction), (x.high, x.fraction)):
                    entries = table.symbols.take(self.index(col, row[start:stop, None]), axis=0)
                    mixed += entries * (weight_x * weight_y)[:, :, None]
            return np.transpose(rescale(mixed, table.step, shift).reshape(-1, self.features))

        return rows, bound


def hash_levels(
    n_levels: int, features: int, log2_table_size: int, base_resolution: int, per_level_scale: float
) -> tuple[HashLevel, ...]:
    """tiny-cuda-nn's levels for a configuration, with its scales evaluated in correctly rounded float32.

    Raises UsageError if a scale is too close to an integer for all implementations to agree on its resolution,
    unless `per_level_scale` is exactly 2 (see `safe_scale`).
    """
    n_levels = arguments.whole("n_levels", n_levels, 1, MAX_LEVELS)
    log2_table_size = arguments.whole("log2_table_size", log2_table_size, 1, LOG2_MAX_SIZE)
    base_resolution = arguments.whole("base_resolution", base_resolution, 2)
    per_level_scale = arguments.number("per_level_scale", per_level_scale, math.inf, "a number over 0")
    if per_level_scale != 2.0 and not _scales_are_safe(n_levels, base_resolution, per_level_scale):
        raise UsageError(f"per_level_scale {per_level_scale} puts a level too close to an integer; see safe_scale()")
    log2_scale = float(np.float32(np.log2(np.float64(np.float32(per_level_scale)))))
    levels: list[HashLevel] = []
    for level in range(n_levels):
        power = float(np.float32(np.exp2(np.float64(np.float32(level * log2_scale)))))
        scale = float(np.float32(float(np.float32(power * base_resolution)) - 1))
        resolution = int(np.ceil(scale)) + 1
        size = min(-(-resolution * resolution // 8) * 8, 1 << log2_table_size)
        levels.append(HashLevel(scale, resolution, size, features))
    return tuple(levels)


def safe_scale(n_levels: int, base_resolution: int, finest_resolution: float) -> float:
    """The growth factor nearest above that of instant-ngp whose level scales all stay clear of integers.

    Raises:
        UsageError: there is none, because the finest level has more than about 62,500 vertices a side.
    """
    n_levels = arguments.whole("n_levels", n_levels, 1, MAX_LEVELS)
    base_resolution = arguments.whole("base_resolution", base_resolution, 1)
    finest_resolution = arguments.number("finest_resolution", finest_resolution, math.inf, "a number over 0")
    growth = (finest_resolution / base_resolution) ** (1 / max(1, n_levels - 1))
    while not _scales_are_safe(n_levels, base_resolution, growth):
        if base_resolution * growth ** (n_levels - 1) - 1 > FINEST_SCALE:
            raise UsageError(
                f"{n_levels} levels from {base_resolution} to {finest_resolution:.6g} vertices a side: with more than"
                f" {FINEST_SCALE:,.0f} it is not certain which vertices float32 finds"
            )
        growth += 1e-5
    return float(np.float32(growth))


def _scales_are_safe(n_levels: int, base_resolution: int, growth: float) -> bool:
    scales = base_resolution * float(np.float32(growth)) ** np.arange(1, n_levels) - 1
    return bool(np.all(np.abs(scales - np.round(scales)) >= np.maximum(0.02, SCALE_ERROR * scales)))
