"""Fitting a wavelet level: analysis, quantization that weighs errors against bits, and gradient steps on both.

The networks that code the symbols are also the rate model. What they predict is taken as constant, and predicted anew
every few steps from the rounded coefficients, so that a step costs no more than the field itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nfcodec.exact.arithmetic import Step
from nfcodec.exact.field import Parameters
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.table.analysis import coefficients_of, color_basis
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.rate import estimated_bytes, prior_of
from nfcodec.fields.wavelet.restoration import choose, rest_of, restored
from nfcodec.fields.wavelet.weighing import PRICE, SETTLING_DB, settle, weigh
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Engine, Objective, Rates, Stats
from nfcodec.fitting.landing import Weights, land_by_step
from nfcodec.fitting.loop import FitResult, Schedule, fit
from nfcodec.fitting.problem import Problem, Trial, quantize
from nfcodec.fitting.request import Request, Solution

DEAD_ZONE = 0.4
"""Magnitudes round up from 1 - this in the first analysis: zeros are cheap."""

STEP_RATIO = 4.5
"""Start of the quantizer step over the root mean squared error that the target allows."""

FITS: dict[int, list[tuple[int, float]]] = {1: [], 2: [(30, 1.0)], 3: [(60, 1.0)]}
FITS[4] = [*FITS[3], (150, 1.0)]
FITS[5] = [*FITS[3], (300, 1.0)]
FITS[6] = [*FITS[5], (300, 0.93)]
FITS[7] = [*FITS[6], (600, 1.0)]
FITS[8] = [*FITS[7], (600, 0.93), (1200, 1.0)]
FITS[9] = [*FITS[8], (2400, 1.0)]
"""Gradient steps, and a factor on the quantizer step, of all fits at an effort; the smallest file wins. More steps do
not always make smaller files, so efforts 4 and 5 do what 3 does, too, and from 6 on each does what the one below does.
"""

GRID_RATE, LAST_RATE = 0.05, 0.02
"""Learning rate of the coefficients in quantizer steps, and the factor on it at the end."""

COARSER = 1.12
"""Factor on the quantizer step where gradient steps and filters will make up for it (steps alone do not)."""

SOFTNESS = (0.35, 0.1)
STEP_GRADIENTS = 7.0
"""The time of a whole step, with its share of the renewals, which take most of it, in gradients."""

COEFFICIENT_BYTES = 350
"""The memory that a coefficient takes, with its predictions; measured."""

RENEWAL_INTERVAL = 10
"""Gradient steps between renewals of predictions, filters and lambda."""

CONTROL_GAIN = 0.7
"""log2(lambda) moves by this much per dB off the target, each interval."""


def suits_wavelet(problem: Problem) -> bool:
    """Whether a field is one wavelet level, a feature a channel, with the linear part that reads it and no network.

    The filters that ship with the package are no hindrance.
    """
    spec = problem.spec
    if not (isinstance(spec, Ngp) and isinstance(spec.levels[0], WaveletLevel) and spec.skip and spec.bias):
        return False
    return spec.levels[0].features == problem.geometry.channels and len(spec.hidden) == spec.shipped


def start_wavelet(problem: Problem, request: Request, coarseness: float = 1.0) -> tuple[Parameters, dict[str, float]]:
    """Parameters by analysis, rounded, and quantizer steps for all tensors, in the unit of the stored values."""
    spec = problem.spec
    assert isinstance(spec, Ngp)
    error = math.sqrt(problem.allowed_mse(request.psnr_db))
    step = Step.nearest(STEP_RATIO * coarseness * error).value
    finest = max(1.0, float(np.abs(problem.targets).max())) * 2.0**-20  # or symbols would not fit
    linear_step = 2.0 ** math.floor(math.log2(max(error / 16, finest)))
    parameters = spec.initial(problem.geometry, request.seed)
    steps = dict.fromkeys(parameters, linear_step) | {"level0": step}
    mean, axes = color_basis(problem.targets, problem.geometry)
    parameters["bias_out"], parameters["skip"] = mean.astype(np.float32), axes.astype(np.float32)
    scaled = coefficients_of(problem, parameters, steps) / step
    parameters["level0"] = (np.sign(scaled) * np.floor(np.abs(scaled) + DEAD_ZONE) * step).astype(np.float32)
    return parameters, steps


def solve_wavelet(problems: Sequence[Problem], request: Request) -> tuple[Solution, Problem]:
    """Fit fields of one wavelet level; also return which of them it was.

    The result may miss the target; the caller decides what that means.

    Args:
        problems: the same picture without filters, then with more and more of them; or one with filters alone.
    """
    began, forced = time.monotonic(), _without_filters(problems[0])
    problems = [forced, *problems] if forced else problems
    plain = problems[0]
    start = land_by_step(plain, request, lambda coarseness: start_wavelet(plain, request, coarseness))
    flat = not start.weights["level0"].symbols.any()
    if flat or start.psnr_db < request.psnr_db or math.isinf(start.psnr_db):
        return Solution(start, 0, 0, time.monotonic() - began, "analysis", "cpu"), plain
    problem, gain_db = choose(problems, start.weights, forced is not None)
    trial = _analysed(problem, plain, request, start.weights, gain_db)
    if trial.psnr_db < request.psnr_db and problem is not plain:
        problem, trial = plain, _analysed(plain, plain, request, start.weights, 0.0)
    if trial.psnr_db < request.psnr_db:  # as with values that outputs cannot tell apart
        problem, trial = plain, start
    analysed = Solution(trial, 0, 0, time.monotonic() - began, "analysis", "cpu")
    return _best_fit(problem, plain, request, analysed, began), problem


def _best_fit(problem: Problem, plain: Problem, request: Request, analysed: Solution, began: float) -> Solution:
    """The smallest of what was `analysed` and of all fits from there that the effort asks for."""
    best, start = analysed, analysed.trial.weights
    best_bytes, done = estimated_bytes(problem, start), 0
    left = sum(n_steps for n_steps, _ in FITS[request.effort])
    left = left if request.max_steps is None else min(left, request.max_steps)
    for n_steps, factor in FITS[request.effort]:
        n_steps = min(n_steps, left - done)
        if n_steps == 0 or request.expired():
            break
        announced = 0 if done else left
        weights, result, engine = _fit(problem, plain, request, start, (n_steps, factor), announced)
        trial = settle(problem, plain, request, weights)
        done += result.steps
        n_bytes = estimated_bytes(problem, trial.weights)
        if trial.psnr_db >= request.psnr_db and n_bytes < best_bytes:
            best, best_bytes = replace(best, trial=trial, engine=engine.name, device=engine.device), n_bytes
    return replace(best, steps=done, fit_steps=done, fit_seconds=time.monotonic() - began)


def _analysed(problem: Problem, plain: Problem, request: Request, start: Weights, gain_db: float) -> Trial:
    """A field whose filters are to gain so many dB, without gradient steps; it may miss the target."""
    weights = weigh(plain, replace(request, psnr_db=request.psnr_db - gain_db - SETTLING_DB), start)
    return settle(problem, plain, request, weights)


def _without_filters(problem: Problem) -> Problem | None:
    """The same problem for the field's linear part, if it has more."""
    spec = problem.spec
    return (
        replace(problem, spec=replace(spec, hidden=(), shipped=False))
        if isinstance(spec, Ngp) and spec.shipped
        else None
    )


