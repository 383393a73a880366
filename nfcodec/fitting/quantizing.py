"""Rounding the networks of a small SIREN so that the picture just reaches its target.

The same steps in all networks, scaled by one factor, come close. How well a network takes its rounding is luck, though:
of steps that differ by a few per cent, some do by 0.03 dB better than others. So each is rounded in several ways, and
those are taken that give the target with the fewest bytes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.fields import Parameters
from nfcodec.fitting.coarsest import coarsest
from nfcodec.fitting.networks import Network, joined
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.rate import estimated_bytes
from nfcodec.fitting.rounding import rounded
from nfcodec.fitting.sampled import Fit, workers_for
from nfcodec.fitting.solution import Request
from nfcodec.fitting.symmetry import folded
from nfcodec.fitting.tensors import allowed_mse, balanced_steps
from nfcodec.workers import Workers, one_thread, single_threaded_blas

TRIALS = 10
"""Of one factor for all networks, at most."""

LARGEST_MARGIN_DB = 60.0
"""What is as good as infinite."""

APART_LOG2 = 0.02
"""Of the factors of ways, one from the next."""

MORE_WAYS = {1: 0, 2: 0, 3: 2, 4: 4, 5: 10, 6: 14, 7: 20, 8: 30, 9: 40}
"""Beyond those that find the factor, by effort."""

PRICES = 60
"""Of errors in bytes; the last ones are all alike."""

Floats = npt.NDArray[np.float64]


def quantized(problem: Problem, fits: Sequence[Fit], reached_db: float, request: Request) -> Trial:
    """The fits of all networks, rounded to just reach the target; as close as they get if they do not.

    Raises FormatError if no steps suit the format's arithmetic.
    """
    networks, workers = [each.network for each in fits], workers_for(fits)
    parameters = [folded(each.network.spec, each.engine.parameters()) for each in fits]
    reached_db = min(reached_db, request.psnr_db + LARGEST_MARGIN_DB)
    steps = _steps(problem, fits, parameters, workers, reached_db - request.psnr_db, request.psnr_db)
    exponents: list[float] = []
    ways: list[list[Trial]] = []
    wholes: list[Trial] = []

    def attempt(exponent: float) -> Trial:
        trials: dict[int, Trial] = {}

        def try_one(worker: int, i: int) -> None:
            scaled = {name: step * 2**exponent for name, step in steps[i].items()}
            with one_thread(workers.n > 1):
                trials[i] = networks[i].problem.trial(rounded(networks[i].problem, parameters[i], scaled))

        with single_threaded_blas():
            workers.run(len(networks), try_one)
        exponents.append(exponent)
        ways.append([trials[i] for i in range(len(networks))])
        wholes.append(joined(problem, networks, ways[-1]))
        return wholes[-1]

    def missing_log2(trial: Trial) -> float:
        margin_db = max(0.05, reached_db - request.psnr_db)
        lost_db = max(0.01, reached_db - trial.psnr_db)
        return math.log2((10 ** (margin_db / 10) - 1) / (10 ** (lost_db / 10) - 1)) / 2

    found = coarsest(request, TRIALS, attempt, missing_log2)
    if found.psnr_db < request.psnr_db:
        return found
    at = next(i for i, whole in enumerate(wholes) if whole is found)
    clock, n_more = request.clock("quantize"), MORE_WAYS[request.effort]
    for number in range(n_more):
        if request.expired():
            break
        clock.tell(number, n_more, found.psnr_db)
        away = APART_LOG2 * (number // 2 + 1)
        with contextlib.suppress(FormatError):  # too fine
            attempt(exponents[at] + (away if number % 2 else -away))
    chosen = _fewest_bytes(problem, networks, workers, ways, at, request.psnr_db)
    whole = joined(problem, networks, [ways[way][i] for i, way in enumerate(chosen)])
    return whole if whole.psnr_db >= request.psnr_db else found


def _steps(
    problem: Problem, fits: Sequence[Fit], parameters: Sequence[Parameters], workers: Workers, margin_db: float,
    target_db: float,
) -> list[dict[str, float]]:  # fmt: skip
    """Quantizer steps of each network that take about a margin, of which each parameter has its share."""
    n_pixels = problem.geometry.n_pixels
    mse = sum(each.stats.mse * each.network.problem.geometry.n_pixels for each in fits) / n_pixels
    n_parameters = sum(each.network.n_parameters for each in fits)
    allowed = allowed_mse(problem, mse, margin_db, target_db) * n_pixels / n_parameters
    steps: list[dict[str, float]] = [{} for _ in fits]

    def balance(worker: int, i: int) -> None:
        network, engine = fits[i].network, fits[i].engine
        engine.restore(parameters[i])
        with one_thread(workers.n > 1):
            share = allowed * network.n_parameters / network.problem.geometry.n_pixels
            steps[i] = balanced_steps(network.problem, engine, share)

    workers.run(len(fits), balance)
    return steps


def _fewest_bytes(
    problem: Problem, networks: Sequence[Network], workers: Workers, ways: Sequence[Sequence[Trial]], first: int,
    target_db: float,
) -> list[int]:  # fmt: skip
    """Which way to take of each network."""
    if len(ways) == 1:
        return [0] * len(networks)
    errors = np.zeros((len(ways), len(networks)))
    sizes = np.zeros_like(errors)

    def estimate(worker: int, i: int) -> None:
        problem = networks[i].problem
        for way, trials in enumerate(ways):
            errors[way, i] = problem.squared_error(trials[i].psnr_db)
            sizes[way, i] = estimated_bytes(problem, trials[i].weights)

    workers.run(len(networks), estimate)
    return cheapest(errors, sizes, problem.squared_error(target_db), first)


def cheapest(errors: Floats, sizes: Floats, allowed: float, first: int) -> list[int]:
    """The row of each column whose sizes add up to the least found, for errors that add up to no more than is allowed.

    Args:
        errors, sizes: (ways, networks).
        first: a row that will do for all.

    The best for a price of errors, at the highest price that will do; then one by one, while that saves anything.
    """
    n_networks = errors.shape[1]
    columns = np.asarray(np.arange(n_networks), np.intp)
    chosen = np.full(n_networks, first)
    low, high = 0.0, float(sizes.max() / max(errors.min(), 1e-300))
    for _ in range(PRICES):
        price = (low + high) / 2
        rows = np.argmin(sizes + price * errors, axis=0)
        if errors[rows, columns].sum() > allowed:
            low = price
        else:
            high = price
            if sizes[rows, columns].sum() < sizes[chosen, columns].sum():
                chosen = rows
    while True:
        spare = allowed - errors[chosen, columns].sum()
        saved = np.where(errors - errors[chosen, columns] <= spare, sizes[chosen, columns] - sizes, 0)
        row, column = np.unravel_index(np.argmax(saved), saved.shape)
        if saved[row, column] <= 0:
            return chosen.tolist()
        chosen[column] = row
