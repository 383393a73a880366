"""Which Instant-NGP to fit: what the user says of it, and the rest from the picture, its chain and the target."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from nfcodec.errors import UsageError
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import MAX_HIDDEN, MAX_WIDTH, Ngp
from nfcodec.fields.ngp.levels import FEATURES, LOG2_MAX_SIZE, MAX_LEVELS, HashLevel
from nfcodec.fitting.picture import Picture

MOST_LEVELS = 8
"""Of a picture with structure. One without has two: entries for each pixel, and a level that all share."""

GROWTH = 2.0
"""From a level's scale to the next, or less where there are too many levels for that."""

ROUGH = 0.7
"""Where neighbours differ by this share of what any two pixels do, coarse levels have nothing to say."""

LEAN_DB = 42.0
"""Up to this target one number a pixel and coarser levels of more do for all colours."""

SPARSE = 8
"""Tables with so many entries for each one used are hashed."""

WIDTHS, ROUGH_WIDTHS = (16, 16), (8, 8)
"""Of the hidden layers, and those of a picture whose pixels say nothing of each other. Wider ones made larger files."""

COARSENESS, ROUGH_COARSENESS = 3.4, 2.9
"""Quantizer step of the entries over the root mean squared error that the target allows. For an error of equal
distribution it would be sqrt 12; of rough pictures hardly an entry is 0, and the network makes steps coarser by
itself."""


@dataclass(frozen=True)
class Sizes:
    """What a user may say of a field; None leaves it to the picture.

    Attributes:
        levels: how many, 1 .. 32, up to one entry a pixel.
        table: log2 of the most entries of a level, 3 .. 24: a level of more vertices is hashed.
        features: of each level, 1, 2, 4 or 8.
        hidden: widths of 1 .. 16 hidden layers, each 1 .. 4096.
    """

    levels: int | None = None
    table: int | None = None
    features: int | None = None
    hidden: tuple[int, ...] | None = None

    @classmethod
    def parse(cls, text: str) -> Sizes:
        """Read "levels=8,table=14,features=2,hidden=32x32"; any of them, in any order. Raises UsageError."""
        found: dict[str, tuple[int, ...]] = {}
        for each in text.split(","):
            name, _, value = each.partition("=")
            if name not in _RANGES:
                raise UsageError(f"an ngp field has no {name!r}; it has {_MEANINGS}")
            numbers = value.split("x") if name == "hidden" else [value]
            if name in found or not all(_NUMBER.match(number) and int(number) in _RANGES[name] for number in numbers):
                raise UsageError(f"{each!r} makes no ngp field; there may be {_MEANINGS}")
            found[name] = tuple(map(int, numbers))
        if len(found.get("hidden", ())) > MAX_HIDDEN:
            raise UsageError(f"an ngp field has 1 to {MAX_HIDDEN} hidden layers")
        one = {name: numbers[0] for name, numbers in found.items() if name != "hidden"}
        return cls(**one, hidden=found.get("hidden"))


_NUMBER = re.compile(r"[0-9]{1,4}\Z")
"""Of any size that there may be."""

_RANGES = {
    "levels": range(1, MAX_LEVELS + 1),
    "table": range(3, LOG2_MAX_SIZE + 1),
    "features": FEATURES,
    "hidden": range(1, MAX_WIDTH + 1),
}
_MEANINGS = (
    f"levels=1..{MAX_LEVELS}, table=3..{LOG2_MAX_SIZE} (log2 of its entries), "
    f"features={'|'.join(map(str, FEATURES))}, hidden=WIDTHxWIDTH.. (1..{MAX_WIDTH} each)"
)


def sized_ngp(picture: Picture, psnr_db: float, sizes: Sizes) -> Ngp:
    """The field for a picture at a target, as far as `sizes` leaves it open.

    The finest level has an entry for each pixel, its scale being the longer side; scales fall by 2 from one level to
    the next. Tables have room for all vertices, unless most of them lie outside the picture.
    """
    geometry, is_rough = picture.geometry, roughness(picture) > ROUGH
    scales = _scales(max(geometry.height, geometry.width), sizes.levels or (2 if is_rough else MOST_LEVELS), is_rough)
    coarse = 1 if geometry.channels == 1 else 4
    fine = 1 if not is_rough and psnr_db <= LEAN_DB and len(scales) > 1 else coarse
    features = [sizes.features or each for each in [*[coarse] * (len(scales) - 1), fine]]
    levels = (_level(scale, each, geometry, sizes.table) for scale, each in zip(scales, features, strict=True))
    return Ngp(tuple(levels), sizes.hidden or (ROUGH_WIDTHS if is_rough else WIDTHS))


def of_part(field: Ngp, whole: Geometry, part: Geometry) -> Ngp:
    """A field that does on a part of a picture what a field does on the whole: as much detail in smaller tables."""
    ratio = max(part.height, part.width) / max(whole.height, whole.width)
    levels = (
        _level(max(0.5, round(2 * level.scale * ratio) / 2), level.features, part, None) for level in field.levels
    )
    return Ngp(tuple(levels), field.hidden)


def coarseness_of(picture: Picture) -> float:
    """How coarse the entries' quantizer steps should be, as `COARSENESS` has it."""
    return ROUGH_COARSENESS if roughness(picture) > ROUGH else COARSENESS


def roughness(picture: Picture) -> float:
    """Mean squared difference of neighbouring samples over that of any two: near 0 for smooth pictures, 1 for noise."""
    geometry = picture.geometry
    samples = picture.samples.reshape(geometry.height, geometry.width, geometry.channels).astype(np.float32)
    spread = 2 * float(samples.var(axis=(0, 1), dtype=np.float64).sum())
    differences = [np.square(np.diff(samples, axis=axis)).sum(axis=2) for axis in (0, 1)]
    n = sum(each.size for each in differences)
    return sum(float(each.sum(dtype=np.float64)) for each in differences) / n / spread if n and spread else 0.0


def _scales(side: int, n_levels: int, is_rough: bool) -> list[float]:
    """Of levels from coarse to fine; the last one puts each pixel of the longer side on a vertex of its own.

    The others end in 1/2, so that no pixel lies between the last vertex of a row and the first of the next.
    """
    growth = float(side) if is_rough and n_levels == 2 else min(GROWTH, side ** (1 / max(1, n_levels - 1)))
    vertices = [math.ceil(side / growth**k) for k in range(n_levels - 1, 0, -1)]
    enough = [n for i, n in enumerate(vertices) if n > 1 or i == len(vertices) - 1 or vertices[i + 1] > 1]
    return [*(n - 0.5 for n in enough), float(side)]


def _level(scale: float, features: int, geometry: Geometry, log2_size: int | None) -> HashLevel:
    resolution = math.ceil(scale) + 1
    dense = -(-(resolution**2) // 8) * 8
    if log2_size is not None:
        return HashLevel(scale, resolution, min(dense, 1 << log2_size), features)
    longer = max(geometry.height, geometry.width)
    used = math.prod(math.ceil(scale * n / longer) + 1 for n in (geometry.height, geometry.width))
    if dense <= min(SPARSE * used, 1 << LOG2_MAX_SIZE):
        return HashLevel(scale, resolution, dense, features)
    for log2 in range(max(3, (used - 1).bit_length()), LOG2_MAX_SIZE):
        level = HashLevel(scale, resolution, 1 << log2, features)
        if not level.shares_entries(geometry):
            return level
    return HashLevel(scale, resolution, 1 << LOG2_MAX_SIZE, features)
