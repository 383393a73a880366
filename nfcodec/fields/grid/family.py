"""The family `grid`: latent grids and networks that predict and read them, fitted together to error and bits."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import ClassVar

from nfcodec.errors import UsageError
from nfcodec.fields.grid.constant import SMALLEST, one_colour
from nfcodec.fields.grid.cost import memory_bytes, stages
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.plan import field_for, n_fits, steps_for
from nfcodec.fields.grid.recipes import RECIPES, Recipe
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Session
from nfcodec.fitting.goals import Goal, Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import Plan
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request, Solution
from nfcodec.kernels import compiled

SEEDS = 1_000_003
"""Between the seeds of two fits."""

PROGRAM = "nfcodec.fields.grid.descent:Descent"


class GridFamily(Family):
    """Fitted by gradient steps from random networks and latents of 0."""

    name: ClassVar[str] = "grid"
    stands_in: ClassVar[bool] = False
    recipes: ClassVar[Mapping[int, Recipe]] = RECIPES

    def suits(self, picture: Picture) -> bool:
        return False

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
        self._estimates: dict[float, float] = {}

    def get_ready(self, request: Request) -> None:
        compiled(PROGRAM)

    def plans(self, request: Request) -> list[Plan]:
        geometry, n_bytes, found = self._picture.geometry, self._wavelet_bytes(request), list[Plan]()
        for effort, recipe in RECIPES.items():
            if effort <= request.effort:
                whole = self._given or field_for(geometry, recipe)
                field = self._given or field_for(geometry, recipe, n_bytes)
                n_steps = n_fits(n_bytes) * steps_for(geometry, recipe, request.max_steps)
                spent, memory = stages(field, geometry, n_steps), memory_bytes(field, geometry)
                others = () if whole == field else (whole,)
                found.append(Plan(field, recipe, effort, spent, memory, others))
        return found

    def fit(self, plan: Plan, request: Request) -> Solution:
        began = time.monotonic()
        smallest = Problem.of(self._picture, self._given or SMALLEST)
        trial = one_colour(smallest, request.psnr_db)
        if trial is not None:
            return Solution.closed_form(smallest, trial, time.monotonic() - began)
        found = self._fits(plan, request)
        reaching = [each for each in found if each.trial.psnr_db >= request.psnr_db]
        best = min(reaching, key=_size) if reaching else max(found, key=lambda each: each.trial.psnr_db)
        steps = sum(each.steps for each in found)
        return replace(best, steps=steps, fit_steps=steps, fit_seconds=time.monotonic() - began)

    def _fits(self, plan: Plan, request: Request) -> list[Solution]:
        """One after the other, each with a seed of its own, as long as there is time; other fields if none will do."""
        from nfcodec.fields.grid.fit import solve_grid

        n_bytes, found = self._wavelet_bytes(request), list[Solution]()
        for i, field in enumerate([plan.field] * n_fits(n_bytes) + [*plan.others]):
            enough = any(each.trial.psnr_db >= request.psnr_db for each in found)
            if found and (request.steps_expired() or request.max_steps == 0 or (enough and field != plan.field)):
                break
            assert isinstance(field, Grid)
            n_steps = steps_for(self._picture.geometry, plan.recipe, request.max_steps)
            problem, own = Problem.of(self._picture, field), replace(request, seed=request.seed + i * SEEDS)
            found.append(solve_grid(field, problem, own, plan.recipe, n_steps, n_bytes))
            if request.max_steps is not None:
                request = replace(request, max_steps=max(0, request.max_steps - found[-1].steps))
        return found

    def estimated_bytes(self, request: Request) -> float | None:
        return None

    def _wavelet_bytes(self, request: Request) -> float:
        """That wavelets would take for the request's PSNR, about. Raises FormatError if they do not get there."""
        if request.psnr_db not in self._estimates:
            (self._estimates[request.psnr_db],) = self._context.estimator(self._picture, request)(1, 1)
        return self._estimates[request.psnr_db]


def _size(solution: Solution) -> int:
    return len(solution.problem.payload(solution.trial.weights))