def _fit(
    problem: Problem, plain: Problem, request: Request, start: Weights, recipe: tuple[int, float], announced: int
) -> tuple[Weights, FitResult, Engine]:
    """Gradient steps on errors and bits, from quantized coefficients and the exact ones, half and half.

    They are the coefficients' alone; the filters follow every now and then, and the linear part stays.

    Args:
        recipe: one of `FITS`.
        announced: how many steps the listener is told about; 0 for nothing.
    """
    n_steps, factor = recipe
    layout = [tensor.name for tensor in plain.spec.layout(plain.geometry)]
    parameters = {name: start[name].values.astype(np.float32) for name in layout}
    steps = {name: start[name].step.value for name in layout}
    coarser = factor if problem is plain else factor * COARSER
    rest, step = rest_of(problem, plain, start), Step.nearest(coarser * steps["level0"]).value
    steps["level0"] = step
    priors = prior_of(plain, quantize(plain, parameters, steps)["level0"])
    exact = coefficients_of(rest, parameters, steps)
    parameters["level0"] = (0.5 * (start["level0"].values + exact)).astype(np.float32)
    rate_weight = PRICE * step**2 / plain.geometry.channels
    objective = Objective(steps, rate_weight, SOFTNESS[0], priors=priors, targets=rest.targets)
    engine = engines.create(request.engine, request.device, plain, parameters, objective, request.seed, request.note)
    probe = time.monotonic()
    engine.gradient()
    request.announce(plain, announced * STEP_GRADIENTS * (time.monotonic() - probe), COEFFICIENT_BYTES)
    control = _Control(engine, objective, problem, plain, request.psnr_db, n_steps)
    schedule = Schedule(math.inf, n_steps, Rates(GRID_RATE * step, 0.0), request.deadline, LAST_RATE)
    result = fit(plain, engine, schedule, request.clock("fit"), control)
    return quantize(plain, result.parameters, steps), result, engine


@dataclass
class _Control:
    """Hardens the quantizer over the fit, renews predictions and filters, and steers lambda towards the target."""

    engine: Engine
    objective: Objective
    problem: Problem
    plain: Problem
    psnr_db: float
    n_steps: int

    def __call__(self, step: int, stats: Stats) -> None:
        now, progress = self.objective, (step + 1) / self.n_steps
        softness = SOFTNESS[0] + (SOFTNESS[1] - SOFTNESS[0]) * progress
        self.objective = replace(now, softness=softness)
        if step % RENEWAL_INTERVAL == RENEWAL_INTERVAL - 1:
            weights = quantize(self.plain, self.engine.parameters(), now.steps)
            rest = rest_of(self.problem, self.plain, restored(self.problem, self.plain, weights))
            excess_db = max(-2.0, min(2.0, rest.exact_psnr_db(weights) - self.psnr_db))
            self.objective = replace(
                self.objective,
                rate_weight=now.rate_weight * 2 ** (CONTROL_GAIN * excess_db),
                priors=prior_of(self.plain, weights["level0"]),
                targets=rest.targets,
            )
        self.engine.set_objective(self.objective)
