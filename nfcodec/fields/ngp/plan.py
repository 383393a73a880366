"""Which Instant-NGP to fit when the user names only the family."""

from __future__ import annotations

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp

LOG2_TABLE_SIZES = (8, 19)
"""Of the entries of a level's table: the least and the largest."""


def default_ngp(geometry: Geometry) -> Ngp:
    """The paper's field for images, with tables of about as many entries as there are pixels."""
    least, largest = LOG2_TABLE_SIZES
    log2_pixels = (geometry.n_pixels - 1).bit_length()
    return Ngp.instant(max(geometry.height, geometry.width), min(largest, max(least, log2_pixels)))
