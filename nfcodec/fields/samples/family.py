"""The family `samples`: nothing is fitted, and every goal is met without loss."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from nfcodec.coding import packed
from nfcodec.errors import UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.fields.samples.field import TENSOR, Samples
from nfcodec.fields.samples.recipes import RECIPES, Recipe
from nfcodec.fitting.cost import BASE_BYTES, Work
from nfcodec.fitting.family import Context, Family, LosslessPolicy, Session
from nfcodec.fitting.goals import Goal, Lossless, Psnr, Size
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import WRITING, Plan, Stage
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.request import Request, Solution
from nfcodec.lazy import kept

ONE = Step(128, -7)

PACKING = Work(alone=0.5e-6)
"""Of a sample, to pack it and to unpack it again."""

SAMPLE_BYTES = 40


class SamplesFamily(Family):
    """What `auto` tries beside the fields that suit a picture, so that no file is much larger than the samples."""

    name: ClassVar[str] = "samples"
    stands_in: ClassVar[bool] = False
    bounds_size: ClassVar[bool] = True
    recipes: ClassVar[Mapping[int, Recipe]] = RECIPES

    def suits(self, picture: Picture, request: Request) -> bool:
        return False

    def refuses(self, picture: Picture, engine: str, device: str, given: object | None = None) -> str | None:
        return None

    def lossless(self, depth: int) -> LosslessPolicy:
        return LosslessPolicy(math.inf, math.inf)

    def begin(self, picture: Picture, context: Context, given: object | None = None) -> Session:
        if not isinstance(given, Samples | None):
            raise UsageError(f"the field {given!r} is none of the family {self.name!r}")
        return SamplesSession(picture)


class SamplesSession(Session):
    """The one file of one picture."""

    native: ClassVar[frozenset[type[Goal]]] = frozenset({Psnr, Size, Lossless})

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def get_ready(self, request: Request) -> None:
        pass  # nothing is loaded or compiled

    def plans(self, request: Request) -> list[Plan]:
        n_samples = self._picture.samples.size
        stages, memory = [Stage(WRITING, PACKING.seconds(n_samples))], BASE_BYTES + SAMPLE_BYTES * n_samples
        return [Plan(Samples(), RECIPES[request.effort], request.effort, stages, memory)]

    def fit(self, plan: Plan, request: Request) -> Solution:
        began, picture = time.monotonic(), self._picture
        problem = Problem.of(picture, plan.field)
        (tensor,) = plan.field.layout(picture.geometry)
        symbols = picture.samples.reshape(tensor.shape).astype(np.int32)
        trial = Trial({TENSOR: Quantized(symbols, ONE)}, picture.samples, math.inf)
        return Solution.closed_form(problem, trial, time.monotonic() - began)

    def estimated_bytes(self, request: Request) -> float:
        return self._estimated_bytes

    @kept
    def _estimated_bytes(self) -> float:
        return packed.estimated_bytes(self._picture.samples.reshape(self._picture.raster.samples.shape))
