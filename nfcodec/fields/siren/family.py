"""The family `siren`: small networks, one a tile, where these will do; otherwise one that memorises the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from nfcodec.errors import FormatError, UsageError
from nfcodec.fields.siren.cost import Costs
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.memorising import solve_memorising
from nfcodec.fields.siren.plan import PAPER, Start, default_siren, is_small, tiled_siren, well_started
from nfcodec.fields.siren.recipes import RECIPES, Recipe
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.siren.tiles import SmallFit, fit_small
from nfcodec.fitting import engines
from nfcodec.fitting.family import Context, Estimator, Family, LosslessPolicy, Plan, Session
from nfcodec.fitting.goals import Goal, Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request, Solution

LOSSLESS_FIT_DB = 30.0
"""How far to fit before a residual: a SIREN's bits buy less than the residual's beyond."""

SIREN_OVER_WAVELETS = 1.02
"""What a SIREN takes over wavelets before any fitting, at 30 dB: 0.73 to 1.36 on the 24 Kodak pictures."""


class SirenFamily(Family):
    """Fitted by gradient steps from random weights."""

    name: ClassVar[str] = "siren"
    stands_in: ClassVar[bool] = False
    recipes: ClassVar[Mapping[int, Recipe]] = RECIPES

    def suits(self, picture: Picture, request: Request) -> bool:
        return False

    def refuses(self, picture: Picture, engine: str, device: str, given: object | None = None) -> str | None:
        if engines.usable(Siren, engine, device):
            return None
        return f"the engine {engine!r} on the device {device!r} cannot fit SIRENs"

    def lossless(self, depth: int) -> LosslessPolicy:
        return LosslessPolicy(LOSSLESS_FIT_DB, math.inf)

    def begin(self, picture: Picture, context: Context, given: object | None = None) -> Session:
        if given is None:
            return SirenSession(picture, context.estimator)
        if isinstance(given, Siren | TiledSiren):
            return SirenSession(picture, context.estimator, given)
        raise UsageError(f"the field {given!r} is none of the family {self.name!r}")


class SirenSession(Session):
    """Fits of one picture.

    Args:
        estimator: tells about small networks.
        given: the field to fit, from the paper's weights; None to choose.
    """

    native: ClassVar[frozenset[type[Goal]]] = frozenset({Psnr})

    def __init__(self, picture: Picture, estimator: Estimator, given: Siren | TiledSiren | None = None) -> None:
        self._picture, self._estimator, self._given = picture, estimator, given
        self._kept: SmallFit | None = None
        self._fields: dict[float, Siren | TiledSiren] = {}
        self._costs = Costs(picture)

    def get_ready(self, request: Request) -> None:
        self._costs.load(self._given, request)

    def plans(self, request: Request) -> list[Plan]:
        field, large = self._given or self._chosen(request), self._large(request)
        others = [large] if isinstance(field, TiledSiren) else []
        guess = field if isinstance(field, TiledSiren) and self._given is None else None
        likely = self._costs.likely(guess, large, request) if guess else None
        memory = self._costs.memory_bytes(likely or field)
        return [
            Plan(field, recipe, effort, self._costs.stages(field, likely, request, recipe), memory, others)
            for effort, recipe in RECIPES.items()
            if effort <= request.effort
        ]

    def _chosen(self, request: Request) -> Siren | TiledSiren:
        """Small networks where they may do, which is known once they are fitted; the large one otherwise."""
        picture, psnr_db = self._picture, request.psnr_db
        if psnr_db not in self._fields:
            small = None if picture.permutes else tiled_siren(picture.geometry, self._estimator(picture, request))
            does = small is not None and is_small(small, picture.geometry)
            self._fields[psnr_db] = small if small and does else self._large(request)
        return self._fields[psnr_db]

    def _large(self, request: Request) -> Siren:
        return default_siren(self._picture.geometry, self._picture.permutes, request.psnr_db)

    def fit(self, plan: Plan, request: Request) -> Solution:
        field = plan.field
        assert isinstance(field, Siren | TiledSiren)
        if isinstance(field, TiledSiren) or is_small(field, self._picture.geometry):
            small = self._small(field, request, plan.recipe)
            if small is not None:
                return small.solved(request)
        large = self._large(request) if isinstance(field, TiledSiren) else field
        return solve_memorising(Problem.of(self._picture, large), request, plan.recipe, self._start(large))

    def _small(self, field: Siren | TiledSiren, request: Request, recipe: Recipe) -> SmallFit | None:
        """A fit for an earlier request if it serves, or a new one, which is kept; None if small networks do not do."""
        if self._kept is not None and self._kept.serves(request, recipe):
            return self._kept
        problem, start = Problem.of(self._picture, field), self._start(field)
        tiled, chosen = isinstance(field, TiledSiren), self._given is None
        fit = fit_small(problem, request, recipe, start=start, planned=tiled and chosen, last=tiled and not chosen)
        self._kept = fit or self._kept
        return fit

    def _start(self, field: Siren | TiledSiren) -> Start:
        """Tiles have one of their own."""
        if self._given is not None or isinstance(field, TiledSiren):
            return PAPER
        return well_started(field, self._picture.geometry)

    def estimated_bytes(self, request: Request) -> float | None:
        if self._picture.permutes or isinstance(self._given, Siren):
            return None
        try:
            return SIREN_OVER_WAVELETS * self._estimator(self._picture, request)(1, 1)[0]
        except FormatError:
            return math.inf
