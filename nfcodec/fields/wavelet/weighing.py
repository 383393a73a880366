"""Quantization of a wavelet level's coefficients that weighs errors against bits."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.fields.table.analysis import coefficients_of
from nfcodec.fields.wavelet.rate import Floats, Prior, estimated_bytes, laplace_bits, prior_of
from nfcodec.fields.wavelet.restoration import rest_of, restored
from nfcodec.fitting.landing import Weights, land, wishes_of
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.request import Request

PRICE = 0.1
"""What a bit may cost in squared error, in squares of the quantizer step. (At high rates it is 2 ln 2 / 12.)"""

ROUNDS = 2
"""How often quantization and prediction take turns."""

TRIALS, CLOSE_DB = 4, 0.03
PRICES, RETRIES = 12, 3
STEP_EXPONENT = 0.8
"""The error grows with about this power of the quantizer step."""

SETTLING_DB, SETTLINGS = 0.3, 3
"""How far below the target quantization starts, and how often it is done once more to get there."""


def weigh(problem: Problem, request: Request, start: Weights) -> Weights:
    """Quantize again, each coefficient to what costs least in errors and bits, and come close to the target."""
    weights, coarseness = start, 1.0
    steps = {name: weight.step.value for name, weight in start.items()}
    parameters = {name: weight.values.astype(np.float32) for name, weight in start.items()}
    exact = coefficients_of(problem, parameters, steps)
    clock = request.clock("quantize")
    for trial_number in range(TRIALS):
        step = Step.nearest(steps["level0"] * coarseness)
        symbols = np.round(exact / step.value).astype(np.int64)
        for _ in range(ROUNDS):
            symbols = Weighing(exact / step.value, prior_of(problem, Quantized(symbols, step))).at()
        weights = {**start, "level0": Quantized(symbols, step)}
        psnr_db = problem.exact_psnr_db(weights)
        clock.tell(trial_number, TRIALS, psnr_db)
        excess_db = psnr_db - request.psnr_db
        if abs(excess_db) < CLOSE_DB or math.isinf(excess_db):
            break
        coarseness *= 10 ** (excess_db / 20 / STEP_EXPONENT)
    return weights


def _weigh_again(problem: Problem, plain: Problem, request: Request, weights: Weights) -> Trial:
    """Quantize once more what the field's error says the coefficients should be, at the price that just suffices.

    The filters' effect is taken as given, and the error of that made up for after each search.
    """
    clock, outputs = request.clock("quantize"), problem.spec.evaluate(problem.geometry, weights)
    start, rest, level = problem.trial_of(weights, outputs), rest_of(problem, plain, weights), weights["level0"]
    _, wishes = wishes_of(problem, weights, outputs)
    weighing, closest = Weighing(np.asarray(level.symbols + wishes, np.float64), prior_of(problem, level)), None
    bias_db, price = 0.0, PRICE
    for _ in range(RETRIES):
        found, found_db, low, high = weights, start.psnr_db, (0.0, math.inf), (4 * PRICE, -math.inf)
        for number in range(PRICES):
            moved = {**weights, "level0": Quantized(weighing.at(price), level.step)}
            psnr_db = rest.exact_psnr_db(moved) + bias_db
            clock.tell(number, PRICES, psnr_db)
            if psnr_db >= request.psnr_db:
                found, found_db, low = moved, psnr_db, (price, psnr_db)
            else:
                high = (price, psnr_db)
            if 0 <= psnr_db - request.psnr_db < CLOSE_DB / 10:
                break
            price = _between(low, high, request.psnr_db + CLOSE_DB / 20)
        trial = problem.trial(found)
        if trial.psnr_db >= request.psnr_db and (closest is None or trial.psnr_db < closest.psnr_db):
            closest = trial
        if 0 <= trial.psnr_db - request.psnr_db < CLOSE_DB / 5:
            break
        bias_db += trial.psnr_db - found_db - CLOSE_DB / 20
    if closest is not None:
        return closest
    return land(problem, request, weights, rest.exact_psnr_db)


def _between(low: tuple[float, float], high: tuple[float, float], goal_db: float) -> float:
    """Where between two prices the PSNR should be the goal, on a line through theirs: half way if they have none."""
    share = 0.5
    if math.isfinite(low[1] - high[1]):
        share = min(0.95, max(0.05, (low[1] - goal_db) / (low[1] - high[1])))
    return low[0] + (high[0] - low[0]) * share


def settle(problem: Problem, plain: Problem, request: Request, weights: Weights) -> Trial:
    """Quantized again and again, filters and predictions renewed each time, for as long as that makes a smaller file.

    The closest to the target if none reaches it.
    """
    best, best_merit = None, (False, -math.inf)
    for _ in range(SETTLINGS):
        trial = _weigh_again(problem, plain, request, restored(problem, plain, weights))
        weights, reached = trial.weights, trial.psnr_db >= request.psnr_db
        merit = (reached, -estimated_bytes(problem, weights) if reached else trial.psnr_db)
        if best is None or merit > best_merit:
            best, best_merit = trial, merit
        elif reached:
            break
        if request.expired():
            break
    assert best is not None
    return best


class Weighing:
    """Coefficients in quantizer steps to the nearest integer, or to the next one towards the prediction.

    Whichever has the smaller sum of squared error, in a nearly orthonormal basis, and price times bits.
    """

    def __init__(self, exact: Floats, prior: Prior) -> None:
        nearest = np.round(exact)
        towards = np.sign(np.round(prior[0].astype(np.float64)) - nearest)
        saved_bits = laplace_bits(nearest, prior) - laplace_bits(nearest + towards, prior)
        added_error = np.square(exact - nearest - towards) - np.square(exact - nearest)
        self._nearest, self._towards = nearest.astype(np.int64), towards.astype(np.int8)
        self._worth_it_from = np.full(exact.shape, np.inf, np.float32)
        np.divide(added_error, saved_bits, out=self._worth_it_from, where=saved_bits > 0, casting="same_kind")

    def at(self, price: float = PRICE) -> npt.NDArray[np.int64]:
        """The symbols if a bit costs so much."""
        return self._nearest + self._towards * (price > self._worth_it_from)
