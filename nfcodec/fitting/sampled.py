"""Fitting SIRENs of fewer parameters than samples: Adam on random pixels, then the coarsest steps that will do.

Such a network cannot memorise the picture, so its error stays and second derivatives of it bring nothing; many cheap
steps do. The bits of its weights are in the loss, as how far they spread; noise in place of rounding costs more than it
teaches, and fine-tuning through the quantizer does not pay either: rounding that makes up for itself does
(docs/decisions.md).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from nfcodec.fields import Parameters, TiledSiren
from nfcodec.fitting import engines
from nfcodec.fitting.coarsest import coarsest
from nfcodec.fitting.engines import Adam, Engine, Objective, Rates, Stats
from nfcodec.fitting.loop import Schedule
from nfcodec.fitting.networks import Network, joined, networks_of
from nfcodec.fitting.plan import is_small
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.rounding import rounded
from nfcodec.fitting.solution import Request, Solution
from nfcodec.fitting.symmetry import folded, sorted_by_bias
from nfcodec.fitting.tensors import allowed_mse, balanced_steps, start_general
from nfcodec.workers import Workers, n_threads, one_thread, single_threaded_blas

FIT_STEPS = {1: 800, 2: 1600, 3: 3000, 4: 5500, 5: 9000, 6: 15_000, 7: 25_000, 8: 40_000, 9: 65_000}
PARAMETERS_PER_PIXEL, LEAST_SHARE = 0.08, 0.35
"""With more, steps are fewer, down to a share of them, so that they take no longer."""

PIXELS = 3072
"""Of a step."""

RATE, LAST_RATE, WARM_UP_STEPS = 3e-3, 0.01, 20
ADAM = Adam(beta_2=0.99, eps=1e-10)

MARGIN_DB, LEAST_MARGIN_DB = 1.0, 0.15
"""How far over the target a field should get before it is rounded, and how far it must."""

DB_PER_DOUBLING = 3.8
"""What twice the parameters bring."""

PILOT_SHARE, PILOT_STEPS, MISSING_DB = 0.08, 500, 80.0
"""A short fit tells how wide networks should be: its share of the steps, how many it takes at least, and how many dB
are missing in a fit, times the square root of its steps."""

MAX_WIDENINGS = 2
PROBED = (4, 16)
"""The steps between which time is taken for the announcement."""

CHECK_INTERVAL = 200
"""Steps from one look at all pixels to the next."""

WORSE = 1.25
"""An error so many times the best one is undone."""

DEAD = 0.97
"""Of the picture's variance, and of the first error: a field with a larger error says nothing about the picture."""

SPREAD_FROM = 0.4
"""Of the steps: from there on the bits of weights are in the loss."""

QUANTIZER_TRIALS = 10

Places = npt.NDArray[np.int64]


def solve_sampled(
    problem: Problem, request: Request, *, planned: bool = False, last: bool = False
) -> tuple[Solution, Problem] | None:
    """Fit from random weights, again and wider if the field does not get there; None if a small one will not do.

    The result may miss the target where steps or time ran out; the caller decides what that means.

    Args:
        problem: of a `Siren` or a `TiledSiren`.
        planned: whether the widths are a first guess, and a short fit may tell better ones.
        last: whether there is nothing else to try, and a result that misses the target is better than none.
    """
    began, done = time.monotonic(), 0
    if planned and request.max_steps is None:
        all_steps = _n_steps(problem, request.effort)
        n_steps = max(min(all_steps, PILOT_STEPS), round(PILOT_SHARE * all_steps))
        pilot = _fit_all(problem, request, n_steps)
        done += n_steps
        missing_db = MISSING_DB * (n_steps**-0.5 - all_steps**-0.5)
        problem = _resized(problem, pilot, request.psnr_db + MARGIN_DB - missing_db)
    for widenings in range(MAX_WIDENINGS + 1):
        n_steps = _n_steps(problem, request.effort)
        n_steps = n_steps if request.max_steps is None else min(n_steps, request.max_steps - done)
        fits = _fit_all(problem, request, n_steps)
        done += max(each.steps for each in fits)
        reached_db = _psnr_db(problem, fits)
        wider = _resized(problem, fits, request.psnr_db + MARGIN_DB)
        grows = widenings < MAX_WIDENINGS and is_small(wider.spec, wider.geometry)
        enough = reached_db >= request.psnr_db + LEAST_MARGIN_DB
        if enough or request.expired() or done == request.max_steps or (last and not grows):
            trial = _quantized(problem, fits, reached_db, request)
            engine = fits[0].engine
            return Solution(trial, done, done, time.monotonic() - began, engine.name, engine.device), problem
        if not grows:
            break
        problem = wider
    return None


