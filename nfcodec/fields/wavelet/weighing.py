"""Quantization of coefficients that weighs errors against bits."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fields.wavelet.rate import Floats, Priors
from nfcodec.fields.wavelet.restoration import Filtered
from nfcodec.fitting.landing import Moves, land
from nfcodec.fitting.problem import Trial, Weights
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import Bracket, Tried

PRICE = 0.1
"""What a bit may cost in squared error, in squares of the quantizer step. (At high rates it is 2 ln 2 / 12.)"""

HIGHEST_PRICE = 4 * PRICE

ROUNDS = 2
"""How often quantization and prediction take turns."""

TRIALS, CLOSE_DB = 4, 0.03
PRICES, RETRIES = 12, 3
STEP_EXPONENT = 0.8
"""The error grows with about this power of the quantizer step."""

SETTLING_DB, SETTLINGS = 0.3, 3
"""How far below the target quantization starts, and how often it is done once more to get there."""


class Weighing:
    """Coefficients in quantizer steps to the nearest integer, or to the next one towards the prediction.

    Whichever has the smaller sum of squared error, in a nearly orthonormal basis, and price times bits.
    """

    def __init__(self, exact: Floats, priors: Priors) -> None:
        nearest = np.round(exact)
        towards = np.sign(np.round(priors.locations.astype(np.float64)) - nearest)
        saved_bits = priors.bits(nearest) - priors.bits(nearest + towards)
        added_error = np.square(exact - nearest - towards) - np.square(exact - nearest)
        self._nearest, self._towards = nearest.astype(np.int64), towards.astype(np.int8)
        self._worth_it_from = np.full(exact.shape, np.inf, np.float32)
        np.divide(added_error, saved_bits, out=self._worth_it_from, where=saved_bits > 0, casting="same_kind")

    def at(self, price: float = PRICE) -> npt.NDArray[np.int64]:
        """The symbols if a bit costs so much."""
        return self._nearest + self._towards * (price > self._worth_it_from)


def weigh(linear: WaveletProblem, request: Request, start: Weights) -> Weights:
    """Quantize again, each coefficient to what costs least in errors and bits, and come close to the target.

    The last of a few quantizer steps, each of which would be right if the error followed its power law.
    """
    weights, coarseness = start, 1.0
    steps = {name: weight.step.value for name, weight in start.items()}
    parameters = {name: weight.values.astype(np.float32) for name, weight in start.items()}
    exact = linear.coefficients(parameters, steps)
    clock = request.clock("quantize")
    for trial_number in range(TRIALS):
        step = Step.nearest(steps["level0"] * coarseness)
        symbols = np.round(exact / step.value).astype(np.int64)
        for _ in range(ROUNDS):
            symbols = Weighing(exact / step.value, linear.priors(Quantized(symbols, step))).at()
        weights = {**start, "level0": Quantized(symbols, step)}
        psnr_db = linear.exact_psnr_db(weights)
        clock.tell(trial_number, TRIALS, psnr_db)
        excess_db = psnr_db - request.psnr_db
        if abs(excess_db) < CLOSE_DB or math.isinf(excess_db):
            break
        coarseness *= 10 ** (excess_db / 20 / STEP_EXPONENT)
    return weights


def settle(filtered: Filtered, request: Request, weights: Weights) -> Trial:
    """Quantized again and again, filters and predictions renewed each time, for as long as that makes a smaller file.

    The closest to the target if none reaches it.

    Args:
        weights: of the linear part; where a layer behind filters is among them, it is made anew.
    """
    best, best_merit = None, (False, -math.inf)
    for _ in range(SETTLINGS):
        trial = _weigh_again(filtered, request, filtered.renewed(weights))
        weights, reached = trial.weights, trial.psnr_db >= request.psnr_db
        merit = (reached, -filtered.problem.estimated_bytes(weights) if reached else trial.psnr_db)
        if best is None or merit > best_merit:
            best, best_merit = trial, merit
        elif reached:
            break
        if request.expired():
            break
    assert best is not None
    return best


def _weigh_again(filtered: Filtered, request: Request, weights: Weights) -> Trial:
    """Quantize once more what the field's error says the coefficients should be, at the price that just suffices.

    The filters' effect is taken as given, and the error of that made up for after each search.
    """
    problem, clock, level = filtered.problem, request.clock("quantize"), weights["level0"]
    outputs = problem.field.evaluate(problem.geometry, weights)
    start, rest = problem.trial_of(weights, outputs), filtered.rest(weights)
    wanted = np.asarray(level.symbols + problem.wishes(weights, outputs), np.float64)
    weighing, closest = Weighing(wanted, problem.priors(level)), None
    bias_db, price = 0.0, PRICE
    for _ in range(RETRIES):
        found, found_db = weights, start.psnr_db
        bracket = Bracket(Tried(0.0, math.inf), Tried(HIGHEST_PRICE, -math.inf))
        for number in range(PRICES):
            moved = {**weights, "level0": Quantized(weighing.at(price), level.step)}
            psnr_db = rest.exact_psnr_db(moved) + bias_db
            clock.tell(number, PRICES, psnr_db)
            reached = psnr_db >= request.psnr_db
            bracket.add(price, psnr_db, reached=reached)
            if reached:
                found, found_db = moved, psnr_db
            if 0 <= psnr_db - request.psnr_db < CLOSE_DB / 10:
                break
            price = bracket.secant(request.psnr_db + CLOSE_DB / 20)
        trial = problem.trial(found)
        if trial.psnr_db >= request.psnr_db and (closest is None or trial.psnr_db < closest.psnr_db):
            closest = trial
        if 0 <= trial.psnr_db - request.psnr_db < CLOSE_DB / 5:
            break
        bias_db += trial.psnr_db - found_db - CLOSE_DB / 20
    if closest is not None:
        return closest
    return land(problem, request, weights, partial(_last_moves, problem), rest.exact_psnr_db)


def _last_moves(problem: WaveletProblem, weights: Weights, outputs: npt.NDArray[np.int64], short: bool) -> Moves:
    """Towards the picture where that is short of its target, else towards what the networks predict."""
    level, wishes = weights["level0"], problem.wishes(weights, outputs)
    priors = problem.priors(level)
    predicted = np.round(priors.locations).astype(np.int64)
    towards = np.sign(wishes).astype(np.int64) if short else np.sign(predicted - level.symbols)
    saving = priors.bits(level.symbols) - priors.bits(level.symbols + towards)
    return Moves.of("level0", wishes, towards, saving, short=short)
