"""Choosing symbols by error and bits, at a price, with parities that a convolutional code gives or without.

Bits follow from how often each combination of symbols occurs among those chosen before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.coding.convolutional import CODES, RUN
from nfcodec.exact.arithmetic import OUTPUT_UNIT, Quantized
from nfcodec.fitting.problem import Problem, Weights
from nfcodec.kernels.paths import kernels, moves
from nfcodec.workers import Workers, n_threads

Floats = npt.NDArray[np.float64]
Symbols = npt.NDArray[np.int64]

UNSEEN, NEARBY = 0.05, 0.2
"""What a combination that does not occur counts as, and how much of its neighbours in each direction counts too."""

APART = 0.1
"""How much combinations count too as they would be if features had nothing to do with each other."""

MAX_PIXELS, MAX_COMBINATIONS = 1 << 22, 1 << 24
"""With more combinations of symbols, features are counted each by itself."""

POINTS = 1 << 12
"""That a thread takes at a time."""

PARTS = 4
"""Of the range of outputs, for each sample value."""


@dataclass(frozen=True)
class _Decoding:
    """Samples of outputs, quickly: see the kernel `decoded`; a row for each of three outputs."""

    thresholds: Floats
    starts: Symbols
    scales: Floats

    @classmethod
    def of(cls, problem: Problem) -> _Decoding:
        n_channels = problem.geometry.channels
        thresholds: Floats = problem.value_map.thresholds[np.arange(3) % n_channels].astype(np.float64) * OUTPUT_UNIT
        n_parts = PARTS * (problem.peak + 1)
        starts: Symbols = np.zeros((3, n_parts), np.int64)
        for row, counts in zip(thresholds, starts, strict=True):
            edges = np.asarray(np.linspace(row[0], row[-1], n_parts)[1:], np.float64)
            counts[1:] = np.searchsorted(row, edges)
        widths: Floats = thresholds[:, -1] - thresholds[:, 0]
        return cls(thresholds, starts, (n_parts - 1) / np.maximum(widths, 1e-30))


class Choice:
    """The symbols of three features of a pixel, or of one feature of three pixels, for each step of the path.

    Attributes:
        code: of the parities; None for any.
        nearest: (T, 3), to what the picture wants, whatever they cost.
    """

    def __init__(
        self, problem: Problem, start: Weights, lows: Symbols, spans: tuple[int, int, int], code: int | None
    ) -> None:
        self.problem, self.code, self._start, self._lows, self._spans = problem, code, start, lows, spans
        n_channels, step = problem.geometry.channels, start["level0"].step.value
        sign = np.asarray(problem.value_map.sign, np.float64).reshape(-1)[:1]
        matrix = np.asarray(start["skip"].values, np.float64) * step
        origin = np.asarray(start["bias_out"].values, np.float64)
        inverse = np.asarray(np.linalg.inv(matrix), np.float64)
        wanted = np.matmul(problem.targets - origin, np.transpose(inverse))
        self._wanted, self._samples = _in_threes(wanted), _in_threes(problem.samples.astype(np.float64))
        self._columns = sign * (matrix if n_channels == 3 else matrix[0, 0] * np.eye(3))
        self._origin = sign * origin[np.arange(3) % n_channels]
        self._decoding = _Decoding.of(problem)
        self.nearest = np.asarray(np.round(self._wanted), np.int64)
        n = len(self._wanted)
        self._least = np.empty((n, 8), np.float32)
        self._chosen = np.empty((n, 8), np.uint8)
        self._numbers = np.empty(n, np.intp)
        self._workers = Workers(n_threads())
        self._kernels = kernels()

    @classmethod
    def of(cls, problem: Problem, start: Weights, code: int | None) -> Choice | None:
        """None where there are too many pixels, or where rounding left a map of features that has no inverse."""
        symbols = start["level0"].symbols.reshape(problem.geometry.n_pixels, -1)
        if symbols.shape[1] == 1:
            symbols = np.repeat(symbols, 3, axis=1)
        lows = 2 * ((symbols.min(axis=0) - 3) // 2)
        first, second, third = (2 * int(half) for half in (symbols.max(axis=0) + 4 - lows) // 2 + 1)
        if len(symbols) > MAX_PIXELS:
            return None
        try:
            return cls(problem, start, lows, (first, second, third), code)
        except np.linalg.LinAlgError:
            return None

    def at(self, price: float, counted: Symbols) -> Symbols:
        """The symbols that cost least, bits at a price in squared error, if they are as frequent as those `counted`."""
        joint, alone = self._costs(counted)
        n, loops = len(self._wanted), self._kernels
        outputs = (self._columns, self._origin, self._decoding.thresholds, self._decoding.starts, self._decoding.scales)

        def points(worker: int, i: int) -> None:
            part = slice(i * POINTS, (i + 1) * POINTS)
            found = (self._least[part], self._chosen[part])
            loops.nearest(self._wanted[part], self._samples[part], *outputs, joint, alone, self._lows, price, *found)

        self._workers.run(-(-n // POINTS), points)
        if self.code is None:
            np.argmin(self._least, axis=1, out=self._numbers)
        else:
            self._follow(self.code)
        digits = np.unravel_index(self._chosen[np.arange(n), self._numbers], (loops.CANDIDATES,) * 3)
        return np.asarray(np.floor(self._wanted), np.int64) - loops.BELOW + np.stack(digits, axis=1)

    def _follow(self, code: int) -> None:
        """The numbers of the parities along the cheapest path."""
        parities = moves(code)
        totals = np.empty((self._workers.n, 2, len(parities)), np.float32)
        back = np.empty((self._workers.n, RUN, len(parities)), np.uint8)

        def run(worker: int, i: int) -> None:
            part = slice(i * RUN, (i + 1) * RUN)
            self._kernels.cheapest_path(self._least[part], parities, self._numbers[part], totals[worker], back[worker])

        self._workers.run(-(-len(self._least) // RUN), run)

    def _costs(self, counted: Symbols) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Bits of combinations of symbols, and of single ones, that add up; the parities given."""
        at = counted - self._lows
        alone = np.zeros((3, max(self._spans)), np.float32)
        counts = [np.bincount(each, minlength=span) for each, span in zip(np.transpose(at), self._spans, strict=True)]
        if self.problem.geometry.channels == 1:
            alone[:] = _bits(np.sum(counts, axis=0), self.code)
        elif math.prod(self._spans) > MAX_COMBINATIONS:
            for bits, each in zip(alone, counts, strict=True):
                bits[: len(each)] = _bits(each, self.code)
        else:
            cells = np.ravel_multi_index(tuple(np.transpose(at)), self._spans)
            seen = np.bincount(cells, minlength=math.prod(self._spans)).reshape(self._spans)
            first, second, third = (each / len(at) for each in counts)
            apart = len(at) * first[:, None, None] * second[:, None] * third
            return _bits(seen + APART * apart, self.code), alone
        return np.zeros((1, 1, 1), np.float32), alone

    def weights(self, chosen: Symbols) -> Weights:
        """The table with these symbols, (T, 3)."""
        level, shape = self._start["level0"], self._start["level0"].symbols.shape
        symbols = chosen.reshape(-1)[: math.prod(shape)].reshape(shape)
        return {**self._start, "level0": Quantized(symbols, level.step)}


