"""Coding integers whose distribution is known: tables of Laplace distributions by location and scale.

A location is in eighths, a scale in eighths of an octave; both come from a context network in integers, so all of
this is integers. Wide distributions are coded by their high part, with the low bits flat; what lies far outside by an
escape. docs/reference/format.md, "Laplace tables", is the normative text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.coding.adaptive import frequencies
from nfcodec.coding.entropy import TABLE_TOTAL, Int64Array
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL, SymbolArray
from nfcodec.exact.part import SymbolCoder, Table
from nfcodec.kernels import compiled
from nfcodec.limits import Cost

LOCATION_BITS = 3
OCTAVE_BITS = 3
SCALES_PER_OCTAVE = 1 << OCTAVE_BITS
SMALLEST_LOG2 = -4
"""The smallest scale is 2^-4 of a symbol."""

N_TABLE_SCALES = 57
"""Scales 2^-4 .. 2^3 have tables; larger ones use those of 2^(17/8) .. 2^3, after a shift."""

MAX_SHIFT = 12
MAX_SCALE = N_TABLE_SCALES - 1 + MAX_SHIFT * SCALES_PER_OCTAVE
ESCAPE = 64
"""High parts of this magnitude or more are escapes."""

_FLOOR = 1 << 13
"""Added to every symbol's weight, out of 2^31: what the tables leave for the unexpected."""

SYMBOL, RUN, RUN_BYTES = 0.14e-6, 2e-3, 120
"""Work of a symbol and of a run, and memory of each symbol of a run."""

_ESCAPE_BITS = 13
_FRACTIONS = 1 << LOCATION_BITS

N_TABLES = N_TABLE_SCALES * _FRACTIONS

_COMPILED_FROM = 1 << 11
"""Coefficients of a run that is worth a call of a compiled loop."""

DECAYS = (
    145315154, 171553775, 199759078, 229681607, 261044606, 293555085, 326914198, 360826461, 395007542, 429190474,
    463130302, 496607237, 529428476, 561428867, 592470630, 622442337, 651257337, 678851797, 705182512, 730224596,
    753969162, 776421055, 797596699, 817522092, 836230973, 853763180, 870163178, 885478791, 899760092, 913058465,
    925425813, 936913903, 947573834, 957455604, 966607779, 975077234, 982908970, 990145980, 996829173, 1002997330,
    1008687096, 1013932999, 1018767490, 1023220997, 1027321989, 1031097062, 1034571010, 1037766921, 1040706261,
    1043408965, 1045893524, 1048177074, 1050275481, 1052203421, 1053974460, 1055601130, 1057095000,
)  # fmt: skip
"""round(2^30 exp(-1 / (8 b))) for the scales b = 2^((i - 32) / 8): what an eighth of a symbol takes off the tail."""


@cache
def _tables() -> list[Table]:
    """Frequencies of the high parts -ESCAPE .. ESCAPE, at scale * 8 + location mod 8 + 4."""
    return [Table(row) for row in laplace_frequencies(np.array(DECAYS), _FRACTIONS, _FLOOR)]


def laplace_frequencies(decays: Int64Array, n_fractions: int, floor: int) -> Int64Array:
    """Frequencies (scales * fractions, 2 ESCAPE + 1) of the high parts -ESCAPE .. ESCAPE.

    Args:
        decays: for each scale what one fraction of a symbol takes off the tail, in units of 2^-30.
        n_fractions: locations within a symbol, from half a symbol below it on.
        floor: added to every symbol's weight, out of 2^31.
    """
    half = n_fractions // 2
    tail = np.empty((len(decays), n_fractions * (ESCAPE + 1)), np.int64)
    tail[:, 0] = 1 << 30
    for j in range(1, tail.shape[1]):
        tail[:, j] = tail[:, j - 1] * decays >> 30
    fractions = np.arange(-half, half)
    edges = n_fractions * np.arange(-ESCAPE, ESCAPE) + half - fractions[:, None]  # between symbols, from the location
    below = np.where(edges < 0, tail[:, np.abs(edges)], (1 << 31) - tail[:, np.abs(edges)])
    ends = np.zeros((*below.shape[:2], 1), np.int64)
    weights = np.diff(np.concatenate([ends, below, ends + (1 << 31)], axis=2)) + floor
    return frequencies(weights.reshape(-1, 2 * ESCAPE + 1))


