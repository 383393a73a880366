"""The subbands of a dyadic wavelet transform whose coefficients lie in place, at the pixels that they belong to.

A plane of S levels keeps, at rows and columns that are multiples of 2^S, the smooth remainder ("LL"), and for each
level l = S .. 1, with h = 2^(l-1), three bands of details: at odd multiples of h in x only ("HL"), in y only ("LH"),
and in both ("HH"). Every pixel belongs to exactly one band. docs/format.md, section 3.2, is the normative text.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LEVELS = 7

HL, LH, HH, LL = range(4)

_PLACES = {HL: (0, 1), LH: (1, 0), HH: (1, 1), LL: (0, 0)}


@dataclass(frozen=True)
class Band:
    """One subband of a plane.

    Attributes:
        level: 1 (finest) .. the number of levels; the remainder has that of the coarsest details (0 without any).
        orientation: HL, LH, HH or LL.
        rows, cols: where its entries lie in the plane.
        shape: how many there are.
    """

    level: int
    orientation: int
    rows: slice
    cols: slice
    shape: tuple[int, int]

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]


def bands(height: int, width: int, n_levels: int) -> list[Band]:
    """All bands of a plane, in the order in which files hold them; some may be empty."""
    return [_band(height, width, n_levels, LL)] + [
        _band(height, width, level, orientation) for level in range(n_levels, 0, -1) for orientation in (HL, LH, HH)
    ]


def _band(height: int, width: int, level: int, orientation: int) -> Band:
    stride = 1 << level
    row, col = (place * stride // 2 for place in _PLACES[orientation])
    rows, cols = slice(row, None, stride), slice(col, None, stride)
    return Band(level, orientation, rows, cols, (len(range(height)[rows]), len(range(width)[cols])))
