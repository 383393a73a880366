"""The family `ngp`: Instant-NGP as it was published, a hashed grid and a ReLU network, fitted by gradient steps."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import ClassVar

from nfcodec.errors import UsageError
from nfcodec.exact.field import Field
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.plan import default_ngp
from nfcodec.fields.ngp.recipes import RECIPES, Recipe
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Rates
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Plan, Session
from nfcodec.fitting.fine_tuning import MARGIN_DB, MAX_STEPS, Tuning, engine_at, quantized_and_tuned
from nfcodec.fitting.goals import Goal, Psnr
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request, Solution
from nfcodec.fitting.starts import uniform_start


class NgpFamily(Family):
    """Fitted by gradient steps from random weights."""

    name: ClassVar[str] = "ngp"
    stands_in: ClassVar[bool] = False
    recipes: ClassVar[Mapping[int, Recipe]] = RECIPES

    def suits(self, picture: Picture) -> bool:
        return False

    def refuses(self, picture: Picture, engine: str, device: str, given: Field | None = None) -> str | None:
        if engines.usable(Ngp, engine, device):
            return None
        return f"the engine {engine!r} on the device {device!r} cannot fit Instant-NGP"

    def lossless(self, depth: int) -> LosslessPolicy:
        return LosslessPolicy(LosslessPolicy.by_error(depth).fit_db, math.inf)

    def begin(self, picture: Picture, context: Context, given: Field | None = None) -> Session:
        field = default_ngp(picture.geometry) if given is None else given
        if not isinstance(field, Ngp):
            raise UsageError(f"the field {field!r} is none of the family {self.name!r}")
        return NgpSession(picture, field)


class NgpSession(Session):
    """Fits of one picture with one field."""

    native: ClassVar[frozenset[type[Goal]]] = frozenset({Psnr})

    def __init__(self, picture: Picture, field: Ngp) -> None:
        self._picture, self._field = picture, field

    def plans(self, request: Request) -> list[Plan]:
        return [Plan(self._field, RECIPES[request.effort])]

    def fit(self, plan: Plan, request: Request) -> Solution:
        return solve_ngp(Problem.of(self._picture, plan.field), request, plan.recipe)

    def estimated_bytes(self, request: Request) -> float | None:
        return None


def solve_ngp(problem: Problem, request: Request, recipe: Recipe) -> Solution:
    """Fit an `Ngp` by Adam from random weights.

    The result may miss the target, if steps or time run out; the caller decides what that means.
    """
    began, rates = time.monotonic(), Rates(recipe.rate, recipe.rate)
    budget = MAX_STEPS if request.max_steps is None else request.max_steps
    tuning = Tuning(recipe.fine_tunings, recipe.fine_tuning_steps, rates)
    initial = uniform_start(problem.field.layout(problem.geometry), request.seed)
    engine = engine_at(problem, request, initial, budget, tuning)
    schedule = Schedule(request.psnr_db + MARGIN_DB, budget, rates, request.deadline)
    result = fit(problem, engine, schedule, request.clock("fit"))
    trial, tuned = quantized_and_tuned(problem, request, engine, result, budget - result.steps, tuning)
    steps, seconds = result.steps, time.monotonic() - began
    return Solution(problem, trial, steps, steps + tuned, seconds, engine.name, engine.device)
