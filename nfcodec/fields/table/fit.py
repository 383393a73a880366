"""Fitting a table, one entry a pixel: nothing to fit but which symbols to take.

Best are symbols whose parities a convolutional code gives (see `coding.convolutional`). Where neighbours say nothing,
bits follow from how often each combination of symbols occurs, and that changes with the choice: a few rounds of
counting and choosing (entropy-constrained quantization, Chou, Lookabaugh & Gray 1989; with a trellis, Fischer & Wang
1992). Choosing is Viterbi's algorithm on error and bits.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from nfcodec.coding.convolutional import RUN
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import widened
from nfcodec.fields.table.analysis import STEP_RATIO, start
from nfcodec.fields.table.choice import Choice, Symbols
from nfcodec.fields.table.field import Table
from nfcodec.fields.table.pyramid import analysed
from nfcodec.fields.table.recipes import Recipe
from nfcodec.fitting.problem import Problem, Trial, quantize
from nfcodec.fitting.request import Request, Solution
from nfcodec.fitting.search import Bracket, Tried


@dataclass(frozen=True)
class Lattice:
    """Which symbols a table may have.

    Attributes:
        code: of their parities; None for any.
        steps: of the three features, over the quantizer step of rounding.
    """

    code: int | None
    steps: tuple[float, float, float]


TABLE = Table()

THREE = Lattice(0, (0.69, 0.69, 0.69))
TWO = Lattice(1, (0.76, 0.76, 0.357))
ONE = Lattice(1, (0.9, 0.54, 0.27))
UNCODED = Lattice(None, (0.92, 0.92, 0.92))
"""For pictures where so many features take more than a bit or so. TWO and ONE leave the third feature's symbols even,
so its steps are twice as wide as they seem."""

FEW_BITS = (*(Lattice(None, (step, step, step)) for step in (0.7, 1.6)), UNCODED)
"""For pictures of few colours beside the error that the target allows, as nearly flat ones. How the steps fall on the
few colours matters most there."""

THIRD_BITS = 1.3
"""Of a symbol of the third feature, given the others: for more, three features are worth a code."""

CODED_BITS = 3.0
"""Of three symbols. Where they take less, a code's path, which takes one bit for the three, is too much."""

FINER, ATTEMPTS = 0.9, 4
"""Factor on the step where the target is out of reach, and how often."""

TRIALS, CLOSE_DB = 12, 0.005
MIXED_PARTS = 1 << 10
"""Of a picture without a code, in which either of two choices may be taken."""

ROUNDS = 3
"""Of counting and choosing, until a price reaches the target; from there one for each other."""

MAX_PRICE = 2.0
"""Of a bit, in what the target allows three samples, until trials show that it may cost more."""

NEAR_HIGHEST, DEARER = 0.9, 4.0
"""A price so close to the highest that still reaches the target, and the factor on the highest then."""


def solve_table(problem: Problem, request: Request, recipe: Recipe) -> Solution:
    """The coarsest table that reaches the target, with symbols chosen by bits. It may miss the target.

    Args:
        problem: of a `Table`.
    """
    began, trial = time.monotonic(), analysed(TABLE, problem, request)
    if not request.expired():
        trial = chosen_by_bits(problem, request, trial, recipe.enough)
    return Solution.closed_form(problem, trial, time.monotonic() - began)


def chosen_by_bits(problem: Problem, request: Request, rounding: Trial, enough: float) -> Trial:
    """A rounded table's picture with symbols chosen by error and bits; the rounding if that brings nothing.

    Args:
        enough: see `Recipe`.
    """
    if rounding.psnr_db < request.psnr_db or math.isinf(rounding.psnr_db):
        return rounding
    best, n_bytes = rounding, problem.estimated_bytes(rounding.weights)
    goal = enough * n_bytes
    for lattice in lattices(rounding):
        trial = trellis_trial(problem, request, rounding, lattice)
        if trial is not None and problem.estimated_bytes(trial.weights) < n_bytes:
            best, n_bytes = trial, problem.estimated_bytes(trial.weights)
        if (lattice.code is not None and n_bytes < goal) or request.expired():
            break
    return best


def lattices(rounding: Trial) -> tuple[Lattice, ...]:
    """Lattices for the picture's colours, the most promising first."""
    symbols = widened(rounding.weights["level0"].symbols)
    bits = _entropy(symbols.reshape(-1, symbols.shape[2]))
    if symbols.shape[2] < 3:
        return FEW_BITS if bits < CODED_BITS / 3 else (THREE, UNCODED)
    if bits < CODED_BITS:
        return FEW_BITS
    third_bits = bits - _entropy(symbols[:, :, :2].reshape(-1, 2))
    return (TWO, ONE, THREE, UNCODED) if third_bits < THIRD_BITS else (THREE, TWO, ONE, UNCODED)


