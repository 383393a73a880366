"""Gradient steps on random pixels, for SIRENs of fewer parameters than samples.

Such a network cannot memorise the picture, so its error stays and second derivatives of it bring nothing; many cheap
steps do, of one size in all directions (Muon). The bits of weights are in the loss, as their magnitudes; noise in
place of rounding costs more than it teaches (docs/decisions.md).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nfcodec.fields.siren.muon import Muon
from nfcodec.fields.siren.networks import Network, networks_of
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Engine, Objective, Rates, Stats
from nfcodec.fitting.fine_tuning import start_general
from nfcodec.fitting.loop import Schedule
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request
from nfcodec.workers import Workers, n_threads, one_thread

PIXELS = 3072
"""Of a step."""

RATE, LAST_RATE, WARM_UP_STEPS = 2.5e-3, 0.01, 20
"""Of steps by Muon: at the start, at the end as a share of it, and steps that grow up to it."""

MARGIN_DB = 0.6
"""How far over the target a field should get before it is rounded."""

PRICE = 1.5
"""Of bits in the loss, over what they save when weights are rounded: such weights also bear rounding better."""

PROBED = (4, 16)
"""The steps between which time is taken for the announcement."""

CHECK_INTERVAL = 200
"""Steps from one look at all pixels to the next."""

WORSE = 1.25
"""An error so many times the best one is undone."""

DEAD = 0.97
"""Of the picture's variance, and of the first error: a field with a larger error says nothing about the picture."""

PRICED_FROM = 0.05
"""Of the steps: from there on the bits of weights are in the loss."""

Places = npt.NDArray[np.int64]


@dataclass
class Fit:
    """A network while it is fitted: its steps so far, and its statistics when they were best."""

    network: Network
    engine: Engine
    steps: int = 0
    stats: Stats = field(default_factory=lambda: Stats(math.inf, 0.0, math.inf))


def fit_networks(problem: Problem, request: Request, n_steps: int) -> list[Fit]:
    """Fit all networks, one a thread at a time. Where time is short, each has its share."""
    networks = networks_of(problem)
    fits: list[Fit] = []
    for network in networks:
        with one_thread(len(networks) > 1):
            start = start_general(network.problem, request.seed)
            engine = engines.create(
                request.engine, request.device, network.problem, start, Objective(), request.seed, request.note
            )
        fits.append(Fit(network, engine))
    workers = workers_for(fits)
    progress = _Progress(problem, request, fits, n_steps, workers.n)
    price = _price_of_size(problem, request)
    stopped, left = threading.Event(), iter(range(len(networks), 0, -1))

    def run(worker: int, i: int) -> None:
        deadline = time.monotonic() + (request.deadline - time.monotonic()) / math.ceil(next(left) / workers.n)

        def must_stop(step: int) -> bool:
            if worker == 0:  # the thread of whoever listens
                progress.tell(fits[i], step)
            return stopped.is_set() or time.monotonic() >= deadline

        with one_thread(workers.n > 1):
            _fit(fits[i], request.seed, n_steps, price / networks[i].problem.samples.size, must_stop)

    try:
        workers.run(len(networks), run)
    finally:
        stopped.set()
    return fits


@dataclass
class _Progress:
    """Tells the listener how far the fits of one thread are, and once how long all will take."""

    problem: Problem
    request: Request
    fits: Sequence[Fit]
    n_steps: int
    n_workers: int
    probe: float = 0.0
    announced: bool = False

    def tell(self, fit: Fit, step: int) -> None:
        """Before each step of a fit. The PSNR is that of all networks that were looked at."""
        problem, seen = self.problem, [each for each in self.fits if each.steps]
        share = sum(each.network.problem.samples.size for each in seen) / problem.samples.size
        psnr_db = problem.psnr_db(sum(each.stats.squared_error for each in seen) / share) if seen else -math.inf
        self.request.clock("fit").tell(step, self.n_steps, psnr_db)
        if step == PROBED[0]:
            self.probe = time.monotonic()
        if step == PROBED[1] and not self.announced:
            self.announced = True
            seconds = (time.monotonic() - self.probe) / (PROBED[1] - PROBED[0]) * self.n_steps
            n_parameters = sum(each.network.n_parameters for each in self.fits)
            self.request.announce(problem, seconds * n_parameters / fit.network.n_parameters / self.n_workers)


def workers_for(fits: Sequence[Fit]) -> Workers:
    """Threads for as many fits, but one where they share a device that has threads of its own."""
    return Workers(min(n_threads(), len(fits)) if fits[0].engine.device == "cpu" else 1)


def _fit(each: Fit, seed: int, n_steps: int, price: float, must_stop: Callable[[int], bool]) -> None:
    """Steps on random pixels at a rate that falls along a half cosine; now and then all pixels tell how it goes.

    Args:
        price: of a nat for a weight, as mean squared error.
        must_stop: called before each step with its number; whether to stop there.
    """
    problem, engine, rng = each.network.problem, each.engine, np.random.default_rng(seed)
    schedule = Schedule(math.inf, n_steps, Rates(RATE, RATE), decay=LAST_RATE)
    optimizer = Muon(each.network.spec.trained)
    best, slowdown, restarted = engine.parameters(), 1.0, 0
    each.stats = engine.evaluate()
    flat = DEAD * max(each.stats.mse, float(problem.targets.var(axis=0).mean()))
    for step in range(n_steps):
        if must_stop(step):
            break
        each.steps += 1
        stats = engine.sampled_gradient(*_sample(problem, rng))
        warmth = min(1.0, (step - restarted + 1) / WARM_UP_STEPS)
        rate = schedule.rates_at(step).network * slowdown * warmth
        optimizer.update(engine, Rates(rate, rate), stats)
        if (step + 1) % CHECK_INTERVAL and math.isfinite(stats.mse):
            continue
        now = engine.evaluate()
        if not now.mse < min(WORSE * each.stats.mse, flat):
            engine.restore(best)
            optimizer.forget()
            slowdown, restarted = slowdown / 2, step + 1
        elif now.mse < each.stats.mse:
            best, each.stats = engine.parameters(), now
        if step >= PRICED_FROM * n_steps:
            optimizer.price = price
    last = engine.evaluate()
    if last.mse <= each.stats.mse:
        each.stats = last
    else:
        engine.restore(best)


def _price_of_size(problem: Problem, request: Request) -> float:
    """What a nat for a weight costs, as squared error: the same for all of a picture, however well it is fitted.

    Rounding may take what lies between the margin over the target and the target. It takes that with steps of such a
    size that a nat more for each of all n parameters would bring back all of it but 1 / e^2; so one is worth 2 / n.
    """
    lost = problem.gain * problem.samples.size * 10 ** (-request.psnr_db / 10) * (1 - 10 ** (-MARGIN_DB / 10))
    return PRICE * 2 * lost / problem.spec.n_parameters(problem.geometry)


def _sample(problem: Problem, rng: np.random.Generator) -> tuple[Places, Places]:
    """Rows and columns, one out of each of so many equal parts, that cross at about `PIXELS` pixels."""
    geometry = problem.geometry
    share = min(1.0, math.sqrt(PIXELS / geometry.n_pixels))

    def places(n: int) -> Places:
        ends = np.arange(max(1, round(n * share)) + 1) * n // max(1, round(n * share))
        return ends[:-1] + rng.integers(0, np.diff(ends))

    return places(geometry.height), places(geometry.width)
