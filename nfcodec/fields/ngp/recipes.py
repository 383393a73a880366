"""What Instant-NGP spends at each effort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nfcodec.fitting.rate_control import Steering

SOFT = Steering(softness=(0.3, 0.12), interval=5, gain=0.3, hold=0.4, floor=0.02)
HARD = Steering(softness=(0.12, 0.05), interval=5, gain=0.2, floor=0.02)


@dataclass(frozen=True)
class Recipe:
    """How a field is fitted. Phases follow each other, each with gradient steps of its own.

    Attributes:
        sparse_steps: on error and bits of real entries, after the fit to the PSNR.
        soft_steps: the same through a quantizer of the entries that hardens.
        hard_steps: the same with the network's weights on their steps.
        fit_rate: of Adam in the fit to the PSNR, for tables; network_rate: for the network, in all phases.
        sparse_rate, soft_rate, hard_rate: for tables, in quantizer steps, in the other phases.
        sparse_weight, soft_weight: lambda over the mean squared error that the target allows, in the phase of that
            name; in the latter and after it lambda is steered.
        soft, hard: how.
    """

    sparse_steps: int
    soft_steps: int
    hard_steps: int
    fit_rate: float = 2.0**-5
    network_rate: float = 2.0**-8.5
    sparse_rate: float = 1.0
    soft_rate: float = 0.08
    hard_rate: float = 0.02
    sparse_weight: float = 4.0
    soft_weight: float = 2.0
    soft: Steering = SOFT
    hard: Steering = HARD

    @property
    def n_steps(self) -> int:
        """Of the phases after the fit to the PSNR, if the last one need not be repeated."""
        return self.sparse_steps + self.soft_steps + self.hard_steps


RECIPES: Mapping[int, Recipe] = MappingProxyType(
    {
        1: Recipe(60, 120, 40),
        2: Recipe(100, 200, 60),
        3: Recipe(200, 350, 100),
        4: Recipe(300, 600, 150),
        5: Recipe(500, 1000, 250),
        6: Recipe(800, 2000, 400),
        7: Recipe(1200, 4000, 600),
        8: Recipe(2000, 8000, 1000),
        9: Recipe(3000, 16000, 2000),
    }
)
"""By effort, 1 .. 9."""
