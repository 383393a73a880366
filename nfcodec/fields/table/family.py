"""The family `table`: one entry a pixel for permuted pictures, or a pyramid of levels where that promises less."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from nfcodec.errors import UsageError
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.table.analysis import start
from nfcodec.fields.table.field import LevelsField, Pyramid, Table
from nfcodec.fields.table.fit import solve_table
from nfcodec.fields.table.pyramid import solve_pyramid
from nfcodec.fields.table.recipes import RECIPES, Recipe
from nfcodec.fitting import engines
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Plan, Session
from nfcodec.fitting.goals import Goal, Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.problem import Problem, quantize
from nfcodec.fitting.request import Request, Solution

MAX_COARSEST = 6
HIDDEN_WIDTH, HIDDEN_FROM_PIXELS = 16, 4096
"""A pyramid's hidden layer, and how many pixels repay it."""


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

    def suits(self, picture: Picture) -> bool:
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
        self._picture, self._fields = picture, fields

    def plans(self, request: Request) -> list[Plan]:
        recipe = RECIPES[request.effort]
        fields = [each for each in self._fields if _is_solved(each) or _is_usable(each, request)] or self._fields[:1]
        if len(fields) == 1:
            return [Plan(fields[0], recipe)]
        return [Plan(field, recipe, n_bytes=self._promised_bytes(field, request)) for field in fields]

    def _promised_bytes(self, field: LevelsField, request: Request) -> float:
        """The size of a field's analysis with the first quantizer step, before any fitting."""
        problem = Problem.of(self._picture, field)
        return problem.estimated_bytes(quantize(problem, *start(field, problem, request)))

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
