"""The family `grid`: latent grids and networks that predict and read them, fitted together to error and bits."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from nfcodec.errors import EngineError, UsageError
from nfcodec.fields.grid.cost import TORCH_TIMES, memory_bytes, stages
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.plan import field_for, steps_for
from nfcodec.fields.grid.programs import engine_for, load_program, runs_on_gpu
from nfcodec.fields.grid.recipes import RECIPES, Recipe
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Session
from nfcodec.fitting.goals import Goal, Lossless, Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import Plan
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request, Solution

if TYPE_CHECKING:
    from nfcodec.fields.grid.settling import Settling

NEAR_DB = 1.5
"""So far from the PSNR of a fit others are reached from there."""

OVER_WAVELETS, NETWORK_BYTES = 0.83, 1600
"""What grids take over what wavelets do, about, and what their networks take beside."""

LEAST_EFFORT = 4
"""From which on `auto` tries the field. Fits of fewer steps hardly make smaller files than wavelets (docs/why)."""

LEAST_PIXELS, MOST_PIXELS = 64 * 64, 16_000_000
"""Of pictures that `auto` tries the field on. The networks of smaller ones weigh too much, and fits of larger ones take
too long; these are guesses, and neither border has been measured."""


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
        return LosslessPolicy(LosslessPolicy.by_error(depth).fit_db, math.inf)

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


class GridSession(Session):
    """Fits of one picture."""

    native: ClassVar[frozenset[type[Goal]]] = frozenset({Psnr})

    def __init__(self, picture: Picture, context: Context, given: Grid | None) -> None:
        self._picture, self._context, self._given = picture, context, given
        self._fitted: _Fitted | None = None

    def get_ready(self, request: Request) -> None:
        load_program(request.engine, request.device)

    def plans(self, request: Request) -> list[Plan]:
        geometry, found = self._picture.geometry, list[Plan]()
        engine = engine_for(request.engine, request.device)
        is_slow = engine == "torch" and not runs_on_gpu(request.engine, request.device)
        times = TORCH_TIMES if is_slow else 1.0
        for effort, recipe in RECIPES.items():
            if effort <= request.effort:
                field = self._given or field_for(geometry, recipe)
                spent = stages(field, geometry, steps_for(geometry, recipe, request.max_steps), times)
                found.append(Plan(field, recipe, effort, spent, memory_bytes(geometry, engine)))
        return found

    def fit(self, plan: Plan, request: Request) -> Solution:
        from nfcodec.fields.grid.fit import fit_grid

        assert isinstance(plan.field, Grid)
        began, before = time.monotonic(), self._fitted
        if before is None or before.effort != plan.effort or abs(request.psnr_db - before.psnr_db) > NEAR_DB:
            n_steps = steps_for(self._picture.geometry, plan.recipe, request.max_steps)
            problem = Problem.of(self._picture, plan.field)
            settling = fit_grid(plan.field, problem, request, plan.recipe, n_steps, self._wavelet_bytes(request))
            before = self._fitted = _Fitted(plan.effort, request.psnr_db, problem, settling)
        settling = before.settling
        trial, program = settling.reach(request), settling.program
        seconds = time.monotonic() - began
        return Solution(before.problem, trial, settling.taken, settling.taken, seconds, program.engine, program.device)

    def estimated_bytes(self, request: Request) -> float | None:
        return OVER_WAVELETS * self._wavelet_bytes(request) + NETWORK_BYTES

    def _wavelet_bytes(self, request: Request) -> float:
        (n_bytes,) = self._context.estimator(self._picture, request)(1, 1)
        return n_bytes
