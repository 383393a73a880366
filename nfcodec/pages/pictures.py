"""Pictures as a page shows them: PNG of 8 bits, and smaller ones where a browser or a mail would choke on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.images.files import image_bytes
from nfcodec.pages.differences import lengths, starts
from nfcodec.raster import Raster, Samples

MOST_PIXELS, LONGEST_SIDE = 4_000_000, 16_384
"""Of a picture on a page. Larger ones make pages of tens of megabytes, and browsers do not show longer ones."""


@dataclass(frozen=True)
class Shown:
    """How large a page shows pictures of one size.

    Attributes:
        factor: each pixel on the page is the mean of so many in a row and column.
    """

    factor: int

    @classmethod
    def of(cls, height: int, width: int) -> Shown:
        """For pictures of a size."""
        by_area = math.ceil(math.sqrt(height * width / MOST_PIXELS))
        factor = max(1, by_area, math.ceil(max(height, width) / LONGEST_SIDE))
        return cls(factor)

    @property
    def note(self) -> str | None:
        """A sentence on what is not shown; None where all pixels are."""
        if self.factor == 1:
            return None
        n = self.factor
        return (
            f"The pictures are too large for a page: each pixel that it shows is the mean of {n} x {n} pixels, so fine"
            f" differences are hidden, and each one of the map is their RMS error. All numbers are those of the whole"
            f" pictures; nfcodec compare --diff writes the map with all pixels."
        )

    def png(self, raster: Raster, icc: bytes | None = None) -> bytes:
        """A picture for the page, without metadata but for an ICC profile."""
        samples, alpha = (None if each is None else self._reduced(each) for each in (raster.samples, raster.alpha))
        assert samples is not None
        return image_bytes(Raster(samples, alpha, {"icc": icc} if icc else {}), "png", fast=True)

    def _reduced(self, plane: Samples) -> npt.NDArray[np.uint8]:
        """Means of squares, and of 16 bits the upper 8."""
        if self.factor > 1:
            plane = _means(plane, self.factor)
        return plane if plane.dtype == np.uint8 else (plane >> 8).astype(np.uint8)  # pyright: ignore[reportReturnType]


def _means(plane: Samples, factor: int) -> Samples:
    """(H, W, ..) to (ceil(H / factor), ceil(W / factor), ..); squares at the border are smaller."""
    height, width = plane.shape[:2]
    rows, columns = starts(height, factor), starts(width, factor)
    counts = np.outer(lengths(rows, height), lengths(columns, width)).astype(np.uint64)
    counts = counts.reshape(counts.shape + (1,) * (plane.ndim - 2))
    sums = np.add.reduceat(plane, rows, axis=0, dtype=np.uint32)
    sums = np.add.reduceat(sums, columns, axis=1, dtype=np.uint64)
    return ((sums + counts // 2) // counts).astype(plane.dtype)  # pyright: ignore[reportReturnType]
