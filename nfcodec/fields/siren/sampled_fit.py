"""Gradient steps on random pixels, for SIRENs of fewer parameters than samples.

Such a network cannot memorise the picture, so its error stays and second derivatives of it bring nothing; many cheap
steps do, of one size in all directions (Muon). The bits of weights are in the loss, as their magnitudes; noise in
place of rounding costs more than it teaches (docs/why/siren.md).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from nfcodec.fields.siren.muon import Muon
from nfcodec.fields.siren.networks import Network, networks_of
from nfcodec.fields.siren.plan import PAPER, Start, initial_for
from nfcodec.fitting import engines
from nfcodec.fitting.batches import Sampling
from nfcodec.fitting.engines import Engine, Objective, Rates, Stats
from nfcodec.fitting.loop import Schedule, fit
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

CHECK_INTERVAL, WORSE, DEAD = 200, 1.25, 0.97
"""See `Sampling`: when all pixels are looked at, and what is undone then."""

PRICED_FROM = 0.05
"""Of the steps: from there on the bits of weights are in the loss."""


@dataclass(frozen=True)
class Fit:
    """A fitted network.

    Attributes:
        engine: at the best parameters found.
        stats: of these.
    """

    network: Network
    engine: Engine
    steps: int
    stats: Stats


def fit_networks(problem: Problem, request: Request, n_steps: int, start: Start = PAPER) -> list[Fit]:
    """Fit all networks, one a thread at a time. Where time is short, each has its share.

    Args:
        start: see `networks_of`.
    """
    networks = networks_of(problem, start)
    started = [_engine_for(each, request, alone=len(networks) == 1) for each in networks]
    workers = workers_for(started)
    progress = _Progress(problem, request, networks, n_steps)
    price = _price_of_size(problem, request)
    fits: dict[int, Fit] = {}
    left = iter(range(len(networks), 0, -1))

    def run(worker: int, i: int) -> None:
        samples = networks[i].problem.samples.size
        share = (request.steps_deadline - time.monotonic()) / math.ceil(next(left) / workers.n)
        schedule = Schedule(
            goal_psnr_db=None,
            max_steps=n_steps,
            rates=Rates(RATE, RATE),
            deadline=time.monotonic() + share,
            decay=LAST_RATE,
            warm_up=WARM_UP_STEPS,
        )
        clock = _NetworkClock(progress, i, listens=worker == 0)  # the thread of whoever listens
        with one_thread(workers.n > 1):
            fits[i] = _fitted(networks[i], started[i], request.seed, schedule, clock, price / samples)

    workers.run(len(networks), run)
    return [fits[i] for i in range(len(networks))]


def workers_for(started: Sequence[Engine]) -> Workers:
    """Threads for as many engines, but one where they share a device that has threads of its own."""
    return Workers(min(n_threads(), len(started)) if started[0].device == "cpu" else 1)


def _engine_for(network: Network, request: Request, *, alone: bool) -> Engine:
    """An engine at the initial parameters; one that is not alone has one thread."""
    with one_thread(not alone):
        initial = initial_for(network.problem, request.seed, network.start)
        return engines.for_request(request, network.problem, initial, Objective())


def _fitted(network: Network, engine: Engine, seed: int, schedule: Schedule, clock: _NetworkClock, price: float) -> Fit:
    """Steps on random pixels at a rate that falls along a half cosine; now and then all pixels tell how it goes.

    Args:
        price: of a nat for a weight, as mean squared error.
    """
    muon = Muon(network.siren.trained)

    def before_step(step: int, stats: Stats) -> None:
        if step - 1 >= PRICED_FROM * schedule.max_steps:
            muon.price = price

    sampling = Sampling(PIXELS, seed, CHECK_INTERVAL, WORSE, DEAD)
    result = fit(network.problem, engine, schedule, clock, before_step, muon, sampling)
    engine.restore(result.parameters)
    return Fit(network, engine, result.steps, result.stats)


class _Progress:
    """Tells the listener how far the fits of one thread are."""

    def __init__(self, problem: Problem, request: Request, networks: Sequence[Network], n_steps: int) -> None:
        self._problem, self._request, self._networks, self._n_steps = problem, request, networks, n_steps
        self._errors: dict[int, float] = {}

    def take(self, i: int, psnr_db: float) -> None:
        """Note what a network has reached, if that is anything."""
        if psnr_db > -math.inf:
            self._errors[i] = self._networks[i].problem.squared_error(psnr_db)

    def tell(self, step: int) -> None:
        """After each step of a network. The PSNR is that of all networks that were looked at."""
        problem, seen = self._problem, dict(self._errors)
        share = sum(self._networks[i].problem.samples.size for i in seen) / problem.samples.size
        psnr_db = problem.psnr_db(sum(seen.values()) / share) if seen else -math.inf
        self._request.clock("fit").tell(step, self._n_steps, psnr_db)


@dataclass(frozen=True)
class _NetworkClock:
    """What one network's fit tells; only the thread of whoever listens passes it on."""

    progress: _Progress
    i: int
    listens: bool

    def tell(self, step: int, max_steps: int, psnr_db: float, *, bits_per_pixel: float) -> None:
        """After each step of the fit, which counts no bits."""
        self.progress.take(self.i, psnr_db)
        if self.listens:
            self.progress.tell(step)


def _price_of_size(problem: Problem, request: Request) -> float:
    """What a nat for a weight costs, as squared error: the same for all of a picture, however well it is fitted.

    Rounding may take what lies between the margin over the target and the target. It takes that with steps of such a
    size that a nat more for each of all n parameters would bring back all of it but 1 / e^2; so one is worth 2 / n.
    """
    lost = problem.gain * problem.samples.size * 10 ** (-request.psnr_db / 10) * (1 - 10 ** (-MARGIN_DB / 10))
    return PRICE * 2 * lost / problem.field.n_parameters(problem.geometry)
