"""From a picture to the smallest field found: analysis, a choice of filters, weighing, and gradient steps.

analysed ── choose ── weigh ── settle ─────────────────► the smallest that reaches the target
    └───────────────────── Descent ── settle ──┘   (each of the recipe's fits, from the analysis on)
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from nfcodec.errors import EngineError
from nfcodec.fields.wavelet.analysis import analysed
from nfcodec.fields.wavelet.descent import Descent
from nfcodec.fields.wavelet.recipes import Recipe
from nfcodec.fields.wavelet.restoration import Filtered, choose
from nfcodec.fields.wavelet.weighing import SETTLING_DB, settle, weigh
from nfcodec.fitting.problem import Trial, Weights
from nfcodec.fitting.request import Request, Solution


def solve(offers: Sequence[Filtered], request: Request, recipe: Recipe) -> Solution:
    """Fit the field that promises the smallest file.

    The result may miss the target; the caller decides what that means. Where nothing is missing that filters could
    restore, or time is up, it is the analysis of the linear part.

    Args:
        offers: see `choose`.

    Raises:
        FormatError: no quantizer steps suit the values.
    """
    began, plain = time.monotonic(), Filtered(offers[0].linear)
    start = analysed(plain.problem, request)
    flat = not start.weights["level0"].symbols.any()
    hasty = request.expired() and not offers[0].n_filters
    if flat or hasty or start.psnr_db < request.psnr_db or math.isinf(start.psnr_db):
        return Solution.closed_form(plain.problem, start, time.monotonic() - began)
    filtered, gain_db = choose(offers, start.weights, recipe.most_filters)
    trial = _weighed(filtered, request, recipe, start.weights, gain_db)
    if trial.psnr_db < request.psnr_db and filtered.n_filters:
        filtered, trial = plain, _weighed(plain, request, recipe, start.weights, 0.0)
    if trial.psnr_db < request.psnr_db:  # as with values that outputs cannot tell apart
        filtered, trial = plain, start
    best = _smallest(filtered, request, recipe, trial)
    return replace(best, fit_seconds=time.monotonic() - began)


def _weighed(filtered: Filtered, request: Request, recipe: Recipe, start: Weights, gain_db: float) -> Trial:
    """A field whose filters are to gain so many dB, without gradient steps; it may miss the target."""
    goal = request.at(request.psnr_db - gain_db - SETTLING_DB)
    weights = weigh(filtered.linear, goal, start)
    return settle(filtered, request, weights, recipe.settlings)


def _smallest(filtered: Filtered, request: Request, recipe: Recipe, weighed: Trial) -> Solution:
    """The smallest of what was `weighed` and of all fits from there that the recipe asks for."""
    problem, start, best_bytes, done = filtered.problem, weighed.weights, math.inf, 0
    best = Solution.closed_form(problem, weighed, 0.0)
    left = recipe.n_steps if request.max_steps is None else min(request.max_steps, recipe.n_steps)
    for each in recipe.fits:
        chosen = each._replace(steps=min(each.steps, left - done))
        if chosen.steps == 0 or request.expired():
            break
        try:
            descent = Descent(filtered, request, recipe, start, chosen)
        except EngineError as error:
            if request.engine != "auto":
                raise
            request.note(f"no gradient steps are taken: {error}")
            break
        if not done:
            best_bytes = problem.estimated_bytes(start)
        weights, n_steps = descent.run()
        engine, device = descent.engine.name, descent.engine.device
        del descent  # whose arrays take as much memory as what follows
        trial, done = settle(filtered, request, weights, recipe.settlings), done + n_steps
        n_bytes = problem.estimated_bytes(trial.weights)
        if trial.psnr_db >= request.psnr_db and n_bytes < best_bytes:
            best = replace(best, trial=trial, engine=engine, device=device)
            best_bytes = n_bytes
        del weights, trial  # which would take memory through the next fit
    return replace(best, steps=done, fit_steps=done)
