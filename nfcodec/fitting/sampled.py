"""Fitting a SIREN of fewer parameters than samples: Adam on random pixels, then the coarsest steps that will do.

Such a network cannot memorise the picture, so its error stays and second derivatives of it bring nothing; many cheap
steps do. Fine-tuning through the quantizer does not pay either: rounding that makes up for itself does
(docs/decisions.md).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nfcodec.fields import Parameters, Siren
from nfcodec.fitting import engines
from nfcodec.fitting.coarsest import coarsest
from nfcodec.fitting.engines import Adam, Engine, Objective, Rates
from nfcodec.fitting.loop import SPIKE, Schedule
from nfcodec.fitting.plan import is_small
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.rounding import rounded
from nfcodec.fitting.solution import Request, Solution
from nfcodec.fitting.tensors import balanced_steps, start_general

FIT_STEPS = {1: 200, 2: 400, 3: 700, 4: 1100, 5: 1600, 6: 2400, 7: 4000, 8: 6000, 9: 9000}
PIXELS = 24_576
"""Of a step."""

RATE, LAST_RATE, WARM_UP_STEPS = 3e-3, 0.01, 20
ADAM = Adam(beta_2=0.99, eps=1e-10)

MARGIN_DB, LEAST_MARGIN_DB = 1.1, 0.25
"""How far over the target a field should get before it is rounded, and how far it must."""

DB_PER_DOUBLING = 3.5
"""What twice the parameters bring."""

MAX_WIDENINGS = 2
PROBED = (4, 16)
"""The steps between which time is taken for the announcement."""

MEMORY, LOOK_BACK = 0.95, 50
"""Of the average error that tells spikes, and how many steps apart it is looked at."""

DEAD = 0.97
"""Of the picture's variance, and of the first error: a field with a larger error says nothing about the picture."""

FINE, BEST, BAD = "fine", "best", "bad"
QUANTIZER_TRIALS = 10

Places = npt.NDArray[np.int64]


def solve_sampled(problem: Problem, request: Request) -> tuple[Solution, Problem] | None:
    """Fit from random weights, widening the field if it does not get there; None if a small one will not do.

    The result may miss the target where steps or time ran out; the caller decides what that means.
    """
    began, done = time.monotonic(), 0
    parameters = start_general(problem, request.seed)
    for _ in range(MAX_WIDENINGS + 1):
        engine = engines.create(
            request.engine, request.device, problem, parameters, Objective(), request.seed, request.note
        )
        engine.adam = ADAM
        n_steps = FIT_STEPS[request.effort]
        n_steps = n_steps if request.max_steps is None else min(n_steps, request.max_steps - done)
        done += _fit(problem, engine, request, n_steps)
        reached_db = problem.psnr_db(engine.evaluate().squared_error)
        enough = reached_db >= request.psnr_db + LEAST_MARGIN_DB
        if enough or request.expired() or done == request.max_steps:
            trial = _quantized(problem, engine, reached_db, request)
            seconds = time.monotonic() - began
            return Solution(trial, done, done, seconds, engine.name, engine.device), problem
        short_db = request.psnr_db + MARGIN_DB - reached_db
        problem, parameters = _wider(problem, engine.parameters(), short_db, request.seed)
        if not is_small(problem.spec, problem.geometry):
            break
    return None


def _fit(problem: Problem, engine: Engine, request: Request, n_steps: int) -> int:
    """Steps on random pixels at a rate that falls along a half cosine; returns how many were taken."""
    rng, clock = np.random.default_rng(request.seed), request.clock("fit")
    schedule = Schedule(math.inf, n_steps, Rates(RATE, RATE), decay=LAST_RATE)
    watch, slowdown, probe = _Watch(problem), 1.0, time.monotonic()
    best = engine.parameters()
    for step in range(n_steps):
        if request.expired():
            return step
        if step == PROBED[0]:
            probe = time.monotonic()
        if step == PROBED[1]:
            request.announce(problem, (n_steps - step) * (time.monotonic() - probe) / (step - PROBED[0]))
        stats = engine.sampled_gradient(*_sample(problem, rng))
        verdict = watch.look(step, stats.mse)
        clock.tell(step, n_steps, problem.expected_db(watch.mse) if 0 < watch.mse < math.inf else -math.inf)
        if verdict == BAD:
            engine.restore(best)
            slowdown /= 2
            continue
        if verdict == BEST:
            best = engine.parameters()
        rate = schedule.rates_at(step).network * slowdown * min(1.0, (step + 1) / WARM_UP_STEPS)
        engine.update(Rates(rate, rate))
    return n_steps


