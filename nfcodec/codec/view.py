"""What of a picture a reader asks for: all of it or a region, at its size or at a fraction of it.

docs/reference/format.md, "Regions and smaller pictures", is the normative text.
"""

from __future__ import annotations

from dataclasses import dataclass

from nfcodec import arguments
from nfcodec.errors import UsageError
from nfcodec.exact.field import Decodable, Field
from nfcodec.exact.geometry import Geometry, Place, part_of, whole

Region = tuple[int, int, int, int]
"""Left column, upper row, width and height, in pixels of the whole picture."""

MAX_SCALE = 128


@dataclass(frozen=True)
class View:
    """A region of a picture, and by how much it is reduced; numbers may be numpy's. UsageError for other values.

    Attributes:
        region: None for all of the picture.
        scale: 1, 2, 4, .. 128: each pixel stands for up to scale x scale pixels of the picture.
    """

    region: Region | None = None
    scale: int = 1

    def __post_init__(self) -> None:
        scale = arguments.whole("scale", self.scale, 1)
        if scale > MAX_SCALE or scale & (scale - 1):
            raise UsageError(f"scale must be 1 or a power of two up to {MAX_SCALE}, not {self.scale}")
        object.__setattr__(self, "scale", scale)
        if self.region is not None:
            x, y, width, height = arguments.items("region", self.region, 4, 4, "whole numbers: x, y, width, height")
            left, top = arguments.whole("region's x", x, 0), arguments.whole("region's y", y, 0)
            size = arguments.whole("region's width", width, 1), arguments.whole("region's height", height, 1)
            object.__setattr__(self, "region", (left, top, *size))

    @property
    def is_whole(self) -> bool:
        """Whether it is nothing but the picture."""
        return self.region is None and self.scale == 1

    def place(self, geometry: Geometry) -> Place:
        """The rows and columns of the picture that the view is made of: the region and the rest of its blocks.

        Raises:
            UsageError: the region is not inside the picture.
        """
        if self.region is None:
            return whole(geometry)
        x, y, width, height = self.region
        if x + width > geometry.width or y + height > geometry.height:
            raise UsageError(
                f"the region {x},{y},{width},{height} is not inside the picture of "
                f"{geometry.width} x {geometry.height} pixels"
            )
        return self._blocks(y, y + height, geometry.height), self._blocks(x, x + width, geometry.width)

    def _blocks(self, start: int, stop: int, size: int) -> slice:
        """The pixels of an axis in the blocks that some pixels lie in."""
        scale = self.scale
        return slice(start // scale * scale, min(size, -(-stop // scale) * scale))

    def size(self, geometry: Geometry) -> Geometry:
        """What the view amounts to, in rows and columns. Raises as `place`."""
        part = part_of(geometry, self.place(geometry))
        return Geometry(-(-part.height // self.scale), -(-part.width // self.scale), part.channels)


WHOLE = View()


@dataclass(frozen=True)
class Reading:
    """What has to be decoded for a view.

    Attributes:
        source: what makes symbols, and outputs of them.
        geometry: the lattice of all its outputs.
        place: the rectangle of it that is evaluated.
        scale: by how much that is still to be reduced.
    """

    source: Decodable
    geometry: Geometry
    place: Place
    scale: int

    @property
    def part(self) -> Geometry:
        """The lattice of the rectangle alone."""
        return part_of(self.geometry, self.place)


def reading(view: View, field: Field, geometry: Geometry, *, alpha: bool) -> Reading:
    """How to get a view of a picture.

    Args:
        alpha: whether the picture has it. Pixels count by it, so that colours are means of blocks then.
    """
    place = view.place(geometry)
    coarser = None if view.scale == 1 or alpha else field.coarser(geometry, view.scale)
    if coarser is None:
        return Reading(field, geometry, place, view.scale)
    source, size = coarser
    rows, cols = (slice(each.start // view.scale, -(-each.stop // view.scale)) for each in place)
    return Reading(source, size, (rows, cols), 1)
