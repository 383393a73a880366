"""Which field of grids to fit, and in how many iterations."""

from __future__ import annotations

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.recipes import Recipe
from nfcodec.fields.grid.shape import MOST_MAPPED_GRIDS

LEVELS = ((1e6, 7), (3e6, 8), (float("inf"), 9))
"""Up to so many pixels, so many levels."""

MOST_HYPER = 3

FULL_PIXELS, FEWER = 0.4e6, 0.4
"""Of larger pictures iterations fall with this power of the pixels."""

ROUND_SHARE, LEAST_ROUND, LARGEST_ROUND_SHARE = 0.02, 60, 0.1
"""Of the iterations, those of a round with which latents end; how many they are at least, as far as they are no larger
share."""

ROUNDS = 2
"""That it takes, about."""


def round_steps(n_steps: int) -> int:
    """How many of the iterations are a round with which latents end."""
    return min(max(LEAST_ROUND, round(ROUND_SHARE * n_steps)), round(LARGEST_ROUND_SHARE * n_steps))


def soft_steps(n_steps: int) -> int:
    """How many are left for what comes before."""
    return n_steps - ROUNDS * round_steps(n_steps)


def field_for(geometry: Geometry, recipe: Recipe) -> Grid:
    """The field for a picture: levels down to a few entries, hyperlatents at the coarsest ones."""
    most = next(n for pixels, n in LEVELS if geometry.n_pixels < pixels)
    n_levels = max(1, min(most, max(geometry.height, geometry.width).bit_length()))
    return recipe.field(n_levels, max(0, min(MOST_HYPER, n_levels - MOST_MAPPED_GRIDS)))


def steps_for(geometry: Geometry, recipe: Recipe, max_steps: int | None) -> int:
    """Iterations in all."""
    n_steps = round(recipe.n_steps * min(1.0, FULL_PIXELS / geometry.n_pixels) ** FEWER)
    return n_steps if max_steps is None else min(n_steps, max_steps)
