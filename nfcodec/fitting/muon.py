"""Muon: steps along the orthogonal matrix that is nearest to the averaged gradient (Jordan et al. 2024).

All directions in which a layer can change get steps of one size, also those with small gradients. A layer is its
matrix with the bias as one more column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nfcodec.fitting.engines import Engine

Matrix = npt.NDArray[np.float32]

MOMENTUM = 0.95
SIZE = 0.2
"""Root mean square of a step of a square matrix, at a rate of 1; that of Adam's steps is about as much."""

ITERATIONS = 5
QUINTIC = (3.4445, -4.775, 2.0315)
"""x, x^3 and x^5 of a polynomial that takes singular values of 0.01 to 1 near to 1 if it is applied five times."""


class Muon:
    """The optimiser of a network whose layers have the tensors weight and bias with these endings of their names."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self.forget()

    def forget(self) -> None:
        """Drop the averages, as after a spike."""
        self._averages: dict[str, Matrix] = {}

    def update(self, engine: Engine, rate: float) -> None:
        """One step from the engine's parameters with the gradient it has just computed."""
        parameters, gradients = engine.parameters(), engine.gradients()
        for name in self._names:
            weight, bias = f"weight{name}", f"bias{name}"
            gradient = np.column_stack([gradients[weight], gradients[bias]])
            average = self._averages.setdefault(name, np.zeros_like(gradient))
            average += np.float32(1 - MOMENTUM) * (gradient - average)
            ahead = gradient + np.float32(MOMENTUM) * (average - gradient)
            step = np.float32(rate * SIZE * math.sqrt(max(gradient.shape))) * orthogonalized(ahead)
            parameters[weight] -= step[:, :-1]
            parameters[bias] -= step[:, -1]
        engine.restore(parameters)


def orthogonalized(matrix: Matrix) -> Matrix:
    """About U V^T of the singular value decomposition U S V^T; by Newton-Schulz iterations."""
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / np.float32(np.linalg.norm(x) + 1e-30)
    a, b, c = (np.float32(each) for each in QUINTIC)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * (square @ square)) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T
