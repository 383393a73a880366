"""Fitting a table, one entry a pixel, as suits permuted pictures: nothing to fit but which symbols to take."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from nfcodec.coding.convolutional import RUN
from nfcodec.errors import FormatError
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel
from nfcodec.fields.table.choice import Choice, Symbols
from nfcodec.fields.table.pyramid import STEP_RATIO, solve_dense, start_dense
from nfcodec.fields.wavelet.rate import estimated_bytes
from nfcodec.fitting.problem import Problem, Trial, quantize
from nfcodec.fitting.request import Request, Solution

WELL_CODED, PATIENT = 0.95, 6
"""Less than this of rounding's bytes is good enough (without a code 3 to 4 % less are usual), below this effort."""


def suits_table(problem: Problem) -> bool:
    """Whether a field is one entry a pixel, with a linear map of one feature or three."""
    spec = problem.spec
    if not (isinstance(spec, Ngp) and not spec.hidden and spec.skip and len(spec.levels) == 1):
        return False
    return spec.levels[0] == DenseLevel(0, problem.geometry.channels) and problem.geometry.channels in (1, 3)


def solve_table(problem: Problem, request: Request) -> Solution:
    """The coarsest table that reaches the target, with symbols chosen by bits. It may miss the target."""
    began, solution = time.monotonic(), solve_dense(problem, request)
    if request.expired():
        return solution
    trial = chosen_by_bits(problem, request, solution.trial)
    return replace(solution, trial=trial, fit_seconds=time.monotonic() - began)


def chosen_by_bits(problem: Problem, request: Request, start: Trial) -> Trial:
    """The picture of `start` with symbols chosen by error and bits; `start` if that brings nothing, or cannot be."""
    if start.psnr_db < request.psnr_db or math.isinf(start.psnr_db):
        return start
    best, n_bytes = start, estimated_bytes(problem, start.weights)
    enough = WELL_CODED * n_bytes if request.effort < PATIENT else 0.0
    for lattice in lattices(start):
        trial = trellis_trial(problem, request, start, lattice)
        if trial is not None and estimated_bytes(problem, trial.weights) < n_bytes:
            best, n_bytes = trial, estimated_bytes(problem, trial.weights)
        if n_bytes < enough or request.expired():
            break
    return best


@dataclass(frozen=True)
class Lattice:
    """Which symbols a table may have.

    Attributes:
        code: of their parities; None for any.
        steps: of the three features, over the quantizer step of rounding.
    """

    code: int | None
    steps: tuple[float, float, float]


THREE = Lattice(0, (0.69, 0.69, 0.69))
TWO = Lattice(1, (0.76, 0.76, 0.357))
ONE = Lattice(1, (0.9, 0.54, 0.27))
UNCODED = Lattice(None, (0.92, 0.92, 0.92))
"""For pictures where so many features take more than a bit or so. TWO and ONE leave the third feature's symbols even,
so its steps are twice as wide as they seem."""

THIRD_BITS = 1.3
"""Of a symbol of the third feature, given the others: for more, three features are worth a code."""

FINER, ATTEMPTS = 0.9, 4
"""Factor on the step where the target is out of reach, and how often."""

TRIALS, CLOSE_DB = 12, 0.005
ROUNDS = 3
"""Of counting and choosing, until a price reaches the target; from there one for each other."""

MAX_PRICE = 2.0
"""Of a bit, in what the target allows three samples."""


def lattices(rounding: Trial) -> tuple[Lattice, ...]:
    """Lattices for the picture's colours, the most promising first."""
    symbols = rounding.weights["level0"].symbols
    if symbols.shape[2] < 3:
        return THREE, UNCODED
    third_bits = _entropy(symbols.reshape(-1, 3)) - _entropy(symbols[:, :, :2].reshape(-1, 2))
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
        parameters, steps = start_dense(problem, request, coarseness * FINER**attempt)
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
    low, high = 0.0, MAX_PRICE * 3 * problem.squared_error(request.psnr_db) / problem.samples.size
    price, enough, too_few = high / 4, choice.symbols, None
    for number in range(TRIALS):
        choice.symbols = enough  # to count those of a price that is too high would make it too high for good
        for _ in range(1 if best else ROUNDS):
            choice.choose(price)
        trial = problem.trial(choice.weights())
        clock.tell(number, TRIALS, trial.psnr_db)
        if trial.psnr_db >= request.psnr_db:
            low, best, enough = price, trial, choice.symbols
        else:
            high, too_few = price, choice.symbols
        if 0 <= trial.psnr_db - request.psnr_db < CLOSE_DB or request.expired() or (not best and price == 0):
            return best
        price = (low + high) / 2 if best else 0.0
    return best if best is None or too_few is None else _mixed(choice, request, best, enough, too_few)


def _mixed(choice: Choice, request: Request, best: Trial, enough: Symbols, too_few: Symbols) -> Trial:
    """The one choice in some of the path's runs, which stand by themselves, and the other, of fewer bits, in the rest.

    Choices go with their counts, so their error can jump from one price to the next.
    """
    fewest, most = 0, -(-len(enough) // RUN)
    while most - fewest > 1:
        n_runs = (fewest + most) // 2
        choice.symbols = np.concatenate([too_few[: n_runs * RUN], enough[n_runs * RUN :]])
        trial = choice.problem.trial(choice.weights())
        if trial.psnr_db >= request.psnr_db:
            best, fewest = trial, n_runs
        else:
            most = n_runs
    return best


def _entropy(symbols: Symbols) -> float:
    """Bits a row, by how often each row occurs."""
    spans = np.ptp(symbols, axis=0) + 1
    numbers = np.zeros(len(symbols), np.int64)
    for column, low, span in zip(np.transpose(symbols), symbols.min(axis=0), spans, strict=True):
        numbers = numbers * span + column - low
    shares = np.unique(numbers, return_counts=True)[1] / len(symbols)
    return float(-(shares * np.log2(shares)).sum())
