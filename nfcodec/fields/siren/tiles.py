"""SIRENs of fewer parameters than samples: how many neurons, fits on random pixels, the coarsest steps that will do.

Fine-tuning through the quantizer does not pay; rounding that makes up for itself does (docs/why/siren.md).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.plan import MAX_WIDENINGS, PAPER, Start, is_small, width_for
from nfcodec.fields.siren.recipes import Recipe
from nfcodec.fields.siren.sampled_fit import MARGIN_DB, Fit, fit_networks
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.siren.ways import quantized
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request, Solution

PARAMETERS_PER_PIXEL, LEAST_SHARE = 0.06, 0.25
"""With more, steps are fewer, down to a share of them, so that they take no longer."""

LEAST_MARGIN_DB = 0.15
"""How far over the target a field must get before it is rounded."""

DB_PER_DOUBLING, DB_PER_HALVING = 3.8, 2.6
"""What twice the parameters bring, and what half of them lose; on Kodak at 30 dB."""

LEAST_GROWTH, LARGEST_GROWTH = 0.25, 4.0
"""Of a network's parameters, from one fit to the next."""

PILOT_SHARES, PILOT_STEPS, MISSING_DB = (0.08, 0.25), 500, 61.0
"""Short fits tell how wide networks should be: their shares of the steps, how many they take at least, and how many dB
are missing in a fit, times the square root of its steps."""

REUSED_MARGIN_DB = 1.0
"""A fit so far over a target, at most, is nearly as good as a new one."""


@dataclass(frozen=True)
class SmallFit:
    """Networks that were fitted for one target, and may serve for others close to it.

    Attributes:
        steps, seconds: what the fit took, earlier attempts included.
    """

    problem: Problem
    recipe: Recipe
    fits: Sequence[Fit]
    reached_db: float
    steps: int
    seconds: float

    def serves(self, request: Request, recipe: Recipe) -> bool:
        """Whether a new fit would bring little, for a request of the same picture."""
        margin_db = self.reached_db - request.psnr_db
        return recipe == self.recipe and LEAST_MARGIN_DB <= margin_db <= REUSED_MARGIN_DB

    def solved(self, request: Request) -> Solution:
        """Quantized for a target. Raises FormatError if no steps suit the format's arithmetic."""
        trial = quantized(self.problem, self.fits, self.reached_db, request, self.recipe)
        engine = self.fits[0].engine
        return Solution(self.problem, trial, self.steps, self.steps, self.seconds, engine.name, engine.device)


def fit_small(
    problem: Problem,
    request: Request,
    recipe: Recipe,
    *,
    start: Start = PAPER,
    planned: bool = False,
    last: bool = False,
) -> SmallFit | None:
    """Fit from random weights, again and wider if the field does not get there; None if a small one will not do.

    The result may miss the target where steps or time ran out; the caller decides what that means.

    Args:
        problem: of a `Siren` or a `TiledSiren`.
        start: see `networks_of`.
        planned: whether the widths are a first guess, and short fits may tell better ones.
        last: whether there is nothing else to try, and a result that misses the target is better than none.
    """
    began, done = time.monotonic(), 0
    if planned and request.max_steps is None:
        problem, done = _planned(problem, request, recipe, start)
        if not _is_small(problem):
            return None
    for widenings in range(MAX_WIDENINGS + 1):
        n_steps = _n_steps(problem, recipe)
        n_steps = n_steps if request.max_steps is None else min(n_steps, request.max_steps - done)
        fits = fit_networks(problem, request, n_steps, start)
        done += max(each.steps for each in fits)
        reached_db = problem.psnr_db(sum(each.stats.squared_error for each in fits))
        wider = _resized(problem, fits, request.psnr_db + MARGIN_DB)
        grows = widenings < MAX_WIDENINGS and _is_small(wider)
        enough = reached_db >= request.psnr_db + LEAST_MARGIN_DB
        if enough or request.steps_expired() or done == request.max_steps or (last and not grows):
            return SmallFit(problem, recipe, fits, reached_db, done, time.monotonic() - began)
        if not grows:
            break
        problem = wider
    return None


def _planned(problem: Problem, request: Request, recipe: Recipe, start: Start) -> tuple[Problem, int]:
    """The same with the widths that short fits tell, and how many steps these took."""
    done = 0
    for share in PILOT_SHARES:
        all_steps = _n_steps(problem, recipe)
        n_steps = pilot_steps(share, all_steps)
        if request.steps_expired():
            break
        if n_steps > done:  # longer than the one before
            pilot = fit_networks(problem, request, n_steps, start)
            missing_db = MISSING_DB * (n_steps**-0.5 - all_steps**-0.5)
            problem = _resized(problem, pilot, request.psnr_db + MARGIN_DB - missing_db)
            done += n_steps
        if not _is_small(problem):
            break
    return problem, done


def _is_small(problem: Problem) -> bool:
    assert isinstance(problem.field, Siren | TiledSiren)
    return is_small(problem.field, problem.geometry)


def pilot_steps(share: float, all_steps: int) -> int:
    """Gradient steps of a short fit, one of `PILOT_SHARES` of all."""
    return max(min(all_steps, PILOT_STEPS), round(share * all_steps))


def _n_steps(problem: Problem, recipe: Recipe) -> int:
    assert isinstance(problem.field, Siren | TiledSiren)
    return n_steps_of(problem.field, problem.geometry, recipe)


def n_steps_of(field: Siren | TiledSiren, geometry: Geometry, recipe: Recipe) -> int:
    """Gradient steps of a fit of each of a field's networks."""
    per_pixel = field.n_parameters(geometry) / geometry.n_pixels
    return round(recipe.fit_steps * min(1.0, max(LEAST_SHARE, PARAMETERS_PER_PIXEL / per_pixel)))


def _resized(problem: Problem, fits: Sequence[Fit], goal_db: float) -> Problem:
    """The same with as many neurons in each network as should make a PSNR out of what was reached with these.

    If errors E fall with a power of the number n of parameters, the fewest of all are those with the same E / n in each
    network: one more then gains as much in any of them.
    """
    errors = np.array([each.stats.squared_error for each in fits])
    errors = np.maximum(errors, max(1e-3 * float(errors.mean()), 1e-9))
    sizes = np.array([each.network.n_parameters for each in fits])
    ratios = np.ones(len(fits))
    for db_per_octave in (DB_PER_DOUBLING, DB_PER_HALVING):
        power = db_per_octave / (10 * math.log10(2))
        ratios = (errors / sizes) ** (1 / (1 + power))
        ratios *= (float((errors * ratios**-power).sum()) / problem.squared_error(goal_db)) ** (1 / power)
        if (sizes * ratios).sum() > sizes.sum():
            break
    widths = [
        width_for(each.network.siren, problem.geometry, each.network.n_parameters * ratio)
        for each, ratio in zip(fits, np.clip(ratios, LEAST_GROWTH, LARGEST_GROWTH).tolist(), strict=True)
    ]
    if isinstance(problem.field, TiledSiren):
        return replace(problem, field=replace(problem.field, widths=tuple(widths)))
    return replace(problem, field=replace(fits[0].network.siren, width=widths[0]))
