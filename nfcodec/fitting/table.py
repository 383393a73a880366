"""Choosing the symbols of a table, one entry a pixel: each pixel's among those near it, by error and by bits.

Where neighbours say nothing, bits follow from how often each combination of symbols occurs, and that changes with the
choice: a few rounds of counting and choosing (entropy-constrained vector quantization, Chou, Lookabaugh & Gray 1989).
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.fields import DenseLevel, Ngp, Quantized
from nfcodec.fitting.dense import STEP_RATIO, solve_dense, start_dense
from nfcodec.fitting.landing import Weights
from nfcodec.fitting.lattices import lattice_tables
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.rate import estimated_bytes
from nfcodec.fitting.solution import Request, Solution, quantize

FINER = 0.92
"""Factor on the quantizer step: choosing by bits spends what that gains."""

ROUNDS, TRIALS, CLOSE_DB = 3, 16, 0.003
MAX_PRICE = 12.0
"""Of a bit, in what the target allows a pixel."""

UNSEEN = 0.3
"""What a combination that does not occur counts as."""

MAX_PIXELS, MAX_COMBINATIONS = 1 << 22, 1 << 26

Symbols = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def suits_table(problem: Problem) -> bool:
    """Whether a field is one entry a pixel, with a linear map of at most three features."""
    spec = problem.spec
    if not (isinstance(spec, Ngp) and not spec.hidden and spec.skip and len(spec.levels) == 1):
        return False
    return spec.levels[0] == DenseLevel(0, problem.geometry.channels) and problem.geometry.channels <= 3


def solve_table(problem: Problem, request: Request) -> Solution:
    """The coarsest table that reaches the target, then symbols chosen by bits. It may miss the target."""
    began, solution = time.monotonic(), solve_dense(problem, request)
    if request.expired():
        return solution
    trial = chosen_by_bits(problem, request, solution.trial)
    return replace(solution, trial=trial, fit_seconds=time.monotonic() - began)


def chosen_by_bits(problem: Problem, request: Request, start: Trial) -> Trial:
    """The picture of `start` with symbols chosen anew; `start` if that brings nothing or takes too much memory."""
    if start.psnr_db < request.psnr_db or math.isinf(start.psnr_db):
        return start
    best, best_bytes = start, estimated_bytes(problem, start.weights)
    for weights in (*_finer(problem, request, start), *lattice_tables(problem, request.psnr_db)):
        trial = _chosen(problem, request, weights)
        if trial is not None and trial.psnr_db >= request.psnr_db:
            n_bytes = estimated_bytes(problem, trial.weights)
            best, best_bytes = (trial, n_bytes) if n_bytes < best_bytes else (best, best_bytes)
    return best


def _finer(problem: Problem, request: Request, start: Trial) -> list[Weights]:
    """The same table in finer steps, unless they are finer than the format's arithmetic."""
    step = FINER * start.weights["level0"].step.value
    coarseness = step / (STEP_RATIO * math.sqrt(problem.allowed_mse(request.psnr_db)))
    try:
        return [quantize(problem, *start_dense(problem, request, coarseness))]
    except FormatError:
        return []


def _chosen(problem: Problem, request: Request, weights: Weights) -> Trial | None:
    """Symbols near those of a table, at the highest price of bits that the target allows; None if there is none."""
    try:
        choice = _Choice.of(problem, weights)
    except FormatError:  # finer than the format's arithmetic
        return None
    if choice is None:
        return None
    clock, allowed = request.clock("quantize"), problem.squared_error(request.psnr_db)
    low, high, best = 0.0, MAX_PRICE * allowed / problem.geometry.n_pixels, None
    for number in range(TRIALS):
        moves = choice.at((low + high) / 2)
        psnr_db = problem.psnr_db(choice.squared_error(moves))
        clock.tell(number, TRIALS, psnr_db)
        if psnr_db >= request.psnr_db:
            low, best = (low + high) / 2, moves
        else:
            high = (low + high) / 2
        if 0 <= psnr_db - request.psnr_db < CLOSE_DB:
            break
    return None if best is None else problem.trial(choice.weights(best))


@dataclass(frozen=True)
class _Choice:
    """For each pixel the symbols next to the nearest ones, by number of the move.

    Attributes:
        moves: (m, F), the first of them none at all.
        errors: (m, n), squared, of the samples that each gives.
        cells: (n,), a number for the nearest symbols, and shifts: (m,), what moves add to it; all under n_cells.
    """

    nearest: Weights
    moves: Symbols
    errors: Floats
    cells: Symbols
    shifts: Symbols
    n_cells: int

    @classmethod
    def of(cls, problem: Problem, nearest: Weights) -> _Choice | None:
        """None where there are too many pixels, or combinations of symbols."""
        n, level = problem.geometry.n_pixels, nearest["level0"]
        symbols = level.symbols.reshape(n, -1)
        spans = [int(span) + 3 for span in np.ptp(symbols, axis=0)]
        if n > MAX_PIXELS or math.prod(spans) > MAX_COMBINATIONS:
            return None
        strides = np.array([math.prod(spans[i + 1 :]) for i in range(len(spans))])
        around = itertools.product((-1, 0, 1), repeat=len(spans))
        moves = np.array(sorted(around, key=lambda move: np.abs(move).sum()))
        choice = cls(
            nearest, moves, np.empty((len(moves), n), np.float32),
            (symbols - symbols.min(axis=0) + 1) @ strides, moves @ strides, math.prod(spans),
        )  # fmt: skip
        for i, error in enumerate(choice.errors):
            samples = problem.trial(choice.weights(np.full(n, i))).samples
            error[:] = np.square(samples.astype(np.float32) - problem.samples).sum(axis=1)
        return choice

    def at(self, price: float) -> Symbols:
        """The moves (n,) that cost least, bits at a price in squared error."""
        n, chosen = len(self.cells), np.zeros(len(self.cells), np.int64)
        for _ in range(ROUNDS):
            counts = np.bincount(self.cells + self.shifts[chosen], minlength=self.n_cells)
            costs = (-price * np.log2((counts + UNSEEN) / n)).astype(np.float32)
            least = np.full(n, np.inf, np.float32)
            for i, (error, shift) in enumerate(zip(self.errors, self.shifts, strict=True)):
                cost = error + costs[self.cells + shift]
                better = cost < least
                least[better], chosen[better] = cost[better], i
        return chosen

    def squared_error(self, moves: Symbols) -> float:
        """Of all samples."""
        return float(np.take_along_axis(self.errors, moves[None], axis=0).sum(dtype=np.float64))

    def weights(self, moves: Symbols) -> Weights:
        """The nearest symbols after these moves."""
        level = self.nearest["level0"]
        symbols = level.symbols + self.moves[moves].reshape(level.symbols.shape)
        return {**self.nearest, "level0": Quantized(symbols, level.step)}