def scale_index(eighth_octaves: SymbolArray) -> npt.NDArray[Any]:
    """The index of a scale 2^(x / 8), within 0 .. MAX_SCALE."""
    return np.clip(eighth_octaves - SMALLEST_LOG2 * SCALES_PER_OCTAVE, 0, MAX_SCALE)


def code_laplace(
    coder: SymbolCoder, locations: SymbolArray, scales: SymbolArray, values: SymbolArray | None
) -> SymbolArray:
    """Code a run of integers, each with its own location (in eighths) and scale index; a decoder passes None.

    All arrays are (n,); magnitudes of values are at most MAX_SYMBOL, those of locations at most 8 MAX_SYMBOL.

    Raises:
        FormatError: a decoded value is larger.
    """
    groups = _Groups.of(locations, scales)
    residual = None if values is None else values - groups.starts
    shifts = _shifts(scales) if groups.largest_shift else None
    high_in = residual if residual is None or shifts is None else residual >> shifts
    high = groups.code(coder, None if high_in is None else np.clip(high_in, -ESCAPE, ESCAPE))
    coded = high
    if shifts is not None or _largest(high) == ESCAPE:
        coded = high.astype(np.int64)
        if shifts is not None:
            coded <<= shifts
            low_in = None if residual is None else residual & ((1 << shifts) - 1)
            for shift in np.unique(shifts[shifts > 0]):
                here = shifts == shift
                low = code_flat(coder, int(shift), int(here.sum()), None if low_in is None else low_in[here])
                coded[here] += low
        escaped = np.flatnonzero(np.abs(high) == ESCAPE)
        if len(escaped):
            further = np.sign(high[escaped]) * _code_escapes(coder, len(escaped), high_in, escaped)
            coded[escaped] += further if shifts is None else further << shifts[escaped]
    coded += groups.starts
    if values is None and _largest(coded) > MAX_SYMBOL:
        raise FormatError("a wavelet coefficient is too large", code="symbol")
    return coded


def laplace_bits(scales: SymbolArray, values: SymbolArray) -> float:
    """The bits of a run of integers around 0, each with its own scale index, without coding them."""
    shifts = _shifts(scales)
    high = (values + (1 << shifts >> 1)) >> shifts
    bits = _bits()[scales - SCALES_PER_OCTAVE * shifts, np.clip(high, -ESCAPE, ESCAPE) + ESCAPE]
    return float(bits.sum() + shifts.sum()) + 2 * _ESCAPE_BITS * int(np.count_nonzero(np.abs(high) >= ESCAPE))


@cache
def _bits() -> npt.NDArray[np.float64]:
    """(scales, 2 ESCAPE + 1): bits of high parts around 0."""
    around_0 = laplace_frequencies(np.array(DECAYS), _FRACTIONS, _FLOOR).reshape(N_TABLE_SCALES, _FRACTIONS, -1)
    return math.log2(TABLE_TOTAL) - np.log2(around_0[:, _FRACTIONS // 2])


def _code_escapes(coder: SymbolCoder, n: int, high: SymbolArray | None, where: npt.NDArray[Any]) -> Int64Array:
    """By how much the magnitudes of n high parts exceed ESCAPE."""
    beyond = None if high is None else np.abs(high[where]) - ESCAPE
    top = code_flat(coder, _ESCAPE_BITS, n, None if beyond is None else beyond >> _ESCAPE_BITS)
    mask = (1 << _ESCAPE_BITS) - 1
    return (top << _ESCAPE_BITS) + code_flat(coder, _ESCAPE_BITS, n, None if beyond is None else beyond & mask)


def _largest(values: SymbolArray) -> int:
    """Magnitude, 0 of none."""
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))