def _in_threes(values: Floats) -> Floats:
    """(n, 3) values as they are; (n, 1) as (ceil(n / 3), 3), the last one repeated."""
    flat = values.reshape(-1)
    return np.pad(flat, (0, -len(flat) % 3), "edge").reshape(-1, 3)


def _bits(counts: npt.NDArray[np.number], code: int | None) -> npt.NDArray[np.float32]:
    """What symbols cost that occur so often, with a code given their parities; all axes even."""
    smooth = counts.astype(np.float32)
    for axis in range(smooth.ndim):
        along: npt.NDArray[np.float32] = np.moveaxis(smooth, axis, 0)
        before: npt.NDArray[np.float32] = np.array(along)
        near = 2 if code is not None and CODES[code][axis] == 0 else 1  # where all are even
        along[near:] += NEARBY * before[:-near]
        along[:-near] += NEARBY * before[near:]
    smooth += np.float32(UNSEEN)
    if code is None:
        return -np.log2(smooth / smooth.sum(), dtype=np.float32)
    halves = smooth.reshape([n for span in smooth.shape for n in (span // 2, 2)])
    totals = halves.sum(axis=tuple(range(0, halves.ndim, 2)), keepdims=True)
    return -np.log2(halves / totals, dtype=np.float32).reshape(smooth.shape)
