"""Fitting dense levels: an analysis start, then a fit of MSE + lambda bits through a softened quantizer.

The recipe (soft rounding with noise that hardens) is Cool-chic's (Leguay et al. 2023, 2024), started from an analysis
instead of zeros; lambda is steered so that the rounded field ends at the target.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from nfcodec.exact.arithmetic import Step
from nfcodec.exact.field import Parameters
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.table.analysis import analyse
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Engine, Objective, Rates, Stats
from nfcodec.fitting.landing import estimated_db, land, land_by_step
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.problem import Problem, quantize
from nfcodec.fitting.request import Request, Solution

STEP_RATIO = 3.4
"""Quantizer step over the root mean squared error that the target allows (sqrt 12 for a uniform error)."""

RATE_RATIO = 2.0
"""Start of lambda over the mean squared error that the target allows."""

GRID_RATE = 0.08
"""Learning rate of the levels, in quantizer steps."""

NETWORK_RATE = 4e-3
LAST_RATE = 0.02
SOFTNESS = (0.35, 0.08)
STEP_GRADIENTS = 1.2
"""The time of a whole step, with its share of evaluations, in gradients."""

CONTROL_INTERVAL = 5
CONTROL_GAIN = 0.3
"""log2(lambda) moves by this much per dB off the target, each interval."""

FIT_STEPS = {1: 40, 2: 70, 3: 120, 4: 200, 5: 300, 6: 600, 7: 1200, 8: 2500, 9: 5000}


def start_dense(problem: Problem, request: Request, coarseness: float = 1.0) -> tuple[Parameters, dict[str, float]]:
    """Parameters by analysis, and quantizer steps for all tensors, in the unit of the stored values."""
    spec = problem.spec
    assert isinstance(spec, Ngp)
    error = math.sqrt(problem.allowed_mse(request.psnr_db))
    initial = spec.initial(problem.geometry, request.seed)
    step = Step.nearest(STEP_RATIO * coarseness * error).value
    parameters, steps = analyse(spec, problem.geometry, problem.targets, step, initial)
    finest = max(1.0, float(np.abs(problem.targets).max())) * 2.0**-22  # or symbols would not fit
    network_step = 2.0 ** math.floor(math.log2(max(error / 16, finest)))
    return parameters, {name: steps.get(name, network_step) for name in parameters}


def solve_dense(problem: Problem, request: Request) -> Solution:
    """Fit a field of dense levels. The result may miss the target; the caller decides what that means."""
    spec = problem.spec
    assert isinstance(spec, Ngp)
    n_steps = (
        FIT_STEPS[request.effort] if request.max_steps is None else min(request.max_steps, FIT_STEPS[request.effort])
    )
    began = time.monotonic()
    if not spec.hidden or n_steps == 0:  # nothing but a linear map: the analysis solves it
        trial = land_by_step(problem, request, lambda coarseness: start_dense(problem, request, coarseness))
        return Solution(trial, 0, 0, time.monotonic() - began, "analysis", "cpu")
    parameters, steps = start_dense(problem, request)
    objective = Objective(steps, RATE_RATIO * problem.allowed_mse(request.psnr_db), SOFTNESS[0])
    engine = engines.create(request.engine, request.device, problem, parameters, objective, request.seed, request.note)
    probe = time.monotonic()
    engine.gradient()
    request.announce(problem, n_steps * STEP_GRADIENTS * (time.monotonic() - probe))
    control = _RateControl(engine, objective, problem, request.psnr_db, n_steps)
    schedule = Schedule(
        math.inf, n_steps, Rates(GRID_RATE * steps["level0"], NETWORK_RATE), request.deadline, LAST_RATE
    )
    result = fit(problem, engine, schedule, request.clock("fit"), control)
    seconds = time.monotonic() - began
    weights = quantize(problem, result.parameters, steps)
    trial = land(problem, request, weights, lambda moved: estimated_db(problem, engine, moved))
    if trial.psnr_db < request.psnr_db:  # the fit fell short, as with very few steps; the analysis alone gets there
        trial = land_by_step(problem, request, lambda coarseness: start_dense(problem, request, coarseness))
    return Solution(trial, result.steps, result.steps, seconds, engine.name, engine.device)


@dataclass
class _RateControl:
    """Hardens the quantizer over the fit, and steers lambda so that the rounded field ends just over the target."""

    engine: Engine
    objective: Objective
    problem: Problem
    psnr_db: float
    n_steps: int

    def __call__(self, step: int, stats: Stats) -> None:
        rate_weight, progress = self.objective.rate_weight, (step + 1) / self.n_steps
        if step % CONTROL_INTERVAL == CONTROL_INTERVAL - 1:
            rounded_db = self.problem.psnr_db(self.engine.evaluate().squared_error)
            excess_db = max(-2.0, min(2.0, rounded_db - self.psnr_db))
            rate_weight *= 2 ** (CONTROL_GAIN * excess_db)
        softness = SOFTNESS[0] + (SOFTNESS[1] - SOFTNESS[0]) * progress
        self.objective = replace(self.objective, rate_weight=rate_weight, softness=softness)
        self.engine.set_objective(self.objective)
