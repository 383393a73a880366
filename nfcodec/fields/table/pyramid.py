"""Fitting a pyramid: an analysis start, then a fit of MSE + lambda bits through a softened quantizer.

The recipe (soft rounding with noise that hardens) is Cool-chic's (Leguay et al. 2023, 2024), started from an analysis
instead of zeros; lambda is steered so that the rounded field ends at the target.
"""

from __future__ import annotations

import math
import time
from functools import partial

import numpy as np

from nfcodec.fields.table.analysis import start
from nfcodec.fields.table.field import LevelsField
from nfcodec.fields.table.recipes import Recipe
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Objective, Rates
from nfcodec.fitting.landing import Moves, Outputs, estimated_db, land, wishes_of
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.problem import Problem, Trial, Weights, quantize
from nfcodec.fitting.rate_control import RateControl
from nfcodec.fitting.request import Request, Solution
from nfcodec.fitting.search import land_by_step

RATE_RATIO = 2.0
"""Start of lambda over the mean squared error that the target allows."""


def analysed(field: LevelsField, problem: Problem, request: Request) -> Trial:
    """The coarsest analysis that reaches the target, without gradient steps; the closest if none does."""
    return land_by_step(
        request, lambda exponent: problem.trial(quantize(problem, *start(field, problem, request, 2.0**exponent)))
    )


def solve_pyramid(field: LevelsField, problem: Problem, request: Request, recipe: Recipe) -> Solution:
    """Fit the problem's field. The result may miss the target; the caller decides what that means."""
    began, n_steps = time.monotonic(), recipe.fit_steps
    n_steps = n_steps if request.max_steps is None else min(request.max_steps, n_steps)
    if not field.hidden_widths or n_steps == 0:  # nothing but a linear map: the analysis solves it
        trial = analysed(field, problem, request)
        return Solution.closed_form(problem, trial, time.monotonic() - began)
    parameters, steps = start(field, problem, request)
    rate_weight = RATE_RATIO * problem.allowed_mse(request.psnr_db)
    objective = Objective(steps, rate_weight, recipe.steering.softness[0])
    engine = engines.for_request(request, problem, parameters, objective)

    def look(objective: Objective) -> tuple[float, Objective]:
        return problem.psnr_db(engine.evaluate().squared_error), objective

    control = RateControl(engine, objective, request.psnr_db, n_steps, recipe.steering, look)
    rates = Rates(recipe.grid_rate * steps["level0"], recipe.network_rate)
    schedule = Schedule(math.inf, n_steps, rates, request.steps_deadline, recipe.last_rate)
    result = fit(problem, engine, schedule, request.clock("shrink"), control)
    seconds = time.monotonic() - began
    weights = quantize(problem, result.parameters, steps)
    propose = partial(_moves, field, problem)
    trial = land(problem, request, weights, propose, lambda moved: estimated_db(problem, engine, moved))
    if trial.psnr_db < request.psnr_db:  # the fit fell short, as with very few steps; the analysis alone gets there
        return Solution.closed_form(problem, analysed(field, problem, request), seconds, result.steps)
    return Solution(problem, trial, result.steps, result.steps, seconds, engine.name, engine.device)


def _moves(field: LevelsField, problem: Problem, weights: Weights, outputs: Outputs, short: bool) -> Moves:
    """Moves of the finest level's symbols: towards the picture, or towards 0, which saves about as much everywhere."""
    finest = f"level{len(field.log2_strides) - 1}"
    symbols, linear = weights[finest].symbols, weights["skip"].values[:, -problem.geometry.channels :]
    wishes = wishes_of(problem, outputs, weights[finest], linear)
    towards = np.sign(wishes).astype(np.int64) if short else -np.sign(symbols)
    return Moves.of(finest, wishes, towards, np.ones(symbols.shape), short=short)
