"""What tables and pyramids spend at each effort."""

from __future__ import annotations

from dataclasses import dataclass

from nfcodec.fitting.rate_control import Steering

STEERING = Steering(softness=(0.35, 0.08), interval=5, gain=0.3)


@dataclass(frozen=True)
class Recipe:
    """How a table's symbols are chosen, and how a pyramid is fitted.

    Attributes:
        fit_steps: gradient steps of a pyramid with a hidden layer; tables and other pyramids are solved.
        enough: lattices of symbols are tried until a table takes no more than this share of what rounding takes.
            Without a code 3 to 4 % less are usual, so 0.95 says that a code was worth it; 0 tries all lattices.
        grid_rate: learning rate of a pyramid's levels, in quantizer steps; network_rate: of its network.
        last_rate: final factor on both.
        steering: of a pyramid's fit.
    """

    fit_steps: int
    enough: float
    grid_rate: float = 0.08
    network_rate: float = 4e-3
    last_rate: float = 0.02
    steering: Steering = STEERING


RECIPES = {
    1: Recipe(40, 0.95),
    2: Recipe(70, 0.95),
    3: Recipe(120, 0.95),
    4: Recipe(200, 0.95),
    5: Recipe(300, 0.95),
    6: Recipe(600, 0.0),
    7: Recipe(1200, 0.0),
    8: Recipe(2500, 0.0),
    9: Recipe(5000, 0.0),
}
