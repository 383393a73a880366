"""Which field of grids to fit, and in how many iterations."""

from __future__ import annotations

import math

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.recipes import Recipe
from nfcodec.fields.grid.shape import MOST_MAPPED_GRIDS

LEVELS = ((1e6, 7), (3e6, 8), (float("inf"), 9))
"""Up to so many pixels, so many levels."""

MOST_HYPER = 3

SMALLER = (
    (600, (4, 0, 3), 0),
    (1000, (6, 0, 8), 0),
    (3000, (6, 2, 8), MOST_HYPER),
    (8000, (10, 4, 16), MOST_HYPER),
)
"""Where wavelets take less than so many bytes: neighbours, mapped numbers and neurons of the networks, and levels with
hyperlatents, at most. What larger networks save of the latents does not repay their own bytes there."""

FEW_BYTES, FITS = 600, 3
"""Where wavelets take less, the smallest file of so many fits counts: they differ by a factor of up to two."""

UNLUCKY = 1.25
"""A fit that takes so many times the iterations that were to come before the rounds had an unlucky start, and repeated
itself to reach its target."""

FULL_PIXELS, FEWER, MORE, MOST_MORE = 0.4e6, 0.57, 0.4, 4.0
"""Of larger pictures iterations fall with the power FEWER of the pixels, so that an encode takes minutes. Of smaller
ones they grow with the power MORE, up to so many times, as their iterations take little time and their networks are
what most bytes are spent on."""

ROUND_SHARE, LEAST_ROUND, LARGEST_ROUND_SHARE = 0.02, 60, 0.1
"""Of the iterations, those of a round with which latents end; how many they are at least, as far as they are no larger
share."""

ROUNDS = 2
"""That it takes, about."""

LARGEST_TRIAL_SHARE = 0.1
"""Of the iterations, those that all starts together may take, where a limit cuts the iterations."""

COARSE_SHARE, HALF_SIZE_STEPS = 0.12, 4
"""Of the iterations, those that are spent on the picture at half its size; so many there take as long as one."""


def round_steps(n_steps: int) -> int:
    """How many of the iterations are a round with which latents end."""
    return min(max(LEAST_ROUND, round(ROUND_SHARE * n_steps)), round(LARGEST_ROUND_SHARE * n_steps))


def soft_steps(n_steps: int) -> int:
    """How many are left for what comes before."""
    return n_steps - ROUNDS * round_steps(n_steps)


def trial_steps(recipe: Recipe, n_steps: int) -> int:
    """How many each start takes of so many iterations at the size at which starts are tried."""
    return (
        min(recipe.n_trial_steps, int(LARGEST_TRIAL_SHARE * n_steps) // recipe.n_starts) if recipe.n_starts > 1 else 0
    )


def coarse_steps(n_steps: int) -> int:
    """How many of the iterations are spent at half the size, where that is worth it."""
    return round(COARSE_SHARE * n_steps)


def field_for(geometry: Geometry, recipe: Recipe, n_bytes: float = math.inf) -> Grid:
    """The field for a picture: levels down to a few entries, hyperlatents at the coarsest ones.

    Args:
        n_bytes: that wavelets would take, about; the fewer they are, the smaller are the networks.
    """
    most = next(n for pixels, n in LEVELS if geometry.n_pixels < pixels)
    n_levels = max(1, min(most, max(geometry.height, geometry.width).bit_length()))
    most_hyper = MOST_HYPER
    for bytes_below, sizes, hyper in SMALLER:
        if n_bytes < bytes_below:
            recipe, most_hyper = recipe.smaller(*sizes), hyper
            break
    return recipe.field(n_levels, max(0, min(most_hyper, n_levels - MOST_MAPPED_GRIDS)))


def steps_for(geometry: Geometry, recipe: Recipe, max_steps: int | None) -> int:
    """Iterations in all."""
    smaller = FULL_PIXELS / geometry.n_pixels
    n_steps = round(recipe.n_steps * (min(MOST_MORE, smaller**MORE) if smaller > 1 else smaller**FEWER))
    return n_steps if max_steps is None else min(n_steps, max_steps)


def n_fits(n_bytes: float) -> int:
    """How many fits are made, where wavelets take so many bytes."""
    return FITS if n_bytes < FEW_BYTES else 1


def is_unlucky(n_before: int, n_steps: int, n_bytes: float) -> bool:
    """Whether a fit is followed by another one: of small files only.

    Args:
        n_before: iterations that it took before the rounds with which latents end.
        n_steps: those that it was to take in all.
    """
    return n_bytes < SMALLER[-1][0] and n_before > UNLUCKY * soft_steps(n_steps)
