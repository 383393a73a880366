"""Laplace distributions of the grids' entries as tables, by location and scale.

A location is in units of 1/32 of a symbol, as entries whose distribution is narrow are worth that precision; scales are
in eighths of an octave. docs/reference/format.md, "Entries of grids", is the normative text.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nfcodec.coding.entropy import TABLE_BITS
from nfcodec.coding.laplace import ESCAPE, MAX_SHIFT, OCTAVE_BITS, SCALES_PER_OCTAVE, laplace_frequencies
from nfcodec.exact.arithmetic import MAX_SYMBOL

LOCATION_BITS = 5
SMALLEST_LOG2 = -5
"""The smallest scale is 2^-5 of a symbol."""

N_TABLE_SCALES = 65
"""Scales 2^-5 .. 2^3 have tables; larger ones use those of 2^(17/8) .. 2^3, after a shift."""

MAX_SCALE = N_TABLE_SCALES - 1 + MAX_SHIFT * SCALES_PER_OCTAVE
MAX_LOCATION = MAX_SYMBOL << LOCATION_BITS
N_FRACTIONS = 1 << LOCATION_BITS
ESCAPE_BITS = 13
"""What exceeds ESCAPE is two numbers of so many bits."""

_FLOOR = 1 << 8

DECAYS = (
    395007542, 429190474, 463130302, 496607237, 529428476, 561428867, 592470630, 622442337, 651257337, 678851797,
    705182512, 730224596, 753969162, 776421055, 797596699, 817522092, 836230973, 853763180, 870163178, 885478791,
    899760092, 913058465, 925425813, 936913903, 947573834, 957455604, 966607779, 975077234, 982908970, 990145980,
    996829173, 1002997330, 1008687096, 1013932999, 1018767490, 1023220997, 1027321989, 1031097062, 1034571010,
    1037766921, 1040706261, 1043408965, 1045893524, 1048177074, 1050275481, 1052203421, 1053974460, 1055601130,
    1057095000, 1058466743, 1059726201, 1060882446, 1061943836, 1062918069, 1063812229, 1064632840, 1065385899,
    1066076925, 1066710993, 1067292768, 1067826536, 1068316239, 1068765495, 1069177631, 1069555701,
)  # fmt: skip
"""round(2^30 exp(-1 / (32 b))) for the scales b = 2^((i - 40) / 8): what 1/32 of a symbol takes off the tail."""


class Distributions(NamedTuple):
    """How entries are coded, each array (n,).

    Attributes:
        tables: numbers of tables.
        shifts: how many low bits are flat.
        starts: what a high part of 0 stands for.
    """

    tables: npt.NDArray[Any]
    shifts: npt.NDArray[Any]
    starts: npt.NDArray[Any]


@cache
def _frequencies() -> npt.NDArray[np.int64]:
    return laplace_frequencies(np.array(DECAYS), N_FRACTIONS, _FLOOR)


@cache
def table_ends() -> npt.NDArray[np.uint32]:
    """(tables, 2 ESCAPE + 2): frequencies of the high parts -ESCAPE .. ESCAPE, summed up from 0 to 2^24."""
    ends = np.zeros((N_TABLE_SCALES * N_FRACTIONS, 2 * ESCAPE + 2), np.uint32)
    np.cumsum(_frequencies(), axis=1, out=ends[:, 1:])
    return ends


@cache
def end_lists(table: int) -> list[int]:
    """A row of `table_ends`."""
    return table_ends()[table].tolist()


@cache
def table_bits() -> npt.NDArray[np.float32]:
    """(tables, 2 ESCAPE + 1): bits of high parts."""
    return (TABLE_BITS - np.log2(_frequencies())).astype(np.float32)


def distributions(locations: npt.NDArray[np.int32], scales: npt.NDArray[np.int32]) -> Distributions:
    """How entries of these locations (in 1/32) and scale indices are coded."""
    shifts = (np.maximum(scales - (N_TABLE_SCALES - 1), 0) + SCALES_PER_OCTAVE - 1) >> OCTAVE_BITS
    middles = (locations + N_FRACTIONS // 2) >> LOCATION_BITS
    fractions = np.where(shifts == 0, locations - (middles << LOCATION_BITS), 0)
    tables = (scales - SCALES_PER_OCTAVE * shifts) * N_FRACTIONS + fractions + N_FRACTIONS // 2
    return Distributions(tables, shifts, middles - (1 << shifts >> 1))


def bits_of(values: npt.NDArray[np.int32], locations: npt.NDArray[np.int32], scales: npt.NDArray[np.int32]) -> float:
    """Bits of entries (n,), to within what a stream rounds to."""
    tables, shifts, starts = distributions(locations, scales)
    high = (values - starts) >> shifts
    found = table_bits()[tables, np.clip(high, -ESCAPE, ESCAPE) + ESCAPE]
    n_escapes = int(np.count_nonzero(np.abs(high) >= ESCAPE))
    return math.fsum((found.sum(dtype=np.float64), shifts.sum(dtype=np.int64), 2 * ESCAPE_BITS * n_escapes))
