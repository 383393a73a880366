"""Products of integer matrices, two rows in one float64, so that half the multiplications do.

Weights of a file are small integers, and a sum of their products with activations leaves half of a float64's 53 bits
unused. So row h of the upper half of a matrix and row l of the lower half go into one row, h + l / 2^B. The product
with x is H + L / 2^B, where H and L are the sums that are wanted. It is exact while (|H| + 1) 2^B <= 2^53, also for
every part of the sums, in any order, and H is the nearest integer as long as |L| < 2^(B - 1). Both bounds follow from
the weights: no sum is larger than the sum of a row's magnitudes, times the largest input. Where rows are too large for
that, the sums are taken in a few parts of the columns.
"""

from __future__ import annotations

import contextlib
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

EXACT_BITS = 53
"""A float64 holds every integer up to 2^53."""

LEAST_COLUMNS, MOST_PARTS = 128, 4
"""A part with fewer columns saves less than it costs to take the sums apart; more parts were of no use so far."""

LEAST_ROWS = 16
"""A matrix of fewer rows is as quickly multiplied as it is."""


class Scratch:
    """Arrays by name that are used again and again: to get memory from the system anew each time costs more."""

    def __init__(self) -> None:
        self._arrays: dict[str, Matrix] = {}

    def array(self, name: str, rows: int, columns: int) -> Matrix:
        """One of this shape, with anything in it; it shares its memory with the one before of the same name."""
        found = self._arrays.get(name)
        if found is None or found.size < rows * columns:
            found = self._arrays[name] = np.empty(rows * columns)
        return found[: rows * columns].reshape(rows, columns)


class PairedMatrix:
    """A matrix of integers, multiplied with integers; every result is exact.

    Args:
        symbols: (rows, columns), integers.
        scale: all results are multiplied with it; a power of two times an integer for which that is exact.
        in_bound: no input has a larger magnitude.
        n_parts: of the columns.

    Raises:
        ValueError: the rows are too large for so few parts.
    """

    def __init__(self, symbols: Matrix, scale: float, in_bound: float, n_parts: int) -> None:
        self._n_rows, n_columns = symbols.shape
        self._half = -(-self._n_rows // 2)
        ends = [n_columns * i // n_parts for i in range(n_parts + 1)]
        self._columns = [slice(start, stop) for start, stop in pairwise(ends)]
        upper, lower = symbols[: self._half], np.zeros((self._half, n_columns))
        lower[: self._n_rows - self._half] = symbols[self._half :]
        high, low = (in_bound * max(_largest_row(half[:, part]) for part in self._columns) for half in (upper, lower))
        bits = int(low).bit_length() + 1
        if (high + 1) * 2.0**bits > 2.0**EXACT_BITS:
            raise ValueError("two rows do not fit into one")
        self._pairs = [upper[:, part] + lower[:, part] * 2.0**-bits for part in self._columns]
        self._scale = np.repeat([scale, scale * 2.0**bits], self._half)[: self._n_rows, None]

    def product(self, x: Matrix, scratch: Scratch) -> Matrix:
        """The product (rows, n) with x (columns, n), times the scale."""
        half, n = self._half, x.shape[1]
        sums = scratch.array("sums", 2 * half, n)
        high, low = sums[:half], sums[half:]
        np.matmul(self._pairs[0], x[self._columns[0]], out=low)
        np.rint(low, out=high)
        low -= high
        for pair, part in zip(self._pairs[1:], self._columns[1:], strict=True):
            both = np.matmul(pair, x[part], out=scratch.array("both", half, n))
            upper = np.rint(both, out=scratch.array("upper", half, n))
            high += upper
            both -= upper
            low += both
        result = sums[: self._n_rows]
        result *= self._scale
        return result


class PlainMatrix:
    """The same with a product for each row."""

    def __init__(self, symbols: Matrix, scale: float) -> None:
        self._scaled = symbols * scale

    def product(self, x: Matrix, scratch: Scratch) -> Matrix:
        """As `PairedMatrix.product`."""
        return np.matmul(self._scaled, x, out=scratch.array("sums", len(self._scaled), x.shape[1]))


def multiplier(symbols: Matrix, scale: float, in_bound: float) -> PairedMatrix | PlainMatrix:
    """The matrix in pairs of rows where that is exact and worth it, in as few parts as possible; else as it is.

    Args:
        symbols, scale, in_bound: as for `PairedMatrix`.
    """
    n_rows, n_columns = symbols.shape
    most = min(MOST_PARTS, n_columns // LEAST_COLUMNS) if n_rows >= LEAST_ROWS else 0
    for n_parts in range(1, most + 1):
        with contextlib.suppress(ValueError):
            return PairedMatrix(symbols, scale, in_bound, n_parts)
    return PlainMatrix(symbols, scale)


def _largest_row(symbols: Matrix) -> float:
    return float(np.abs(symbols).sum(axis=1).max(initial=0.0))
