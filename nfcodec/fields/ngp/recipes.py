"""What Instant-NGP spends at each effort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Recipe:
    """How a field is fitted, and how often it is tuned.

    Attributes:
        fine_tunings: how many times the quantizer steps may become coarser at most.
        fine_tuning_steps: gradient steps of each of these.
        rate: learning rate of Adam, of the tables and of the network; the loop's recovery from spikes makes up for one
            that is too high.
    """

    fine_tunings: int
    fine_tuning_steps: int
    rate: float = 2.0**-6


RECIPES: Mapping[int, Recipe] = MappingProxyType(
    {
        1: Recipe(0, 0),
        2: Recipe(2, 10),
        3: Recipe(4, 15),
        4: Recipe(8, 20),
        5: Recipe(12, 30),
        6: Recipe(16, 60),
        7: Recipe(20, 120),
        8: Recipe(24, 240),
        9: Recipe(32, 480),
    }
)
"""By effort, 1 .. 9."""