class _Watch:
    """Follows the error of a fit on samples, which is noisy: its moving average, and whether something went wrong."""

    def __init__(self, problem: Problem) -> None:
        self.mse = self._first = self._best = math.inf
        self._flat = float(problem.targets.var(axis=0).mean())

    def look(self, step: int, mse: float) -> str:
        """`BAD` for a spike, no number, or a field that says nothing; now and then `BEST`, if it is; else `FINE`."""
        if step == 0:
            self._first = self._best = mse
        self.mse = mse if self.mse == math.inf else MEMORY * self.mse + (1 - MEMORY) * mse
        looks_back = step % LOOK_BACK == LOOK_BACK - 1
        dead = looks_back and self.mse > DEAD * max(self._flat, self._first)
        if dead or not self.mse < SPIKE / 2 * self._best:
            self.mse = self._best
            return BAD
        if looks_back and self.mse < self._best:
            self._best = self.mse
            return BEST
        return FINE


def _sample(problem: Problem, rng: np.random.Generator) -> tuple[Places, Places]:
    """Rows and columns, one out of each of so many equal parts, that cross at about `PIXELS` pixels."""
    geometry = problem.geometry
    share = min(1.0, math.sqrt(PIXELS / geometry.n_pixels))

    def places(n: int) -> Places:
        ends = np.arange(max(1, round(n * share)) + 1) * n // max(1, round(n * share))
        return ends[:-1] + rng.integers(0, np.diff(ends))

    return places(geometry.height), places(geometry.width)


def _wider(problem: Problem, parameters: Parameters, short_db: float, seed: int) -> tuple[Problem, Parameters]:
    """A field with as many more neurons as should bring what is missing, which has the same values at first."""
    spec = problem.spec
    assert isinstance(spec, Siren)
    factor = 2 ** (short_db / DB_PER_DOUBLING / 2)
    width = min(4096, max(spec.width + 4, 4 * round(spec.width * factor / 4)))
    wider = replace(problem, spec=replace(spec, width=width))
    grown = wider.spec.initial(problem.geometry, seed + 1)
    for name, value in parameters.items():
        if name != "weight0":
            grown[name][: value.shape[0], ...] = 0  # what old neurons hear of new ones
        grown[name][tuple(slice(n) for n in value.shape)] = value
    return wider, grown


def _quantized(problem: Problem, engine: Engine, reached_db: float, request: Request) -> Trial:
    """Rounded with the coarsest steps that keep the target, all scaled by one factor; as close as they get if none do.

    Raises FormatError if no such steps suit the format's arithmetic.
    """
    parameters = engine.parameters()
    steps: Mapping[str, float] = balanced_steps(problem, engine, reached_db - request.psnr_db, request.psnr_db)

    def attempt(exponent: float) -> Trial:
        scaled = {name: step * 2**exponent for name, step in steps.items()}
        return problem.trial(rounded(problem, parameters, scaled))

    def missing_log2(trial: Trial) -> float:
        margin_db = max(0.05, reached_db - request.psnr_db)
        lost_db = max(0.01, reached_db - trial.psnr_db)
        return math.log2((10 ** (margin_db / 10) - 1) / (10 ** (lost_db / 10) - 1)) / 2

    return coarsest(request, QUANTIZER_TRIALS, attempt, missing_log2)
