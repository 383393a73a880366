"""How much an effort does: what comes after the analysis, effort by effort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from nfcodec.fields.wavelet.filters import MAX_FILTERS
from nfcodec.fitting.rate_control import Steering

STEERING = Steering(softness=(0.35, 0.1), interval=10, gain=0.7)


MOST_SAVED = 0.08
"""The share of the bytes of effort 1 that more effort saves, at most: twice what effort 5 saves of kodim05 at 40 dB
(benchmarks/results/speed-codec.jsonl), as pictures differ."""


class Fit(NamedTuple):
    """Gradient steps from the analysis on, and a factor on its quantizer step."""

    steps: int
    coarser: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """What follows the analysis at an effort.

    Attributes:
        fits: one after the other, each from the analysis on; the smallest file wins, the analysis' own included.
        rate, last_rate: learning rate of the coefficients in quantizer steps, and the factor on it at the end.
        coarser: factor on the quantizer step of all fits with filters, as steps and filters together make up for it;
            steps alone do not.
        most_filters: that are considered.
        settlings: how often coefficients are quantized again, with new filters, at most.
        steering: of every fit; predictions and filters are renewed at each of its looks.
    """

    fits: tuple[Fit, ...]
    rate: float = 0.05
    last_rate: float = 0.02
    coarser: float = 1.12
    most_filters: int = MAX_FILTERS
    settlings: int = 3
    steering: Steering = STEERING

    @property
    def n_steps(self) -> int:
        """Gradient steps of all fits."""
        return sum(fit.steps for fit in self.fits)


def _recipes() -> dict[int, Recipe]:
    third = (Fit(60),)
    fits: dict[int, tuple[Fit, ...]] = {1: (), 2: (Fit(30),), 3: third}
    fits[4] = (*third, Fit(150))
    fits[5] = (*third, Fit(300))
    fits[6] = (*fits[5], Fit(300, 0.93))
    fits[7] = (*fits[6], Fit(600))
    fits[8] = (*fits[7], Fit(600, 0.93), Fit(1200))
    fits[9] = (*fits[8], Fit(2400))
    quick = {1: Recipe(fits[1], most_filters=32, settlings=2)}
    return {effort: Recipe(each) for effort, each in fits.items()} | quick


RECIPES: Mapping[int, Recipe] = MappingProxyType(_recipes())
"""By effort, 1 .. 9. More steps do not always make smaller files, so efforts 4 and 5 do what 3 does, too, and from 6 on
each does what the one below does.
"""
