"""Quantization of coefficients that weighs errors against bits."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import OUTPUT_UNIT, Quantized, Step
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fields.wavelet.rate import Priors, Singles, bits, by_plane, plane_major
from nfcodec.fields.wavelet.restoration import Filtered
from nfcodec.fitting.landing import Moves, land
from nfcodec.fitting.problem import Trial, Weights
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import Bracket, Tried
from nfcodec.workers import Workers, n_threads

PRICE = 0.1
"""What a bit may cost in squared error, in squares of the quantizer step. (At high rates it is 2 ln 2 / 12.)"""

LEAST_PRICE, HIGHEST_PRICE = PRICE / 200, 4 * PRICE

ROUNDS = 2
"""How often quantization and prediction take turns."""

CLOSE_DB, ROUGHLY_DB, TRIALS = 0.015, 0.03, 4
"""How far over the target coefficients may end, and how far from it they may be before filters come in,
after so many trials at most."""

PRICES, RETRIES = 12, 3
DB_PER_PRICE, LEAST_FALL = 4.0, 0.2
"""What the PSNR falls by as the price grows by 1, about, until two trials tell; and the least that is believed."""

STEP_EXPONENT = 0.8
"""The error grows with about this power of the quantizer step."""

MARGIN_DB = 5e-4
"""What is asked for beyond the target where PSNRs are only nearly right."""

SETTLING_DB = 0.3
"""How far below the target quantization starts."""

CHUNK = 1 << 16
"""Coefficients that a thread weighs at a time."""

Symbols32 = npt.NDArray[np.int32]
Places = npt.NDArray[np.int32]
Moves8 = npt.NDArray[np.int8]
_NO_MOVES = np.zeros(0, np.int32), np.zeros(0, np.int8), np.zeros(0, np.float32)


class Weighing:
    """Coefficients in quantizer steps to the nearest integer, or to the next one towards the prediction.

    Whichever has the smaller sum of squared error, in a nearly orthonormal basis, and price times bits.

    Args:
        exact: (H, W, F).
        step: the quantizer step, in the unit of `exact`.
    """

    def __init__(self, exact: Singles, priors: Priors, step: float = 1.0) -> None:
        self._nearest: Symbols32 = plane_major(exact.shape, np.int32)
        arrays: list[npt.NDArray[Any]] = [exact, priors.locations, priors.scales, self._nearest]
        flat = [by_plane(array) for array in arrays]
        starts = range(0, exact.size, CHUNK)
        found: list[tuple[Places, Moves8, Singles]] = [_NO_MOVES] * len(starts)

        def chunk(worker: int, i: int) -> None:
            here, location, scale, nearest = (array[starts[i] : starts[i] + CHUNK] for array in flat)
            here = here * np.float32(1 / step)
            rounded = np.rint(here)
            nearest[:] = rounded
            towards = np.sign(np.rint(location) - rounded)
            places = np.flatnonzero(towards).astype(np.int32)
            here, location, scale, rounded, towards = (
                array[places] for array in (here, location, scale, rounded, towards)
            )
            saved_bits = bits(rounded, location, scale) - bits(rounded + towards, location, scale)
            added_error = 1 - 2 * towards * (here - rounded)
            useful = saved_bits > 0
            price: Singles = np.divide(added_error[useful], saved_bits[useful], dtype=np.float32)
            cheap = price < HIGHEST_PRICE
            chosen = np.flatnonzero(useful)[cheap]
            found[i] = places[chosen] + np.int32(starts[i]), towards[chosen].astype(np.int8), price[cheap]

        Workers(n_threads()).run(len(starts), chunk)
        self._places, self._towards, self._worth_it_from = (np.concatenate(each) for each in zip(*found, strict=True))

    def at(self, price: float = PRICE) -> Symbols32:
        """The symbols if a bit costs so much, at most `HIGHEST_PRICE`."""
        symbols: Symbols32 = np.copy(self._nearest, order="K")
        moved = np.flatnonzero(price > self._worth_it_from)
        by_plane(symbols)[self._places[moved]] += self._towards[moved]
        return symbols


def weigh(linear: WaveletProblem, request: Request, start: Weights) -> Weights:
    """Quantize again, each coefficient to what costs least in errors and bits, and come close to the target.

    The last of a few quantizer steps, each of which would be right if the error followed its power law.
    """
    weights, coarseness = start, 1.0
    exact, clock = linear.coefficients(start), request.clock("quantize")
    for number in range(TRIALS):
        step = Step.nearest(start["level0"].step.value * coarseness)
        symbols: Symbols32 = plane_major(exact.shape, np.int32)
        by_plane(symbols)[:] = np.rint(by_plane(exact) * np.float32(1 / step.value))
        for _ in range(ROUNDS):
            symbols = Weighing(exact, linear.priors(Quantized(symbols, step)), step.value).at()
        weights = {**start, "level0": Quantized(symbols, step)}
        psnr_db = linear.near_psnr_db(weights)
        clock.tell(number, TRIALS, psnr_db)
        excess_db = psnr_db - request.psnr_db
        if abs(excess_db) < ROUGHLY_DB or math.isinf(excess_db) or request.expired():
            break
        coarseness *= 10 ** (excess_db / 20 / STEP_EXPONENT)
    return weights


def settle(filtered: Filtered, request: Request, weights: Weights, settlings: int) -> Trial:
    """Quantized again and again, filters and predictions renewed each time, for as long as that makes a smaller file.

    The closest to the target if none reaches it.

    Args:
        weights: of the linear part; where a layer behind filters is among them, it is made anew.
        settlings: how often at most.
    """
    best, best_bytes, price, priors = None, math.inf, PRICE, filtered.linear.priors(weights["level0"])
    for _ in range(settlings):
        weights = filtered.renewed(weights)
        rest = filtered.rest(weights)
        weighing = Weighing(rest.wishes(weights, plus_symbols=True), priors)
        del priors  # which take much memory, as do the others
        weights, price, reached = _priced(filtered, request, weights, rest, weighing, price)
        del rest, weighing
        priors = filtered.linear.priors(weights["level0"])
        if not reached:  # with the filters as they were; those of these weights may do better
            continue
        n_bytes = filtered.problem.near_bytes(weights, priors)
        if n_bytes >= best_bytes:
            break
        best, best_bytes = weights, n_bytes
        if request.expired():
            break
    weights = filtered.renewed(weights) if best is None else best
    trial = filtered.problem.trial(weights)
    if 0 <= trial.psnr_db - request.psnr_db < CLOSE_DB:
        return trial
    rest = filtered.rest(weights)
    return land(filtered.problem, request, weights, partial(_last_moves, rest), rest.near_psnr_db)


def _priced(
    filtered: Filtered, request: Request, weights: Weights, rest: WaveletProblem, weighing: Weighing, price: float
) -> tuple[Weights, float, bool]:
    """The weights at the price that just suffices.

    The filters' effect is taken as given, and the error of that made up for after each search.

    Args:
        rest: what is left for the linear part to fit.
        price: where the search for the price begins.

    Returns:
        The weights, their price, and whether they nearly reach the target; the best ones where no price does.
    """
    clock, step = request.clock("quantize"), weights["level0"].step
    closest, closest_db, bias_db, goal_db = None, math.inf, 0.0, request.psnr_db + MARGIN_DB
    moved = weights
    for _ in range(RETRIES):
        found, found_db = None, math.nan
        search = _PriceSearch(goal_db + CLOSE_DB / 20)
        for number in range(PRICES):
            moved = {**weights, "level0": Quantized(weighing.at(price), step)}
            psnr_db = rest.near_psnr_db(moved) + bias_db
            clock.tell(number, PRICES, psnr_db)
            if psnr_db >= goal_db:
                found, found_db = (moved, price), psnr_db
            if 0 <= psnr_db - goal_db < CLOSE_DB / 10:
                break
            price = search.after(price, psnr_db, reached=psnr_db >= goal_db)
            if price < LEAST_PRICE:
                break
        if found is None:
            break
        filtered_db = filtered.rest(found[0]).near_psnr_db(found[0])
        if filtered_db >= goal_db and filtered_db < closest_db:
            closest, closest_db = found, filtered_db
        if 0 <= filtered_db - goal_db < CLOSE_DB / 5:
            break
        bias_db += filtered_db - found_db - CLOSE_DB / 20
    if closest is None:
        return moved, PRICE, False
    return *closest, True


class _PriceSearch:
    """Looks for the price at which a PSNR is reached.

    Args:
        goal_db: the PSNR.
    """

    def __init__(self, goal_db: float) -> None:
        self._goal_db, self._bracket = goal_db, Bracket(Tried(0.0, math.inf), Tried(HIGHEST_PRICE, -math.inf))
        self._last: Tried | None = None
        self._fall = DB_PER_PRICE

    def after(self, price: float, psnr_db: float, *, reached: bool) -> float:
        """The next price to try after one that gave a PSNR."""
        last, self._last = self._last, Tried(price, psnr_db)
        self._bracket.add(price, psnr_db, reached=reached)
        enough, beyond = self._bracket.enough, self._bracket.beyond
        assert enough is not None
        assert beyond is not None
        if math.isfinite(enough.value - beyond.value):
            return self._bracket.secant(self._goal_db)
        if last is not None and last.x != price and math.isfinite(last.value - psnr_db):
            self._fall = max(LEAST_FALL, (last.value - psnr_db) / (price - last.x))
        excess_db = psnr_db - self._goal_db
        room = beyond.x - price if excess_db > 0 else price - enough.x
        return price + math.copysign(min(0.75 * room, abs(excess_db) / self._fall), excess_db)


def _last_moves(rest: WaveletProblem, weights: Weights, outputs: npt.NDArray[np.int64], short: bool) -> Moves:
    """Towards the picture where that is short of its target, else towards what the networks predict."""
    level = weights["level0"]
    wishes = rest.wishes(weights, (outputs * OUTPUT_UNIT).astype(np.float32))
    priors = rest.priors(level)
    predicted = np.rint(priors.locations).astype(np.int32)
    towards = np.sign(wishes).astype(np.int64) if short else np.sign(predicted - level.symbols).astype(np.int64)
    saving = priors.bits(level.symbols) - priors.bits(level.symbols + towards)
    return Moves.of("level0", wishes, towards, saving, short=short)
