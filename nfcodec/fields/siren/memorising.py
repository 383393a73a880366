"""Fitting a SIREN of about as many parameters as samples: by K-FAC, by Adam where that is stuck, wider if need be."""

from __future__ import annotations

import time
from dataclasses import replace

from nfcodec.fields.siren import kfac
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.kfac import Kfac
from nfcodec.fields.siren.plan import MAX_WIDENINGS, MAX_WIDTH, PAPER, Start, initial_for
from nfcodec.fields.siren.recipes import Recipe
from nfcodec.fitting import engines
from nfcodec.fitting.batches import Optimizer
from nfcodec.fitting.engines import Objective, Rates
from nfcodec.fitting.fine_tuning import MARGIN_DB, MAX_STEPS, Tuning, quantized_and_tuned
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request, Solution

KFAC_STEPS = 300
KFAC_RATES = Rates(kfac.RATE, kfac.RATE)
ADAM_RATES = Rates(2.0**-9.5, 2.0**-9.5)
"""A SIREN that K-FAC has not fitted in so many steps, as with noise in a few pixels, is fitted by Adam. The loop's
recovery from spikes makes up for rates that are too high."""


def solve_memorising(problem: Problem, request: Request, recipe: Recipe, start: Start = PAPER) -> Solution:
    """Fit a `Siren` by gradient steps from random weights, widening it if it cannot reach the target.

    The result may miss the target, if steps or time run out; the caller decides what that means.
    """
    began, done, widenings = time.monotonic(), 0, 0
    budget = MAX_STEPS if request.max_steps is None else request.max_steps
    goal_db = request.psnr_db + MARGIN_DB
    while True:
        initial, tuning = initial_for(problem, request.seed, start), _tuning(problem, request, recipe)
        engine = engines.for_request(request, problem, initial, Objective())
        optimizer = tuning.optimizer()
        n_steps = budget - done if optimizer is None else min(budget - done, KFAC_STEPS)
        schedule = Schedule(goal_db, n_steps, tuning.rates, request.steps_deadline)
        result = fit(problem, engine, schedule, request.clock("fit"), optimizer=optimizer)
        done += result.steps
        stuck = optimizer is not None and not result.reached
        if stuck and done < budget and not request.steps_expired():
            engine.restore(initial)
            schedule = Schedule(goal_db, budget - done, ADAM_RATES, request.steps_deadline)
            by_adam = fit(problem, engine, schedule, request.clock("fit"))
            done += by_adam.steps
            result = by_adam if by_adam.psnr_db > result.psnr_db else result
        wider = widened(problem) if widenings < MAX_WIDENINGS else None
        if result.psnr_db > request.psnr_db or done >= budget or request.steps_expired() or wider is None:
            break
        problem, widenings = wider, widenings + 1
    trial, tuned = quantized_and_tuned(problem, request, engine, result, budget - done, tuning)
    seconds = time.monotonic() - began
    return Solution(problem, trial, done, done + tuned, seconds, engine.name, engine.device)


def widened(problem: Problem) -> Problem | None:
    """The same problem with half as many neurons again, if its field has a width to grow."""
    field = problem.field
    assert isinstance(field, Siren)
    if field.width >= MAX_WIDTH:
        return None
    return replace(problem, field=replace(field, width=min(MAX_WIDTH, field.width * 3 // 2)))


def _tuning(problem: Problem, request: Request, recipe: Recipe) -> Tuning:
    """Rates and optimisers: K-FAC is for coordinates themselves, not for a positional encoding of them."""
    field = problem.field
    assert isinstance(field, Siren)
    times, n_steps = recipe.fine_tunings, recipe.fine_tuning_steps
    if field.frequencies:
        return Tuning(times, n_steps, ADAM_RATES)

    def optimizer() -> Optimizer:
        return Kfac(field, problem.geometry, request.seed, problem.gain)

    return Tuning(times, n_steps, KFAC_RATES, optimizer)
