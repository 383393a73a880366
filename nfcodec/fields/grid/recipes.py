"""What the field of grids spends at each effort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from nfcodec.fields.grid.field import Grid


@dataclass(frozen=True)
class Recipe:
    """How a field is fitted.

    Smaller networks than these were tried on photographs of 768x512: their files are larger, at any time that was
    tried. Where files are small, `plan.field_for` takes smaller ones.

    Attributes:
        n_steps: iterations, those of random starts included, of a picture of up to FULL_PIXELS.
        n_starts: random starts, of which the best one goes on.
        n_trial_steps: iterations of each start.
        n_neighbours, n_mapped, n_hidden: of the field, see `Grid`.
    """

    n_steps: int
    n_starts: int = 1
    n_trial_steps: int = 100
    n_neighbours: int = 14
    n_mapped: int = 6
    n_hidden: int = 48

    def field(self, n_levels: int, n_hyper: int) -> Grid:
        """The field that is fitted."""
        return Grid(n_levels, n_hyper, self.n_neighbours, self.n_mapped, self.n_hidden)

    def smaller(self, n_neighbours: int, n_mapped: int, n_hidden: int) -> Recipe:
        """The same for networks of at most these sizes."""
        return replace(
            self,
            n_neighbours=min(self.n_neighbours, n_neighbours),
            n_mapped=min(self.n_mapped, n_mapped),
            n_hidden=min(self.n_hidden, n_hidden),
        )


RECIPES: Mapping[int, Recipe] = MappingProxyType(
    {
        1: Recipe(200),
        2: Recipe(400),
        3: Recipe(800),
        4: Recipe(1800, n_starts=3),
        5: Recipe(3400, n_starts=3),
        6: Recipe(6000, n_starts=4),
        7: Recipe(10_000, n_starts=4, n_trial_steps=200),
        8: Recipe(14_000, n_starts=5, n_trial_steps=200),
        9: Recipe(20_000, n_starts=5, n_trial_steps=200),
    }
)
"""By effort, 1 .. 9."""
