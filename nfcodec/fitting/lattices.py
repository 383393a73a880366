"""Tables whose entries stand for whole samples: lattices of colours, for errors of less than a sample.

Rounding to samples adds a twelfth to any squared error, but to that of a table whose linear map has whole numbers of
samples: near 50 dB at 8 bits that is an eighth of what is allowed. Of all sublattices of Z^3 of an index (how many
colours share an entry), these have the smallest error; found by trying all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.fields import Quantized
from nfcodec.fitting.landing import Weights
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.solution import quantize


@dataclass(frozen=True)
class Lattice:
    """The colours that a table of symbols can have.

    Attributes:
        basis: three colours, in samples; the first is near gray.
        mse: of the samples of colours rounded to it, on average.
    """

    basis: tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]
    mse: float

    @property
    def index(self) -> int:
        """The volume of a cell."""
        return round(abs(float(np.linalg.det(np.array(self.basis)))))


LATTICES = (
    Lattice(((3, 2, 2), (-1, 0, -2), (-2, 1, 2)), 8 / 16),
    Lattice(((3, 2, 1), (-1, 0, -2), (-2, 1, 2)), 26 / 51),
    Lattice(((2, 2, 1), (-2, 1, 2), (-1, -2, 2)), 12 / 21),
    Lattice(((3, 2, 2), (-2, -2, 1), (-2, 1, 2)), 14 / 23),
    Lattice(((3, 2, 1), (-2, 1, 2), (0, -3, 0)), 15 / 24),
    Lattice(((1, 3, 2), (-2, 1, 2), (0, -3, 1)), 16 / 25),
    Lattice(((3, 2, 1), (-3, 1, 0), (-1, 0, -3)), 17 / 26),
    Lattice(((3, 3, 3), (0, 0, 3), (3, 0, 0)), 2 / 3),
    Lattice(((1, 3, 2), (-3, 1, 0), (0, -3, 1)), 20 / 28),
    Lattice(((3, 3, 4), (-3, 0, 1), (-1, 0, -3)), 67 / 90),
    Lattice(((4, 3, 3), (-3, -1, 0), (-2, 3, 0)), 80 / 99),
)
"""From fine to coarse."""

TOLERANCE = 1.04
"""Samples at 0 and at the peak make errors smaller than on average; so a lattice may be that much too coarse."""

CANDIDATES = 2
SYMBOL_STEP, LINEAR_STEP = 2.0**-5, 2.0**-20


def lattice_tables(problem: Problem, psnr_db: float) -> Iterator[Weights]:
    """Tables on the coarsest lattices that may reach the target, if they suit it.

    Their symbols are close to the picture's, but not always the closest.
    """
    slopes = np.diff(problem.value_map.targets, axis=1)
    allowed = problem.peak**2 * 10 ** (-psnr_db / 10)
    if problem.geometry.channels != 3 or not np.allclose(slopes, slopes[:, :1], rtol=1e-3):
        return
    if not LATTICES[0].mse <= allowed <= TOLERANCE * LATTICES[-1].mse:
        return
    fitting = [lattice for lattice in LATTICES if lattice.mse <= allowed * TOLERANCE]
    for lattice in sorted(fitting, key=lambda each: -each.index)[:CANDIDATES]:
        yield _table(problem, lattice, slopes[:, 0])


def _table(problem: Problem, lattice: Lattice, units: npt.NDArray[np.float64]) -> Weights:
    """Colours rounded in the lattice's basis; units: of the targets, a sample of each channel."""
    columns = np.transpose(np.array(lattice.basis, np.float64))
    origin = np.asarray(np.round(problem.samples.mean(axis=0)), np.int64)
    inverse = np.asarray(np.linalg.inv(columns), np.float64)
    symbols = np.asarray(np.round(np.matmul(problem.samples - origin, np.transpose(inverse))), np.int64)
    parameters = {
        "level0": np.zeros((problem.geometry.height, problem.geometry.width, 3), np.float32),
        "skip": (columns * units[:, None] / SYMBOL_STEP).astype(np.float32),
        "bias_out": problem.value_map.targets[np.arange(3), origin].astype(np.float32),
    }
    steps = {"level0": SYMBOL_STEP, "skip": LINEAR_STEP, "bias_out": LINEAR_STEP}
    weights = quantize(problem, parameters, steps)
    level = Quantized(symbols.reshape(parameters["level0"].shape), weights["level0"].step)
    return {**weights, "level0": level}