def trellis_trial(problem: Problem, request: Request, rounding: Trial, lattice: Lattice) -> Trial | None:
    """Symbols at the highest price of bits that the target allows; None if there are none, or too many pixels.

    None, too, where the kernels cannot be compiled.

    Args:
        problem: of one entry a pixel, and a linear map of one or three features.
        rounding: the coarsest that reaches the target; tells which steps to take.
    """
    mse = problem.allowed_mse(request.psnr_db)
    coarseness = lattice.steps[0] * rounding.weights["level0"].step.value / (STEP_RATIO * math.sqrt(mse))
    if lattice.code is not None:  # chooses samples, so what rounding to samples adds is not added to its error
        coarseness *= math.sqrt(problem.gain * 10 ** (-request.psnr_db / 10) / mse)
    for attempt in range(ATTEMPTS):
        parameters, steps = start(TABLE, problem, request, coarseness * FINER**attempt)
        for f in range(1, problem.geometry.channels):
            parameters["level0"][:, :, f] *= lattice.steps[0] / lattice.steps[f]
            parameters["skip"][:, f] *= lattice.steps[f] / lattice.steps[0]
        try:
            choice = Choice.of(problem, quantize(problem, parameters, steps), lattice.code)
            found = None if choice is None else _at_highest_price(choice, request)
        except FormatError:  # finer than the format's arithmetic
            return None
        except ImportError as error:
            request.note(f"symbols are only rounded: {error}")
            return None
        if found is not None or choice is None or request.expired():
            return found
    return None


def _at_highest_price(choice: Choice, request: Request) -> Trial | None:
    problem, clock, best = choice.problem, request.clock("quantize"), None
    highest = MAX_PRICE * 3 * problem.squared_error(request.psnr_db) / problem.samples.size
    bracket = Bracket(Tried(0.0, math.inf), Tried(highest, -math.inf))
    price, enough, too_few = highest / 4, choice.nearest, None
    for number in range(TRIALS):
        symbols = enough  # to count those of a price that is too high would make it too high for good
        for _ in range(1 if best else ROUNDS):
            symbols = choice.at(price, symbols)
        trial = problem.trial(choice.weights(symbols))
        clock.tell(number, TRIALS, trial.psnr_db)
        bracket.add(price, trial.psnr_db, reached=trial.psnr_db >= request.psnr_db)
        if trial.psnr_db >= request.psnr_db:
            best, enough = trial, symbols
        else:
            too_few = symbols
        if 0 <= trial.psnr_db - request.psnr_db < CLOSE_DB or request.expired() or (not best and price == 0):
            return best
        if too_few is None and price > NEAR_HIGHEST * highest:
            highest *= DEARER
            bracket = Bracket(bracket.enough, Tried(highest, -math.inf))
        price = bracket.halfway() if best else 0.0
    return best if best is None or too_few is None else _mixed(choice, request, best, enough, too_few)


def _mixed(choice: Choice, request: Request, best: Trial, enough: Symbols, too_few: Symbols) -> Trial:
    """The one choice in some parts of the picture, and the other, of fewer bits, in the rest, if that takes less.

    Choices go with their counts, so their error can jump from one price to the next. With a code, parts are the path's
    runs, which stand by themselves.
    """
    part = max(1, len(enough) // MIXED_PARTS) if choice.code is None else RUN
    bracket, mixed = Bracket(Tried(0, math.inf), Tried(-(-len(enough) // part), -math.inf)), best
    while bracket.width > 1 and not request.expired():
        end = int(bracket.halfway()) * part
        symbols = np.concatenate([too_few[:end], enough[end:]])
        trial = choice.problem.trial(choice.weights(symbols))
        bracket.add(end // part, trial.psnr_db, reached=trial.psnr_db >= request.psnr_db)
        mixed = trial if trial.psnr_db >= request.psnr_db else mixed
    return min(mixed, best, key=lambda each: choice.problem.estimated_bytes(each.weights))


def _entropy(symbols: Symbols) -> float:
    """Bits a row, by how often each row occurs."""
    spans = np.ptp(symbols, axis=0) + 1
    numbers = np.zeros(len(symbols), np.int64)
    for column, low, span in zip(np.transpose(symbols), symbols.min(axis=0), spans, strict=True):
        numbers = numbers * span + column - low
    shares = np.unique(numbers, return_counts=True)[1] / len(symbols)
    return float(-(shares * np.log2(shares)).sum())
