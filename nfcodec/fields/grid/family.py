"""The family `grid`: latent grids and networks that predict and read them, fitted together to error and bits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import ClassVar

from nfcodec.errors import UsageError
from nfcodec.fields.grid.cost import memory_bytes, stages
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.plan import field_for, steps_for
from nfcodec.fields.grid.recipes import RECIPES, Recipe
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Session
from nfcodec.fitting.goals import Goal, Psnr, Size
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import Plan
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request, Solution
from nfcodec.kernels import compiled

PROGRAM = "nfcodec.fields.grid.descent:Descent"

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
        return LEAST_PIXELS <= picture.raster.n_pixels <= MOST_PIXELS and self._suits_goal(request.goal)

    def _suits_goal(self, goal: Goal) -> bool:
        """PSNRs that a residual does not reach with fewer bytes, and sizes, if no search has to fit a dozen times."""
        if isinstance(goal, Psnr):
            return goal.psnr_db <= self.lossless(8).fit_db
        return isinstance(goal, Size) and Size in GridSession.native

    def refuses(self, picture: Picture, engine: str, device: str, given: object | None = None) -> str | None:
        if engine in ("auto", "numba") and device in ("auto", "cpu") and find_spec("numba") is not None:
            return None  # asked of all families for every picture, so nothing is loaded
        return f"the engine {engine!r} on the device {device!r} cannot fit the field of grids"

    def lossless(self, depth: int) -> LosslessPolicy:
        return LosslessPolicy(LosslessPolicy.by_error(depth).fit_db, math.inf)

    def begin(self, picture: Picture, context: Context, given: object | None = None) -> Session:
        if not isinstance(given, Grid | None):
            raise UsageError(f"the field {given!r} is none of the family {self.name!r}")
        return GridSession(picture, context, given)


class GridSession(Session):
    """Fits of one picture."""

    native: ClassVar[frozenset[type[Goal]]] = frozenset({Psnr})

    def __init__(self, picture: Picture, context: Context, given: Grid | None) -> None:
        self._picture, self._context, self._given = picture, context, given

    def get_ready(self, request: Request) -> None:
        compiled(PROGRAM)

    def plans(self, request: Request) -> list[Plan]:
        geometry, found = self._picture.geometry, list[Plan]()
        for effort, recipe in RECIPES.items():
            if effort <= request.effort:
                field = self._given or field_for(geometry, recipe)
                spent = stages(field, geometry, steps_for(geometry, recipe, request.max_steps))
                found.append(Plan(field, recipe, effort, spent, memory_bytes(field, geometry)))
        return found

    def fit(self, plan: Plan, request: Request) -> Solution:
        from nfcodec.fields.grid.fit import solve_grid

        assert isinstance(plan.field, Grid)
        n_steps = steps_for(self._picture.geometry, plan.recipe, request.max_steps)
        (n_bytes,) = self._context.estimator(self._picture, request)(1, 1)
        problem = Problem.of(self._picture, plan.field)
        return solve_grid(plan.field, problem, request, plan.recipe, n_steps, n_bytes)

    def estimated_bytes(self, request: Request) -> float | None:
        return None
