"""Which random starts of the field of grids end lowest on photographs.

How far a fit gets depends on its start by a few per cent, and much of that is common to all photographs. So the ones
that did best on crops of some are those that a fit begins with (nfcodec.fields.grid.start).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.training.crops import crops
from nfcodec.fields import Geometry, Grid
from nfcodec.fields.grid import Descent, GridProgram, gain_of, grid_start, soft_iteration
from nfcodec.workers import Workers, n_threads

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Ranked:
    """A seed, and by how much the logarithm of its loss is over the mean of all seeds, with the error of that mean."""

    seed: int
    excess: float
    error: float


def ranked(
    folders: Sequence[Path], n_seeds: int, n_crops: int, side: int, n_steps: int, price: float, *, gray: bool = False
) -> list[Ranked]:
    """Seeds 0 .. n_seeds - 1, the best first.

    Args:
        folders: of PNG files, of which random crops are fitted.
        side: of the crops.
        price: lambda, of bits a pixel, beside the mean squared error of samples in 0 .. 1.
        gray: whether the mean of the channels is fitted.
    """
    pictures = crops(folders, n_crops, side, np.random.default_rng(0))
    targets = [_target(crop.mean(axis=2, keepdims=True) if gray else crop) for crop in pictures]
    found = np.array([[_loss(target, seed, n_steps, price) for seed in range(n_seeds)] for target in targets])
    excess = found - found.mean(axis=1, keepdims=True)
    errors = excess.std(axis=0, ddof=1) / math.sqrt(n_crops) if n_crops > 1 else np.full(n_seeds, np.nan)
    rows = zip(range(n_seeds), excess.mean(axis=0).tolist(), errors.tolist(), strict=True)
    return sorted((Ranked(*each) for each in rows), key=lambda each: each.excess)


def _target(crop: npt.NDArray[Any]) -> Floats:
    return np.ascontiguousarray(np.moveaxis(crop, 2, 0) / 255, np.float32)


def _loss(target: Floats, seed: int, n_steps: int, price: float) -> float:
    """The logarithm of what a fit with a constant lambda ends at, on rounded latents."""
    channels, height, width = target.shape
    field, geometry = Grid(), Geometry(height, width, channels)
    program = GridProgram(field, geometry, target, None, Workers(n_threads()))
    low, high = target.min(axis=(1, 2)), target.max(axis=(1, 2))
    parameters = grid_start(field, geometry, low, high, np.random.default_rng([seed, 0]))
    descent = Descent(program, parameters, gain_of(price), seed)
    for i in range(n_steps):
        descent.step(soft_iteration(price, i / n_steps))
    measured = descent.evaluate()
    return math.log(measured.error + price * measured.bits / geometry.n_pixels)
