"""What an encode of wavelets takes, by what it took: seconds of a core of the reference machine for each sample.

The constants stand here and nowhere else. They are to be measured anew when the fit or the coding changes.
"""

from __future__ import annotations

from collections.abc import Iterator

from nfcodec.fields.wavelet.recipes import Fit, Recipe
from nfcodec.fitting.cost import BASE_BYTES, KERNEL_BYTES, Work
from nfcodec.fitting.plans import SEARCH, WRITING, Stage

SOLVING = Work(alone=4.2e-6, shared=5.8e-6)
"""All before gradient steps: the analysis, the choice of filters, weighing, settling."""

STEP = Work(alone=0.05e-6, shared=0.09e-6)
"""A gradient step, with its share of the predictions and filters that are renewed every few steps."""

SETTLING = Work(alone=3.0e-6, shared=4.0e-6)
"""What goes before and after the steps of each fit."""

CODING = Work(alone=0.9e-6, shared=0.2e-6)
"""Writing the file and decoding it again."""

SOLVING_BYTES, STEPPING_BYTES = 135, 310
"""Of memory: without gradient steps, and with them."""


def stages(n_samples: int, recipe: Recipe, max_steps: int | None) -> tuple[Stage, ...]:
    """Of an encode, up to the writing of the file."""
    solving, settling, writing = (work.seconds(n_samples) for work in (SOLVING, SETTLING, CODING))
    found = [Stage(SEARCH, solving)]
    for fit in _fits(recipe, max_steps):
        found += [Stage("shrink", STEP.seconds(n_samples * fit.steps), fit.steps), Stage(SEARCH, settling)]
    return (*found, Stage(WRITING, writing))


def memory_bytes(n_samples: int, recipe: Recipe, max_steps: int | None) -> float:
    """At the peak of an encode."""
    if any(_fits(recipe, max_steps)):
        return BASE_BYTES + KERNEL_BYTES + STEPPING_BYTES * n_samples
    return BASE_BYTES + SOLVING_BYTES * n_samples


def _fits(recipe: Recipe, max_steps: int | None) -> Iterator[Fit]:
    """Those of the recipe for which there are steps."""
    left = recipe.n_steps if max_steps is None else max_steps
    for fit in recipe.fits:
        if left > 0:
            yield fit._replace(steps=min(fit.steps, left))
        left -= fit.steps