def _shifts(scales: SymbolArray) -> SymbolArray:
    """How many low bits are coded flat, at each scale."""
    return (np.maximum(scales - (N_TABLE_SCALES - 1), 0) + SCALES_PER_OCTAVE - 1) >> OCTAVE_BITS


@dataclass(frozen=True, eq=False)
class _Groups:
    """Coefficients by the tables that code their high parts.

    Attributes:
        order: the numbers of the coefficients, those of a table together and in their own order.
        sizes: how many each table has.
        starts: (n,), what a high part of 0 stands for.
        largest_shift: 0 if no low bits are coded flat.
    """

    order: npt.NDArray[Any]
    sizes: npt.NDArray[Any]
    starts: SymbolArray
    largest_shift: int

    @classmethod
    def of(cls, locations: SymbolArray, scales: SymbolArray) -> _Groups:
        """As `code_laplace` has them; by a compiled loop for runs that are worth it."""
        n = len(locations)
        if n >= _COMPILED_FROM and locations.dtype == scales.dtype == np.int32:
            sort = compiled("nfcodec.coding.laplace_kernels:sort", repays=False)
            if sort is not None:
                starts, tables, order = np.empty(n, np.int32), np.empty(n, np.uint16), np.empty(n, np.uint32)
                sizes = np.zeros(N_TABLES, np.int64)
                largest_shift = sort(locations, scales, starts, tables, order, sizes)
                return cls(order, sizes, starts, int(largest_shift))
        shifts = _shifts(scales)
        middle = (locations + _FRACTIONS // 2) >> LOCATION_BITS
        fraction = np.where(shifts == 0, locations - (middle << LOCATION_BITS), 0)
        tables = ((scales - SCALES_PER_OCTAVE * shifts) * _FRACTIONS + fraction + _FRACTIONS // 2).astype(np.uint16)
        order = np.argsort(tables, kind="stable")  # a radix sort
        return cls(order, np.bincount(tables), middle - (1 << shifts >> 1), int(shifts.max(initial=0)))

    def code(self, coder: SymbolCoder, high: SymbolArray | None) -> SymbolArray:
        """Code high parts -ESCAPE .. ESCAPE, (n,), table after table; a decoder passes None."""
        chosen = None if high is None else np.add(high, ESCAPE)[self.order].astype(np.int32)
        coded = np.empty(len(self.order), np.int32)
        at, tables = 0, _tables()
        for table in map(int, np.flatnonzero(self.sizes)):
            part = slice(at, at + int(self.sizes[table]))
            coded[part] = coder.code(None if chosen is None else chosen[part], tables[table], part.stop - at)
            at = part.stop
        coded -= ESCAPE
        out = np.empty(len(coded), np.int32)
        unsort = None
        if self.order.dtype == np.uint32:
            unsort = compiled("nfcodec.coding.laplace_kernels:unsort")
        if unsort is None:
            out[self.order] = coded
        else:
            unsort(coded, self.order, out)
        return out


def laplace_cost(n: int, n_runs: int) -> Cost:
    """What a decoder takes for n integers in so many runs of `code_laplace`, none longer than half of them.

    The integers are not kept.
    """
    return Cost(RUN_BYTES * -(-n // 2), n * SYMBOL + n_runs * RUN)


def code_flat(coder: SymbolCoder, n_bits: int, n: int, symbols: SymbolArray | None) -> Int64Array:
    """Code n numbers of n_bits bits, all equally likely."""
    chosen = None if symbols is None else symbols.astype(np.int32)
    return coder.code(chosen, np.full(1 << n_bits, TABLE_TOTAL >> n_bits, np.int64), n).astype(np.int64)
