"""What an encode of wavelets takes, by what encodes of five sizes took on two cores of the reference machine.

The constants stand here and nowhere else. They are to be measured anew when the fit or the coding changes. Pictures of
as many samples differ by a fifth, quick efforts on smooth ones most.
"""

from __future__ import annotations

from collections.abc import Iterator

from nfcodec.fields.wavelet.recipes import RECIPES, Fit, Recipe
from nfcodec.fitting.cost import BASE_BYTES, KERNEL_BYTES, Measured
from nfcodec.fitting.plans import SEARCH, WRITING, Stage

_SIZES = (49_152, 196_608, 1_179_648, 8_374_272, 36_000_000)
"""Samples of squares of 128 and 256 pixels, and of pictures of 0.4, 2.8 and 12 megapixels, in three channels."""


def _measured(*seconds: float, shared: float) -> Measured:
    return Measured(tuple(zip(_SIZES, seconds, strict=True)), shared)


SOLVING_QUICKLY = _measured(0.67, 0.85, 2.9, 11.7, 52, shared=0.3)
"""All before the file is written at effort 1, which loads the compiled loops meanwhile."""

SOLVING = _measured(0.9, 1.4, 4.0, 17.4, 82, shared=0.57)
"""The same at the others, before any gradient steps."""

SETTLING = _measured(0.25, 0.75, 2.1, 9.2, 43, shared=0.57)
"""What follows the steps of each fit: quantizing again, with new filters."""

STEP = _measured(0.0048, 0.0172, 0.0522, 0.207, 1.02, shared=0.57)
"""A gradient step, with its share of the predictions and filters that are renewed every few steps."""

FIT = _measured(0.15, 0.2, 0.25, 1.0, 4.0, shared=0.3)
"""What goes before the steps of each fit."""

CODING = _measured(0.12, 0.19, 0.42, 1.75, 6.8, shared=0.3)
"""Writing the file and decoding it again."""

SOLVING_BYTES, STEPPING_BYTES = 44, 113
"""Of memory: without gradient steps, and with them."""


def stages(n_samples: int, recipe: Recipe, max_steps: int | None) -> tuple[Stage, ...]:
    """Of an encode, up to the writing of the file."""
    solving = SOLVING_QUICKLY if recipe == RECIPES[1] else SOLVING
    found = [Stage(SEARCH, solving.seconds(n_samples))]
    for fit in _fits(recipe, max_steps):
        steps_seconds = fit.steps * STEP.seconds(n_samples)
        found += [Stage("shrink", FIT.seconds(n_samples) + steps_seconds, fit.steps)]
        found += [Stage(SEARCH, SETTLING.seconds(n_samples))]
    return (*found, Stage(WRITING, CODING.seconds(n_samples)))


def memory_bytes(n_samples: int, recipe: Recipe, max_steps: int | None) -> float:
    """At the peak of an encode."""
    each = STEPPING_BYTES if any(_fits(recipe, max_steps)) else SOLVING_BYTES
    return BASE_BYTES + KERNEL_BYTES + each * n_samples


def _fits(recipe: Recipe, max_steps: int | None) -> Iterator[Fit]:
    """Those of the recipe for which there are steps."""
    left = recipe.n_steps if max_steps is None else max_steps
    for fit in recipe.fits:
        if left > 0:
            yield fit._replace(steps=min(fit.steps, left))
        left -= fit.steps
