# pyright: basic
"""Sorting coefficients by the Laplace tables that code them, and back, compiled; `laplace` says what for."""

from __future__ import annotations

import numpy as np

from nfcodec.coding.laplace import LOCATION_BITS, N_TABLE_SCALES, N_TABLES, OCTAVE_BITS, SCALES_PER_OCTAVE
from nfcodec.kernels.jit import I32, ONE, U, kernel

_FRACTIONS, _HALF = I32(1 << LOCATION_BITS), I32(1 << LOCATION_BITS >> 1)
_LOCATION_BITS, _OCTAVE_BITS, _OCTAVE = I32(LOCATION_BITS), I32(OCTAVE_BITS), I32(SCALES_PER_OCTAVE)
_LARGEST, _ONE, _NONE, _N_TABLES = I32(N_TABLE_SCALES - 1), I32(1), I32(0), U(N_TABLES)


@kernel
def sort(locations, scales, starts, tables, order, sizes):
    """The tables of coefficients, and their numbers in the order of tables; returns the largest shift.

    Args:
        locations, scales: int32, (n,).
        starts: becomes the symbols that stand for a high part of 0, int32, (n,).
        tables: becomes the table of each, uint16, (n,).
        order: becomes the numbers of the coefficients, those of a table together and in their own order, uint32, (n,).
        sizes: zeros, which become the number of coefficients of each table, int64.
    """
    n = U(locations.size)
    largest = _NONE
    for i in range(n):
        over = max(scales[i] - _LARGEST, _NONE)
        shift = (over + _OCTAVE - _ONE) >> _OCTAVE_BITS
        middle = (locations[i] + _HALF) >> _LOCATION_BITS
        fraction = locations[i] - (middle << _LOCATION_BITS) if shift == _NONE else _NONE
        starts[i] = middle - ((_ONE << shift) >> _ONE)
        tables[i] = np.uint16((scales[i] - _OCTAVE * shift) * _FRACTIONS + fraction + _HALF)
        largest = max(largest, shift)
    for i in range(n):
        sizes[tables[i]] += 1
    places = np.empty(_N_TABLES, np.uintp)
    before = U(0)
    for table in range(_N_TABLES):
        places[table] = before
        before += U(sizes[table])
    for i in range(n):
        table = tables[i]
        order[places[table]] = i
        places[table] += ONE
    return largest


@kernel
def unsort(values, order, out):
    """out[order[i]] = values[i]."""
    for i in range(U(values.size)):
        out[order[i]] = values[i]