def _n_steps(problem: Problem, effort: int) -> int:
    per_pixel = problem.spec.n_parameters(problem.geometry) / problem.geometry.n_pixels
    return round(FIT_STEPS[effort] * min(1.0, max(LEAST_SHARE, PARAMETERS_PER_PIXEL / per_pixel)))


@dataclass
class _Fit:
    """A network while it is fitted: its steps so far, and its statistics when they were best."""

    network: Network
    engine: Engine
    steps: int = 0
    stats: Stats = field(default_factory=lambda: Stats(math.inf, 0.0, math.inf))


def _fit_all(problem: Problem, request: Request, n_steps: int) -> list[_Fit]:
    """Fit all networks, one a thread at a time. Where time is short, each has its share."""
    networks, clock = networks_of(problem), request.clock("fit")
    fits: list[_Fit] = []
    for network in networks:
        with one_thread(len(networks) > 1):
            start = start_general(network.problem, request.seed)
            engine = engines.create(
                request.engine, request.device, network.problem, start, Objective(), request.seed, request.note
            )
        engine.adam = ADAM
        fits.append(_Fit(network, engine))
    workers, n_parameters = _workers(fits), sum(each.n_parameters for each in networks)
    stopped, left = threading.Event(), iter(range(len(networks), 0, -1))

    def run(worker: int, i: int) -> None:
        each, share = fits[i], math.ceil(next(left) / workers.n)
        deadline = time.monotonic() + (request.deadline - time.monotonic()) / share
        probe = 0.0

        def tell(step: int) -> bool:
            nonlocal probe
            if worker == 0:
                seen = [(fit.stats.squared_error, fit.network.problem.samples.size) for fit in fits if fit.steps]
                error = sum(error for error, _ in seen) * problem.samples.size / max(1, sum(n for _, n in seen))
                clock.tell(step, n_steps, problem.psnr_db(error) if error < math.inf else -math.inf)
                if step == PROBED[0]:
                    probe = time.monotonic()
                if i == 0 and step == PROBED[1]:
                    seconds = (time.monotonic() - probe) / (PROBED[1] - PROBED[0]) * n_steps
                    request.announce(problem, seconds * n_parameters / each.network.n_parameters / workers.n)
            return stopped.is_set() or time.monotonic() >= deadline

        with one_thread(workers.n > 1):
            _fit(each, request.seed, n_steps, tell)

    try:
        workers.run(len(networks), run)
    finally:
        stopped.set()
    return fits


def _workers(fits: Sequence[_Fit]) -> Workers:
    """Threads for as many fits, but one where they share a device that has threads of its own."""
    return Workers(min(n_threads(), len(fits)) if fits[0].engine.device == "cpu" else 1)


def _fit(each: _Fit, seed: int, n_steps: int, tell: Callable[[int], bool]) -> None:
    """Steps on random pixels at a rate that falls along a half cosine; now and then all pixels tell how it goes.

    Args:
        tell: called before each step with its number; whether to stop there.
    """
    problem, engine, rng = each.network.problem, each.engine, np.random.default_rng(seed)
    schedule = Schedule(math.inf, n_steps, Rates(RATE, RATE), decay=LAST_RATE)
    best, spread, slowdown, restarted = engine.parameters(), dict[str, float](), 1.0, 0
    each.stats = engine.evaluate()
    flat = DEAD * max(each.stats.mse, float(problem.targets.var(axis=0).mean()))
    for step in range(n_steps):
        if tell(step):
            break
        each.steps += 1
        stats = engine.sampled_gradient(*_sample(problem, rng), spread)
        warmth = min(1.0, (step - restarted + 1) / WARM_UP_STEPS)
        rate = schedule.rates_at(step).network * slowdown * warmth
        engine.update(Rates(rate, rate))
        if (step + 1) % CHECK_INTERVAL and math.isfinite(stats.mse):
            continue
        now = engine.evaluate()
        if not now.mse < min(WORSE * each.stats.mse, flat):
            engine.restore(best)
            slowdown, restarted = slowdown / 2, step + 1
        elif now.mse < each.stats.mse:
            best, each.stats = engine.parameters(), now
        if step >= SPREAD_FROM * n_steps:
            spread = _price_of_spread(engine.parameters(), each.stats.mse)
    last = engine.evaluate()
    if last.mse <= each.stats.mse:
        each.stats = last
    else:
        engine.restore(best)


