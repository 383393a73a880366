"""What an encode of an Instant-NGP takes: a gradient is timed on a part of the picture, and steps are counted.

The fit to the PSNR takes as many steps as it needs, and phases that miss the target are repeated; here stands what is
usual.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from nfcodec.errors import EngineError
from nfcodec.exact.geometry import part_of
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.fit import FIT_STEPS
from nfcodec.fields.ngp.plan import of_part
from nfcodec.fields.ngp.recipes import Recipe
from nfcodec.fitting.cost import BASE_BYTES, KERNEL_BYTES, Work, crop, quickest
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import SEARCH, WRITING, Stage
from nfcodec.fitting.probe import engine_of_part
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request

PROBE_PIXELS = 200 * 200

USUAL_STEPS, DB_PER_DOUBLING = 100, 6.0
"""Of the fit to the PSNR, at 40 dB, and what doubles them."""

COUNTING = Work(alone=0.0, shared=14e-9)
"""Of a parameter, in a step that counts bits, beside the gradient."""

LOOKS = 1.07
"""A step that counts bits, with its share of the looks at all pixels, over one that does not."""

ROUNDS = ((150, (4, 1)), (300, (3,)), (500, (2,)), (math.inf, (1,)))
"""With fewer soft steps than the first of a pair, how many rounds of hard steps it usually takes to meet the target,
each time that the phases are gone through."""

EVALUATION, CODING = Work(alone=0.8e-6), Work(alone=0.1e-6)
"""Of a pixel, exactly; and of a parameter in the file."""

SAMPLE_BYTES, PARAMETER_BYTES = 50, 60


@dataclass
class Costs:
    """Of one picture, for all requests of a session.

    Attributes:
        paces: by what goes into the network and its widths, as probed: seconds of a gradient for each pixel.
    """

    picture: Picture
    paces: dict[tuple[int, ...], float] = field(default_factory=dict[tuple[int, ...], float])

    def stages(self, field: Ngp, request: Request, recipe: Recipe) -> tuple[Stage, ...]:
        """Of an encode, up to the writing of the file."""
        geometry = self.picture.geometry
        gradient = self._pace(field, request) * geometry.n_pixels
        counting = LOOKS * gradient + COUNTING.seconds(field.n_parameters(geometry))
        trial, most = (
            EVALUATION.seconds(geometry.n_pixels),
            math.inf if request.max_steps is None else request.max_steps,
        )
        n_fit = int(min(USUAL_STEPS * 2 ** ((request.psnr_db - 40) / DB_PER_DOUBLING), FIT_STEPS, most))
        stages = [Stage("fit", n_fit * gradient, n_fit)]
        for phase, n_steps, n_trials in _phases(recipe, most - n_fit):
            stages.append(Stage(phase, n_steps * counting + n_trials * trial, n_steps))
        landing = (2 + 2 * field.levels[-1].features) * trial
        coding = CODING.seconds(field.n_parameters(geometry)) + trial
        return (*stages, Stage(SEARCH, landing), Stage(WRITING, coding))

    def memory_bytes(self, field: Ngp) -> float:
        """At the peak of an encode."""
        geometry = self.picture.geometry
        n_samples, n_parameters = geometry.n_pixels * geometry.channels, field.n_parameters(geometry)
        return BASE_BYTES + KERNEL_BYTES + SAMPLE_BYTES * n_samples + PARAMETER_BYTES * n_parameters

    def _pace(self, field: Ngp, request: Request) -> float:
        geometry = self.picture.geometry
        sizes = (field.encoding_size, *field.hidden)
        if sizes not in self.paces:
            part, problem = part_of(geometry, crop(geometry, PROBE_PIXELS)), Problem.of(self.picture, field)
            try:
                engine = engine_of_part(request, problem, of_part(field, geometry, part), PROBE_PIXELS)
            except EngineError:  # it may do the field all the same
                part, engine = geometry, engine_of_part(request, problem, field, geometry.n_pixels)
            self.paces[sizes] = quickest(engine.gradient) / part.n_pixels
        return self.paces[sizes]


def _phases(recipe: Recipe, room: float) -> Iterator[tuple[str, int, int]]:
    """Those that count bits: the name, the steps, and the exact evaluations at the end."""
    for n_rounds in next(rounds for below, rounds in ROUNDS if recipe.soft_steps < below):
        share = min(1.0, max(0.0, room) / recipe.n_steps)
        if share == 0:
            return
        n_soft, n_hard = (
            int(share * recipe.sparse_steps) + int(share * recipe.soft_steps),
            int(share * recipe.hard_steps),
        )
        yield "shrink", n_soft, 0
        yield "fine-tune", n_hard * n_rounds, n_rounds
        room -= n_soft + n_hard * n_rounds
