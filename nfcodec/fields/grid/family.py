"""The family `grid`: latent grids and networks that predict and read them, fitted together to error and bits."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from nfcodec.errors import EngineError, UsageError
from nfcodec.fields.grid.constant import SMALLEST, one_colour
from nfcodec.fields.grid.cost import TORCH_TIMES, memory_bytes, stages
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.plan import FITS, SMALLER, field_for, is_unlucky, n_fits, steps_for
from nfcodec.fields.grid.programs import engine_for, load_program, runs_on_gpu
from nfcodec.fields.grid.recipes import RECIPES, Recipe
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Session
from nfcodec.fitting.goals import Goal, Lossless, Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import Plan
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.request import Request, Solution

if TYPE_CHECKING:
    from nfcodec.fields.grid.settling import Settling

SEEDS = 1_000_003
"""Between the seeds of two fits."""

NEAR_DB = 1.5
"""So far from the PSNR of a fit others are reached from there."""

OF_WAVELETS, POWER, MOST_OF_WAVELETS = 0.216, 1.115, 0.9
"""Grids take OF_WAVELETS times this power of the bytes that wavelets are estimated to take, about, and hardly more than
MOST_OF_WAVELETS of them: of 48 files of Kodak pictures, at 29 to 43 dB, by a factor of 1.1."""

LEAST_OF_ESTIMATE = 0.6
"""What they take at least, over that; it was 0.78 to 1.23 of these files."""

LEAST_EFFORT = 4
"""From which on `auto` tries the field. Fits of fewer steps hardly make smaller files than wavelets (docs/why)."""

LEAST_PIXELS, MOST_PIXELS = 64 * 64, 3_000_000
"""Of pictures that `auto` tries the field on. The networks of smaller ones weigh too much. With wavelets beside, an
encode of larger ones takes over ten minutes at the default effort, and the fewer iterations they get, the less is
gained (docs/why/grid.md)."""


class GridFamily(Family):
    """Fitted by gradient steps from random networks and latents of 0."""

    name: ClassVar[str] = "grid"
    stands_in: ClassVar[bool] = False
    recipes: ClassVar[Mapping[int, Recipe]] = RECIPES

    def suits(self, picture: Picture, request: Request) -> bool:
        if request.effort < LEAST_EFFORT or picture.permutes or picture.raster.depth != 8:
            return False
        if self._is_left_to_residuals(request.goal) or engine_for(request.engine, request.device) != "numba":
            return False
        return LEAST_PIXELS <= picture.raster.n_pixels <= MOST_PIXELS

    def _is_left_to_residuals(self, goal: Goal) -> bool:
        """Whether a residual of all samples reaches the goal with fewer bytes."""
        return isinstance(goal, Lossless) or (isinstance(goal, Psnr) and goal.psnr_db > self.lossless(8).fit_db)

    def refuses(self, picture: Picture, engine: str, device: str, given: object | None = None) -> str | None:
        try:
            engine_for(engine, device)
        except EngineError as error:
            return str(error)
        return None

    def lossless(self, depth: int) -> LosslessPolicy:
        return LosslessPolicy.by_error(depth)

    def begin(self, picture: Picture, context: Context, given: object | None = None) -> Session:
        if not isinstance(given, Grid | None):
            raise UsageError(f"the field {given!r} is none of the family {self.name!r}")
        return GridSession(picture, context, given)


class _Fitted(NamedTuple):
    """What a fit for a PSNR has left."""

    effort: int
    psnr_db: float
    problem: Problem
    settling: Settling
    trial: Trial

    @property
    def reaches(self) -> bool:
        return self.trial.psnr_db >= self.psnr_db

    @property
    def rank(self) -> tuple[bool, float]:
        """Smaller where it is better: by bytes of the payload, or by the PSNR where that was not reached."""
        return not self.reaches, len(self.problem.payload(self.trial.weights)) if self.reaches else -self.trial.psnr_db


class GridSession(Session):
    """Fits of one picture."""

    native: ClassVar[frozenset[type[Goal]]] = frozenset({Psnr})

    def __init__(self, picture: Picture, context: Context, given: Grid | None) -> None:
        self._picture, self._context, self._given = picture, context, given
        self._fitted: _Fitted | None = None
        self._estimates: dict[float, float] = {}

    def get_ready(self, request: Request) -> None:
        load_program(request.engine, request.device)

    def plans(self, request: Request) -> list[Plan]:
        geometry, found = self._picture.geometry, list[Plan]()
        engine = engine_for(request.engine, request.device)
        is_slow = engine == "torch" and not runs_on_gpu(request.engine, request.device)
        times = TORCH_TIMES if is_slow else 1.0
        for effort, recipe in RECIPES.items():
            if effort <= request.effort:
                n_bytes = self._bytes_to_suit(recipe, request)
                whole = self._given or field_for(geometry, recipe)
                field = self._given or field_for(geometry, recipe, n_bytes)
                n_steps = n_fits(n_bytes) * steps_for(geometry, recipe, request.max_steps)
                n_kept = 1 if n_bytes >= SMALLER[-1][0] else 2
                spent, memory = stages(field, geometry, n_steps, times), memory_bytes(geometry, engine, n_kept)
                found.append(Plan(field, recipe, effort, spent, memory, () if whole == field else (whole,)))
        return found

    def fit(self, plan: Plan, request: Request) -> Solution:
        began = time.monotonic()
        smallest = Problem.of(self._picture, self._given or SMALLEST)
        colour = one_colour(smallest, request.psnr_db)
        if colour is not None:
            return Solution.closed_form(smallest, colour, time.monotonic() - began)
        fitted = self._fitted
        if fitted and fitted.effort == plan.effort and abs(request.psnr_db - fitted.psnr_db) <= NEAR_DB:
            trial, steps = fitted.settling.reach(request), fitted.settling.taken
        else:
            fitted = self._fitted = None  # its memory is needed
            fitted, steps = self._best_fit(plan, request)
            self._fitted, trial = fitted, fitted.trial
        program, seconds = fitted.settling.program, time.monotonic() - began
        return Solution(fitted.problem, trial, steps, steps, seconds, program.engine, program.device)

    def _best_fit(self, plan: Plan, request: Request) -> tuple[_Fitted, int]:
        """Of several, each with a seed of its own, as long as there is time, and other fields if none will do.

        Returns:
            The best, and the iterations of all.
        """
        to_suit = self._bytes_to_suit(plan.recipe, request)
        fields = [plan.field] * n_fits(to_suit) + [*plan.others]
        best, n_fitted, taken = None, 0, 0
        while fields:
            field = fields.pop(0)
            if best and (request.steps_expired() or request.max_steps == 0 or (best.reaches and field != plan.field)):
                break
            n_steps = steps_for(self._picture.geometry, plan.recipe, request.max_steps)
            fitted = self._fit_with(field, plan, replace(request, seed=request.seed + n_fitted * SEEDS), n_steps)
            best = fitted if best is None else min(best, fitted, key=lambda each: each.rank)
            n_fitted, taken = n_fitted + 1, taken + fitted.settling.taken
            others_follow = field == plan.field and is_unlucky(fitted.settling.n_before, n_steps, to_suit)
            if others_follow and n_fitted + fields.count(field) < FITS:
                fields.insert(0, field)
            if request.max_steps is not None:
                request = replace(request, max_steps=max(0, request.max_steps - fitted.settling.taken))
        assert best is not None  # there is a field at first
        return best, taken

    def _fit_with(self, field: object, plan: Plan, request: Request, n_steps: int) -> _Fitted:
        from nfcodec.fields.grid.fit import fit_grid

        assert isinstance(field, Grid)
        problem = Problem.of(self._picture, field)
        settling = fit_grid(field, problem, request, plan.recipe, n_steps, self._wavelet_bytes(request))
        return _Fitted(plan.effort, request.psnr_db, problem, settling, settling.reach(request))

    def estimated_bytes(self, request: Request) -> float | None:
        """See `Session.estimated_bytes`. Of small files only fits tell: they take 0.2 to 1.3 times what wavelets do."""
        n_bytes = self._wavelet_bytes(request)
        return None if n_bytes < SMALLER[-1][0] else min(MOST_OF_WAVELETS * n_bytes, OF_WAVELETS * n_bytes**POWER)

    def least_bytes(self, request: Request) -> float | None:
        n_bytes = self.estimated_bytes(request)
        return None if n_bytes is None else LEAST_OF_ESTIMATE * n_bytes

    def _bytes_to_suit(self, recipe: Recipe, request: Request) -> float:
        """Of wavelets, for the choice of networks; infinite where steps are cut, as small networks need them all."""
        geometry, max_steps = self._picture.geometry, request.max_steps
        is_cut = steps_for(geometry, recipe, max_steps) < steps_for(geometry, recipe, None)
        return math.inf if is_cut else self._wavelet_bytes(request)

    def _wavelet_bytes(self, request: Request) -> float:
        """That wavelets would take for the request's PSNR, about. Raises FormatError if they do not get there."""
        if request.psnr_db not in self._estimates:
            (self._estimates[request.psnr_db],) = self._context.estimator(self._picture, request)(1, 1)
        return self._estimates[request.psnr_db]
