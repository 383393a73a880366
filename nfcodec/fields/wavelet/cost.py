"""What an encode of wavelets takes, by what it took: seconds of a core of the reference machine for each sample.

The constants stand here and nowhere else. They are to be measured anew when the fit or the coding changes.
"""

from __future__ import annotations

from collections.abc import Iterator

from nfcodec.fields.wavelet.recipes import Fit, Recipe
from nfcodec.fitting.cost import BASE_BYTES, KERNEL_BYTES, Work
from nfcodec.fitting.plans import SEARCH, WRITING, Stage

START = Work(alone=0.6e-6, shared=0.2e-6)
"""The analysis, the choice of filters, and weighing before these come in."""

SETTLING, SETTLING_OF_FILTER = Work(alone=0.42e-6), Work(alone=0.0, shared=0.002e-6)
"""Quantizing once more, and what each filter adds to that."""

STEP = Work(alone=0.019e-6, shared=0.03e-6)
"""A gradient step, with its share of the predictions and filters that are renewed every few steps."""

FIT = Work(alone=0.3e-6)
"""What goes before the steps of each fit, and learning the size of what came of them."""

CODING = Work(alone=0.28e-6, shared=0.1e-6)
"""Writing the file and decoding it again."""

SOLVING_BYTES, STEPPING_BYTES = 46, 120
"""Of memory: without gradient steps, and with them."""


def stages(n_samples: int, recipe: Recipe, max_steps: int | None) -> tuple[Stage, ...]:
    """Of an encode, up to the writing of the file."""
    once = SETTLING.seconds(n_samples) + SETTLING_OF_FILTER.seconds(n_samples * recipe.most_filters)
    settling, fit_seconds = recipe.settlings * once, FIT.seconds(n_samples)
    found = [Stage(SEARCH, START.seconds(n_samples) + settling)]
    for fit in _fits(recipe, max_steps):
        steps_seconds = STEP.seconds(n_samples * fit.steps)
        found += [Stage("shrink", fit_seconds + steps_seconds, fit.steps), Stage(SEARCH, settling)]
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
