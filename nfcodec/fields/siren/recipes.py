"""What SIRENs spend at each effort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Recipe:
    """How long small networks are fitted and how they are rounded; how often large ones are tuned.

    Attributes:
        fit_steps: of Muon, for each of a small field's networks; fewer for many parameters a pixel (see `tiles`).
        more_ways: in which each network is rounded, beyond those that find the common factor on all steps.
        fine_tunings: of a field that memorises: how many times its quantizer steps may become coarser at most.
        fine_tuning_steps: gradient steps of each of these.
    """

    fit_steps: int
    more_ways: int
    fine_tunings: int
    fine_tuning_steps: int


RECIPES: Mapping[int, Recipe] = MappingProxyType(
    {
        1: Recipe(1200, 0, 0, 0),
        2: Recipe(2400, 0, 2, 10),
        3: Recipe(4500, 2, 4, 15),
        4: Recipe(8000, 4, 8, 20),
        5: Recipe(13_000, 10, 12, 30),
        6: Recipe(20_000, 14, 16, 60),
        7: Recipe(30_000, 20, 20, 120),
        8: Recipe(42_000, 30, 24, 240),
        9: Recipe(60_000, 40, 32, 480),
    }
)
"""By effort, 1 .. 9."""
