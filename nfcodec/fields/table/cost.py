"""What an encode of a table or a pyramid takes: gradients are timed on a part of the picture, the rest is reckoned."""

from __future__ import annotations

from dataclasses import dataclass, field

from nfcodec.exact.geometry import part_of
from nfcodec.fields.table.choice import MAX_PIXELS
from nfcodec.fields.table.field import LevelsField, Table
from nfcodec.fields.table.recipes import Recipe
from nfcodec.fitting.cost import BASE_BYTES, KERNEL_BYTES, Work, crop, quickest
from nfcodec.fitting.engines import Objective
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import SEARCH, WRITING, Stage
from nfcodec.fitting.probe import engine_of_part
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request

PROBE_PIXELS = 200 * 200

ROUNDING = Work(alone=0.6e-6)
"""Of a sample, until the coarsest rounding is found."""

CHOOSING, LATTICES = Work(alone=1.5e-6, shared=5.5e-6), 3.0
"""Of a sample, on one lattice of symbols; and what all lattices take, over the first one that pays."""

LOOKS = 1.1
"""A step, with its share of the looks at the rounded field, over a gradient."""

STARTING, LANDING, CODING = Work(alone=0.2e-6), Work(alone=0.3e-6), Work(alone=0.25e-6)
"""Of a sample: where a pyramid's steps begin; the last moves of its symbols; writing and decoding again."""

SAMPLE_BYTES = 130


@dataclass
class Costs:
    """Of one picture, for all requests of a session.

    Attributes:
        paces: by field, as probed: seconds of a gradient for each pixel.
    """

    picture: Picture
    paces: dict[LevelsField, float] = field(default_factory=dict[LevelsField, float])

    def stages(self, field: LevelsField, request: Request, recipe: Recipe) -> tuple[Stage, ...]:
        """Of an encode, up to the writing of the file."""
        geometry = self.picture.geometry
        n_samples = geometry.n_pixels * geometry.channels
        rounding, writing = ROUNDING.seconds(n_samples), Stage(WRITING, CODING.seconds(n_samples))
        n_steps = recipe.fit_steps if request.max_steps is None else min(recipe.fit_steps, request.max_steps)
        if isinstance(field, Table):
            if n_samples <= 3 * MAX_PIXELS:
                rounding += CHOOSING.seconds(n_samples) * (1.0 if recipe.enough else LATTICES)
            return Stage(SEARCH, rounding), writing
        if not field.hidden_widths or not n_steps:
            return Stage(SEARCH, rounding), writing
        step = LOOKS * self._pace(field, request) * geometry.n_pixels
        shrinking = Stage("shrink", STARTING.seconds(n_samples) + n_steps * step, n_steps)
        return shrinking, Stage(SEARCH, LANDING.seconds(n_samples)), writing

    def memory_bytes(self) -> float:
        """At the peak of an encode."""
        geometry = self.picture.geometry
        return BASE_BYTES + KERNEL_BYTES + SAMPLE_BYTES * geometry.n_pixels * geometry.channels

    def _pace(self, field: LevelsField, request: Request) -> float:
        if field not in self.paces:
            geometry = self.picture.geometry
            layout = field.layout(geometry)
            objective = Objective({tensor.name: 2.0**-6 for tensor in layout}, rate_weight=1e-4, softness=0.2)
            engine = engine_of_part(request, Problem.of(self.picture, field), field, PROBE_PIXELS, objective)
            n_pixels = part_of(geometry, crop(geometry, PROBE_PIXELS)).n_pixels
            self.paces[field] = quickest(engine.gradient) / n_pixels
        return self.paces[field]