def _price_of_spread(parameters: Parameters, mse: float) -> dict[str, float]:
    """For each matrix, what its weights pay for their size, as a factor on them that is added to the gradient.

    With s for the root mean square of a tensor of n weights, the bits are n log2(s) and something. At the steps that
    cost the margin, a bit more for each of all N parameters takes 2 ln(2) of the margin's error away, so that error
    times n / N times 2 ln(s) is what s costs, and w / s^2 times 2 / N of that error its slope.
    """
    n_parameters = sum(value.size for value in parameters.values())
    margin = mse * (10 ** (MARGIN_DB / 10) - 1)
    return {
        name: 2 * margin / n_parameters / max(float(np.square(value, dtype=np.float64).mean()), 1e-12)
        for name, value in parameters.items()
        if name.startswith("weight")
    }


def _sample(problem: Problem, rng: np.random.Generator) -> tuple[Places, Places]:
    """Rows and columns, one out of each of so many equal parts, that cross at about `PIXELS` pixels."""
    geometry = problem.geometry
    share = min(1.0, math.sqrt(PIXELS / geometry.n_pixels))

    def places(n: int) -> Places:
        ends = np.arange(max(1, round(n * share)) + 1) * n // max(1, round(n * share))
        return ends[:-1] + rng.integers(0, np.diff(ends))

    return places(geometry.height), places(geometry.width)


def _psnr_db(problem: Problem, fits: Sequence[_Fit]) -> float:
    return problem.psnr_db(sum(each.stats.squared_error for each in fits))


def _resized(problem: Problem, fits: Sequence[_Fit], goal_db: float) -> Problem:
    """The same with as many neurons in each network as should make a PSNR out of what was reached with these.

    If errors E fall with a power of the number n of parameters, the fewest of all are those with the same E / n in each
    network: one more then gains as much in any of them.
    """
    power = DB_PER_DOUBLING / (10 * math.log10(2))
    errors = np.array([each.stats.squared_error for each in fits])
    errors = np.maximum(errors, max(1e-3 * float(errors.mean()), 1e-9))
    slopes = errors / np.array([each.network.n_parameters for each in fits])
    ratios = slopes ** (1 / (1 + power))
    ratios *= (float((errors * ratios**-power).sum()) / problem.squared_error(goal_db)) ** (1 / power)
    widths = [
        min(4096, max(1, round(each.network.spec.width * math.sqrt(ratio))))
        for each, ratio in zip(fits, np.clip(ratios, 0.25, 4.0).tolist(), strict=True)
    ]
    spec = problem.spec
    if isinstance(spec, TiledSiren):
        return replace(problem, spec=replace(spec, widths=tuple(widths)))
    return replace(problem, spec=replace(fits[0].network.spec, width=widths[0]))


def _quantized(problem: Problem, fits: Sequence[_Fit], reached_db: float, request: Request) -> Trial:
    """Rounded with the coarsest steps that keep the target, all scaled by one factor; as close as they get if none do.

    Raises FormatError if no such steps suit the format's arithmetic.
    """
    networks, workers = [each.network for each in fits], _workers(fits)
    n_parameters = sum(each.n_parameters for each in networks)
    mse = sum(each.stats.mse * each.network.problem.geometry.n_pixels for each in fits) / problem.geometry.n_pixels
    allowed = allowed_mse(problem, mse, reached_db - request.psnr_db, request.psnr_db)
    parameters = [folded(each.network.spec, each.engine.parameters()) for each in fits]
    steps: list[dict[str, float]] = [{} for _ in fits]

    def balance(worker: int, i: int) -> None:
        network, engine = networks[i], fits[i].engine
        pixels = problem.geometry.n_pixels / network.problem.geometry.n_pixels
        engine.restore(parameters[i])
        with one_thread(workers.n > 1):
            steps[i] = balanced_steps(network.problem, engine, allowed * network.n_parameters / n_parameters * pixels)

    def attempt(exponent: float) -> Trial:
        trials: list[Trial] = [Trial({}, problem.samples, 0.0)] * len(networks)

        def try_one(worker: int, i: int) -> None:
            network = networks[i]
            scaled = {name: step * 2**exponent for name, step in steps[i].items()}
            with one_thread(workers.n > 1):
                weights = sorted_by_bias(network.spec, rounded(network.problem, parameters[i], scaled))
                trials[i] = network.problem.trial(weights)

        with single_threaded_blas():
            workers.run(len(networks), try_one)
        return joined(problem, networks, trials)

    def missing_log2(trial: Trial) -> float:
        margin_db = max(0.05, reached_db - request.psnr_db)
        lost_db = max(0.01, reached_db - trial.psnr_db)
        return math.log2((10 ** (margin_db / 10) - 1) / (10 ** (lost_db / 10) - 1)) / 2

    workers.run(len(networks), balance)
    return coarsest(request, QUANTIZER_TRIALS, attempt, missing_log2)
