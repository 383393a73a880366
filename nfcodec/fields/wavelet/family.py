"""The family `wavelet`: the default, for pictures whose pixels keep their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from nfcodec.errors import EngineError, UsageError
from nfcodec.fields.wavelet.cost import memory_bytes, stages
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.fit import solve
from nfcodec.fields.wavelet.plan import offers
from nfcodec.fields.wavelet.recipes import MOST_SAVED, RECIPES, Recipe
from nfcodec.fields.wavelet.restoration import Filtered
from nfcodec.fitting import engines
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Plan, QuickTry, Session
from nfcodec.fitting.goals import Goal, Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.probe import load_engine
from nfcodec.fitting.request import Request, Solution


class WaveletFamily(Family):
    """Analysis, weighing of errors against bits, shipped filters, and gradient steps on the coefficients."""

    name: ClassVar[str] = "wavelet"
    stands_in: ClassVar[bool] = False
    quick_try: ClassVar[QuickTry | None] = QuickTry(effort=1, saves=MOST_SAVED)
    recipes: ClassVar[Mapping[int, Recipe]] = RECIPES

    def suits(self, picture: Picture, request: Request) -> bool:
        return not picture.permutes

    def refuses(self, picture: Picture, engine: str, device: str, given: object | None = None) -> str | None:
        if engines.usable(Wavelet, engine, device):
            return None
        able = " or ".join(map(repr, Wavelet.counterparts))
        return f"wavelets are fitted by the engine {able}, not by {engine!r} on the device {device!r}"

    def lossless(self, depth: int) -> LosslessPolicy:
        return LosslessPolicy.by_error(depth)

    def begin(self, picture: Picture, context: Context, given: object | None = None) -> Session:
        if given is not None and not isinstance(given, Wavelet):
            raise UsageError(f"the field {given!r} is none of the family {self.name!r}")
        return WaveletSession(offers(picture, given))


EXAMPLE = Wavelet(1)
"""What kernels are loaded with."""


class WaveletSession(Session):
    """Fits of one picture.

    Args:
        offered: what a fit chooses from, see `restoration.choose`.
    """

    native: ClassVar[frozenset[type[Goal]]] = frozenset({Psnr})

    def __init__(self, offered: Sequence[Filtered]) -> None:
        self._offered, self._can_step = offered, True

    def get_ready(self, request: Request) -> None:
        if RECIPES[request.effort].fits and request.max_steps != 0:
            try:
                load_engine(request, self._offered[0].linear, EXAMPLE)
            except EngineError:  # the fit goes without steps, and says so
                self._can_step = False

    def plans(self, request: Request) -> list[Plan]:
        first, *others = (offer.problem.field for offer in self._offered)
        n_samples, most = self._offered[0].linear.samples.size, request.max_steps if self._can_step else 0
        return [
            Plan(first, each, effort, stages(n_samples, each, most), memory_bytes(n_samples, each, most), others)
            for effort, each in RECIPES.items()
            if effort <= request.effort
        ]

    def fit(self, plan: Plan, request: Request) -> Solution:
        return solve(self._offered, request, plan.recipe)

    def estimated_bytes(self, request: Request) -> float | None:
        return None
