"""Grids smoothed, and grids brought to twice their size: separable symmetric filters on integers, exactly.

docs/reference/format.md, "Grids", is the normative text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nfcodec.exact.arithmetic import ACTIVATION_BITS, ExactArray, Quantized, Step, SymbolArray, check_exact

SMOOTHING_REACH, DOUBLING_REACH = 3, 2
"""How many entries beside its own a value depends on."""


class Smoothing:
    """Seven symmetric taps along both axes, of which four are given, the middle one last; 0 outside.

    Args:
        taps: (4,).
        limit: on the magnitudes of entries.

    Attributes:
        bound: on the magnitudes of results.
    """

    def __init__(self, taps: Quantized, limit: float) -> None:
        self._taps = _Taps(taps.symbols, taps.step, 2 * np.abs(taps.symbols[:3]).sum() + abs(taps.symbols[3]))
        self.bound = self._taps.bound(self._taps.bound(limit, ACTIVATION_BITS), 0)

    def __call__(self, grid: SymbolArray, start: int, stop: int) -> ExactArray:
        """Rows [start, stop) of a grid of integers, in units of 2^-16."""
        reach, (rows, cols) = SMOOTHING_REACH, grid.shape
        first, last = max(0, start - reach), min(rows, stop + reach)
        around = np.zeros((last - first, cols + 2 * reach))
        around[:, reach:-reach] = grid[first:last]
        across = np.zeros((stop - start + 2 * reach, cols))
        top = first - start + reach
        across[top : top + last - first] = self._along(np.transpose(around), cols, ACTIVATION_BITS).T
        return self._along(across, stop - start, 0)

    def _along(self, x: ExactArray, n: int, shift: int) -> ExactArray:
        """The filter along the first axis, for the n places in the middle."""
        pairs = [x[i : i + n] + x[6 - i : 6 - i + n] for i in range(3)]
        return self._taps.rounded([*pairs, x[3 : 3 + n]], shift)


class Doubling:
    """Eight symmetric taps along both axes, of which four are given; outside it goes on as at the border.

    With a, b, c, d = taps: value 2m is a x[m-2] + c x[m-1] + d x[m] + b x[m+1], value 2m + 1 its mirror image.

    Args:
        taps: (4,).
        limits: on the magnitudes of each grid that is doubled.

    Attributes:
        bounds: on those of each result.
    """

    def __init__(self, taps: Quantized, limits: Sequence[float]) -> None:
        self._taps = _Taps(taps.symbols, taps.step, np.abs(taps.symbols).sum())
        self.bounds = [self._taps.bound(self._taps.bound(limit, 0), 0) for limit in limits]

    def __call__(self, x: ExactArray, start: int, stop: int, cols: int) -> ExactArray:
        """Of grids (n, rows, columns) the rows [start, stop) at twice their size, of which the first `cols` columns."""
        n, rows, width = x.shape
        reach, first, last = DOUBLING_REACH, start >> 1, (stop + 1) >> 1
        places = np.clip(np.arange(first - reach, last + reach), 0, rows - 1)
        around = np.empty((n, len(places), width + 2 * reach))
        around[:, :, reach:-reach] = x[:, places]
        around[:, :, :reach], around[:, :, -reach:] = around[:, :, reach : reach + 1], around[:, :, -reach - 1 : -reach]
        wide = np.empty((n, len(places), 2 * width))
        self._fill([around[:, :, i : i + width] for i in range(5)], wide[:, :, ::2], wide[:, :, 1::2])
        tall = np.empty((n, 2 * (last - first), cols))
        self._fill([wide[:, i : i + last - first, :cols] for i in range(5)], tall[:, ::2], tall[:, 1::2])
        return tall[:, start - 2 * first : stop - 2 * first]

    def _fill(self, near: Sequence[ExactArray], even: ExactArray, odd: ExactArray) -> None:
        """Both values of places, of which `near` has the entries at the offsets -2 .. 2."""
        even[:] = self._taps.rounded([near[i] for i in (0, 3, 1, 2)], 0)
        odd[:] = self._taps.rounded([near[i] for i in (4, 1, 3, 2)], 0)


class _Taps:
    """Four integers times a step.

    Args:
        total: the sum of the magnitudes of all taps of a filter.
    """

    def __init__(self, symbols: SymbolArray, step: Step, total: int) -> None:
        self._symbols, self._step, self._total = symbols.astype(np.float64), step, float(total)

    def bound(self, bound: float, shift: int) -> float:
        """Of the magnitudes of results of `rounded`. Raises FormatError where they are not exact."""
        return check_exact(self._total * bound, self._step, shift)

    def rounded(self, x: Sequence[ExactArray], shift: int) -> ExactArray:
        """The sum of taps * x in units 2^-shift of those of x, rounded."""
        taps = self._symbols * (self._step.mantissa * 2.0 ** (self._step.exponent + shift))
        total = x[3] * taps[3]
        for tap, each in zip(taps[:3], x, strict=False):
            total += tap * each
        total += 0.5
        return np.floor(total, out=total)
