"""The family `ngp`: Instant-NGP as it was published, a hashed grid and a ReLU network, fitted by gradient steps."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import ClassVar

from nfcodec.errors import EngineError, UsageError
from nfcodec.exact.geometry import part_of
from nfcodec.fields.ngp.cost import Costs
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.fit import solve_ngp
from nfcodec.fields.ngp.plan import LEAN_DB, Sizes, coarseness_of, of_part, sized_ngp
from nfcodec.fields.ngp.recipes import RECIPES, Recipe
from nfcodec.fitting import engines
from nfcodec.fitting.cost import crop
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Plan, Session
from nfcodec.fitting.goals import Goal, Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.probe import EXAMPLE_PIXELS, load_engine
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request, Solution


class NgpFamily(Family):
    """Fitted by gradient steps from random weights."""

    name: ClassVar[str] = "ngp"
    stands_in: ClassVar[bool] = False
    recipes: ClassVar[Mapping[int, Recipe]] = RECIPES

    def parse(self, arguments: str) -> Sizes:
        return Sizes.parse(arguments)

    def suits(self, picture: Picture, request: Request) -> bool:
        return False

    def refuses(self, picture: Picture, engine: str, device: str, given: object | None = None) -> str | None:
        if engines.usable(Ngp, engine, device):
            return None
        return f"the engine {engine!r} on the device {device!r} cannot fit Instant-NGP"

    def lossless(self, depth: int) -> LosslessPolicy:
        return LosslessPolicy(LosslessPolicy.by_error(depth).fit_db, math.inf)

    def begin(self, picture: Picture, context: Context, given: object | None = None) -> Session:
        given = Sizes() if given is None else given
        if not isinstance(given, Ngp | Sizes):
            raise UsageError(f"the field {given!r} is none of the family {self.name!r}")
        return NgpSession(picture, given)


class NgpSession(Session):
    """Fits of one picture, with a field that is given, or sized for each target."""

    native: ClassVar[frozenset[type[Goal]]] = frozenset({Psnr})

    def __init__(self, picture: Picture, given: Ngp | Sizes) -> None:
        self._picture, self._given, self._costs = picture, given, Costs(picture)

    def get_ready(self, request: Request) -> None:
        given, geometry = self._given, self._picture.geometry
        field = given if isinstance(given, Ngp) else sized_ngp(self._picture, LEAN_DB, given)
        part = part_of(geometry, crop(geometry, EXAMPLE_PIXELS))
        with contextlib.suppress(EngineError):  # an engine may do the field that a request will have, and not this one
            load_engine(request, Problem.of(self._picture, field), of_part(field, geometry, part))

    def plans(self, request: Request) -> list[Plan]:
        given, costs = self._given, self._costs
        field = given if isinstance(given, Ngp) else sized_ngp(self._picture, request.psnr_db, given)
        memory = costs.memory_bytes(field)
        return [
            Plan(field, recipe, effort, costs.stages(field, request, recipe), memory)
            for effort, recipe in RECIPES.items()
            if effort <= request.effort
        ]

    def fit(self, plan: Plan, request: Request) -> Solution:
        assert isinstance(plan.field, Ngp)
        problem = Problem.of(self._picture, plan.field)
        return solve_ngp(plan.field, problem, request, plan.recipe, coarseness_of(self._picture))

    def estimated_bytes(self, request: Request) -> float | None:
        return None
