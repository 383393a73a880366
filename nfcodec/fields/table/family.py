"""The family `table`: one entry a pixel for permuted pictures, or a pyramid of levels where that promises less."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import ClassVar

from nfcodec.errors import EngineError, FormatError, UsageError
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.table.analysis import start
from nfcodec.fields.table.cost import Costs
from nfcodec.fields.table.field import LevelsField, Pyramid, Table
from nfcodec.fields.table.fit import solve_table
from nfcodec.fields.table.pyramid import solve_pyramid
from nfcodec.fields.table.recipes import RECIPES, Recipe
from nfcodec.fitting import engines
from nfcodec.fitting.cost import crop
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Plan, Session
from nfcodec.fitting.goals import Goal, Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.probe import load_engine
from nfcodec.fitting.problem import Problem, quantize
from nfcodec.fitting.request import Request, Solution

MAX_COARSEST = 6
HIDDEN_WIDTH, HIDDEN_FROM_PIXELS = 16, 4096
"""A pyramid's hidden layer, and how many pixels repay it."""


PROMISING_PIXELS = 1 << 18
"""What fields promise is judged by so many."""

EXAMPLE_PIXELS, EXAMPLE_DB = 64, 30.0
"""What kernels are loaded with."""


def default_pyramid(geometry: Geometry) -> Pyramid:
    """Levels from a stride of 64 pixels (less for small pictures) to every pixel, and one residual layer."""
    shorter = min(geometry.height, geometry.width)
    coarsest = min(MAX_COARSEST, max(0, math.ceil(math.log2(shorter)) - 1))
    return Pyramid(coarsest, HIDDEN_WIDTH if geometry.n_pixels >= HIDDEN_FROM_PIXELS else 0)


class TableFamily(Family):
    """Solved in closed form, but for pyramids with a hidden layer."""

    name: ClassVar[str] = "table"
    stands_in: ClassVar[bool] = True
    recipes: ClassVar[Mapping[int, Recipe]] = RECIPES

    def suits(self, picture: Picture, request: Request) -> bool:
        return picture.permutes

    def refuses(self, picture: Picture, engine: str, device: str, given: object | None = None) -> str | None:
        solved = picture.permutes if given is None else isinstance(given, LevelsField) and _is_solved(given)
        if solved or engines.usable(Pyramid, engine, device):
            return None
        return f"the engine {engine!r} on the device {device!r} cannot fit pyramids"

    def lossless(self, depth: int) -> LosslessPolicy:
        return LosslessPolicy.by_error(depth)

    def begin(self, picture: Picture, context: Context, given: object | None = None) -> Session:
        if given is not None:
            if not isinstance(given, LevelsField):
                raise UsageError(f"the field {given!r} is none of the family {self.name!r}")
            return TableSession(picture, [given])
        pyramid = default_pyramid(picture.geometry)
        return TableSession(picture, [Table()] if pyramid == Pyramid(0) else [pyramid, Table()])


class TableSession(Session):
    """Fits of one picture.

    Args:
        fields: to choose from.
    """

    native: ClassVar[frozenset[type[Goal]]] = frozenset({Psnr})

    def __init__(self, picture: Picture, fields: list[LevelsField]) -> None:
        self._picture, self._fields, self._costs = picture, fields, Costs(picture)

    def get_ready(self, request: Request) -> None:
        for each in self._able(request):
            problem = Problem.of(self._picture, each)
            if not _is_solved(each):
                with contextlib.suppress(EngineError):  # the plans say so
                    load_engine(request, problem, Pyramid(0, each.hidden_widths[0]))
            elif isinstance(each, Table):
                part = problem.part(crop(problem.geometry, EXAMPLE_PIXELS), each)
                with contextlib.suppress(FormatError):
                    solve_table(part, Request(Psnr(EXAMPLE_DB), 1, 0), RECIPES[1])

    def plans(self, request: Request) -> list[Plan]:
        fields, plans, failures = self._able(request), list[Plan](), list[EngineError]()
        for each in fields:
            try:
                plans += self._plans_of(each, request, self._promised_bytes(each, request) if len(fields) > 1 else None)
            except EngineError as error:
                failures.append(error)
        if failures and (not plans or request.engine != "auto"):
            raise failures[0]
        for error in failures:
            request.note(f"pyramids cannot be fitted: {error}")
        return plans

    def _plans_of(self, field: LevelsField, request: Request, n_bytes: float | None) -> list[Plan]:
        memory = self._costs.memory_bytes()
        return [
            Plan(field, recipe, effort, self._costs.stages(field, request, recipe), memory, n_bytes=n_bytes)
            for effort, recipe in RECIPES.items()
            if effort <= request.effort
        ]

    def _able(self, request: Request) -> list[LevelsField]:
        """The fields that can be fitted."""
        able = [each for each in self._fields if _is_solved(each) or _is_usable(each, request)]
        return able or self._fields[:1]

    def _promised_bytes(self, field: LevelsField, request: Request) -> float:
        """The size of a field's analysis with the first quantizer step, before any fitting; judged by a part."""
        whole = Problem.of(self._picture, field)
        part = whole.part(crop(whole.geometry, PROMISING_PIXELS), field)
        share = part.geometry.n_pixels / whole.geometry.n_pixels
        return part.estimated_bytes(quantize(part, *start(field, part, request))) / share

    def fit(self, plan: Plan, request: Request) -> Solution:
        field = plan.field
        problem = Problem.of(self._picture, field)
        if isinstance(field, Table):
            return solve_table(problem, request, plan.recipe)
        assert isinstance(field, LevelsField)
        return solve_pyramid(field, problem, request, plan.recipe)

    def estimated_bytes(self, request: Request) -> float | None:
        return None


def _is_solved(field: LevelsField) -> bool:
    """Whether a field needs no engine."""
    return not field.hidden_widths


def _is_usable(field: LevelsField, request: Request) -> bool:
    return engines.usable(type(field), request.engine, request.device)
