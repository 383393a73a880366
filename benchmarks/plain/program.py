"""Fits in plain PyTorch as a program of the searches, and what the command line has to know of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.paper.programs import Program, Run
from benchmarks.plain import fields, optimisers
from benchmarks.plain.field import Field
from benchmarks.plain.found import named, names
from benchmarks.plain.losses import LOSSES
from benchmarks.plain.optimiser import Optimiser
from benchmarks.plain.protocol import PlainFit, Recipe
from nfcodec.fields import Parameters

FASTER, SLOWER = 5, 7
"""Rates of a grid above and below the one at which a search begins, in powers of two."""


def field_names() -> list[str]:
    """What `--field` takes."""
    return names(fields)


def optimiser_names() -> list[str]:
    """What `--optimiser` takes."""
    return names(optimisers)


def width_of(field: str, side: int, width: int | None) -> int:
    """The width asked for, or what suits the field for a square."""
    return width or named(fields, field, Field).default_width(side)


def first_log2_rate(field: str, optimiser: str, width: int) -> int:
    """log2 of the learning rate at which a search begins."""
    return named(optimisers, optimiser, Optimiser).first_log2_rate(named(fields, field, Field), width)


def log2_rates(first: int) -> tuple[int, ...]:
    """A grid of learning rates around the first one, high ones first."""
    return tuple(range(first + FASTER, first - SLOWER - 1, -1))


class PlainProgram(Program):
    """Fits in turn.

    Args:
        field, optimiser, loss: by name.
    """

    def __init__(
        self, field: str, optimiser: str, loss: str, width: int, runs: Sequence[Run], seed: int = 0, device: str = "cpu"
    ) -> None:
        recipe = Recipe(named(fields, field, Field), named(optimisers, optimiser, Optimiser), LOSSES[loss], width)
        self._fits = [PlainFit(run.arm, recipe, run.rate, seed, device) for run in runs]

    @property
    def seconds(self) -> list[float]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return [each.seconds for each in self._fits]

    def psnrs(self, alive: Sequence[int]) -> list[float]:
        return [self._fits[run].psnr_db() for run in alive]

    def update(self, alive: Sequence[int]) -> None:
        for run in alive:
            self._fits[run].update()

    def parameters(self, run: int) -> Parameters:
        return self._fits[run].parameters()

    def restore(self, run: int, parameters: Parameters) -> None:
        self._fits[run].restore(parameters)

    def outputs(self, run: int) -> npt.NDArray[np.float32]:
        return self._fits[run].outputs()
