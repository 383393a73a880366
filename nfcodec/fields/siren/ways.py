"""Rounding the networks of a small SIREN so that the picture just reaches its target.

The same steps in all networks, scaled by one factor, come close. How well a network takes its rounding is luck, though:
of steps that differ by a few per cent, some do by 0.03 dB better than others. So each is rounded in several ways, and
those are taken that give the target with the fewest bytes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.fields.siren.networks import joined
from nfcodec.fields.siren.recipes import Recipe
from nfcodec.fields.siren.rounding import folded, rounded
from nfcodec.fields.siren.sampled_fit import Fit, workers_for
from nfcodec.fitting.fine_tuning import allowed_mse, balanced_steps
from nfcodec.fitting.problem import Problem, Trial, Weights
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import Bracket, Tried, coarsest
from nfcodec.workers import one_thread, single_threaded_blas

TRIALS = 10
"""Of one factor for all networks, at most."""

LARGEST_MARGIN_DB = 60.0
"""What is as good as infinite."""

APART_LOG2 = 0.02
"""Of the factors of ways, one from the next."""

PRICES = 60
"""Of errors in bytes; the last ones are all alike."""

Floats = npt.NDArray[np.float64]
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Way:
    """A factor on all steps, as its logarithm, and what comes of it: weights and squared errors of each network."""

    exponent: float
    weights: list[Weights]
    errors: list[float]


def quantized(problem: Problem, fits: Sequence[Fit], reached_db: float, request: Request, recipe: Recipe) -> Trial:
    """The fits of all networks, rounded to just reach the target; as close as they get if they do not.

    Where time cut them short of it, they are just rounded.

    Raises FormatError if no steps suit the format's arithmetic.
    """
    margin_db = min(reached_db - request.psnr_db, LARGEST_MARGIN_DB)
    networks = _Networks(problem, fits, margin_db, request.psnr_db)
    ways: list[_Way] = []

    def attempt(exponent: float) -> Trial:
        trials = networks.rounded(exponent)
        ways.append(_Way(exponent, [trial.weights for trial in trials], networks.errors(trials)))
        return networks.joined(trials)

    def missing_log2(trial: Trial) -> float:
        allowed_db, lost_db = max(0.05, margin_db), max(0.01, request.psnr_db + margin_db - trial.psnr_db)
        return math.log2((10 ** (allowed_db / 10) - 1) / (10 ** (lost_db / 10) - 1)) / 2

    n_trials = 1 if margin_db < 0 and request.steps_expired() else TRIALS
    found, allowed = coarsest(request, n_trials, attempt, missing_log2), problem.squared_error(request.psnr_db)
    if found.psnr_db < request.psnr_db or request.expired():
        return found
    first = max((way for way in ways if sum(way.errors) <= allowed), key=lambda way: way.exponent, default=None)
    if first is None:  # by the last bits of sums
        return found
    clock, n_more = request.clock("quantize"), recipe.more_ways
    for number in range(n_more):
        clock.tell(number, n_more, found.psnr_db)
        away = APART_LOG2 * (number // 2 + 1)
        with contextlib.suppress(FormatError):  # too fine
            attempt(first.exponent + (away if number % 2 else -away))
        if request.expired():
            break
    chosen = cheapest(np.array([way.errors for way in ways]), networks.sizes(ways), allowed, ways.index(first))
    whole = networks.joined(networks.trials([ways[way].weights[i] for i, way in enumerate(chosen)]))
    return whole if whole.psnr_db >= request.psnr_db else found


class _Networks:
    """Fitted networks, and steps of each that take about a margin, of which each parameter has its share."""

    def __init__(self, problem: Problem, fits: Sequence[Fit], margin_db: float, target_db: float) -> None:
        self._problem, self._workers = problem, workers_for([each.engine for each in fits])
        self._networks = [each.network for each in fits]
        self._parameters = [folded(each.network.siren, each.engine.parameters()) for each in fits]
        n_pixels = problem.geometry.n_pixels
        mse = sum(each.stats.mse * each.network.problem.geometry.n_pixels for each in fits) / n_pixels
        n_parameters = sum(each.n_parameters for each in self._networks)
        allowed = allowed_mse(problem, mse, margin_db, target_db) * n_pixels / n_parameters

        def balanced(i: int) -> dict[str, float]:
            part, engine = self._networks[i].problem, fits[i].engine
            engine.restore(self._parameters[i])
            return balanced_steps(part, engine, allowed * self._networks[i].n_parameters / part.geometry.n_pixels)

        self._steps = self._each(balanced)

    def _each(self, result: Callable[[int], Result]) -> list[Result]:
        """The results for all networks, by number."""
        results: dict[int, Result] = {}

        def run(worker: int, i: int) -> None:
            with one_thread(self._workers.n > 1):
                results[i] = result(i)

        with single_threaded_blas():
            self._workers.run(len(self._networks), run)
        return [results[i] for i in range(len(self._networks))]

    def rounded(self, exponent: float) -> list[Trial]:
        """With all steps times 2^exponent. Raises FormatError if they are too fine."""

        def one(i: int) -> Trial:
            part, steps = self._networks[i].problem, self._steps[i]
            scaled = {name: step * 2**exponent for name, step in steps.items()}
            return part.trial(rounded(part, self._parameters[i], scaled))

        return self._each(one)

    def trials(self, weights: Sequence[Weights]) -> list[Trial]:
        """Of given weights."""
        return self._each(lambda i: self._networks[i].problem.trial(weights[i]))

    def joined(self, trials: Sequence[Trial]) -> Trial:
        """The trial of the whole."""
        return joined(self._problem, self._networks, trials)

    def errors(self, trials: Sequence[Trial]) -> list[float]:
        """The sums of squared sample errors."""
        pairs = zip(self._networks, trials, strict=True)
        return [network.problem.squared_error(trial.psnr_db) for network, trial in pairs]

    def sizes(self, ways: Sequence[_Way]) -> Floats:
        """About how many bytes each way of rounding takes, (ways, networks)."""
        columns = self._each(lambda i: [self._networks[i].problem.estimated_bytes(way.weights[i]) for way in ways])
        return np.transpose(np.array(columns, np.float64))


def cheapest(errors: Floats, sizes: Floats, allowed: float, first: int) -> list[int]:
    """The row of each column whose sizes add up to the least found, for errors that add up to no more than is allowed.

    The best for a price of errors, at the lowest price that will do; then one by one, while that saves anything.

    Args:
        errors, sizes: (ways, networks).
        first: a row that will do for all.
    """
    n_networks = errors.shape[1]
    columns = np.asarray(np.arange(n_networks), np.intp)
    chosen = np.full(n_networks, first)
    highest = float(sizes.max() / max(errors.min(), 1e-300))
    bracket = Bracket(Tried(-highest, math.nan), Tried(0.0, math.nan))  # of prices' negatives: higher ones reach
    for _ in range(PRICES):
        price = -bracket.halfway()
        rows = np.argmin(sizes + price * errors, axis=0)
        error = float(errors[rows, columns].sum())
        bracket.add(-price, error, reached=error <= allowed)
        if error <= allowed and sizes[rows, columns].sum() < sizes[chosen, columns].sum():
            chosen = rows
    while True:
        spare = allowed - errors[chosen, columns].sum()
        saved = np.where(errors - errors[chosen, columns] <= spare, sizes[chosen, columns] - sizes, 0)
        row, column = np.unravel_index(np.argmax(saved), saved.shape)
        if saved[row, column] <= 0:
            return chosen.tolist()
        chosen[column] = row
