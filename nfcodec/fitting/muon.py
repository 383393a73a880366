"""Muon: steps along the orthogonal matrix that is nearest to the averaged gradient (Jordan et al. 2024).

All directions in which a layer can change get steps of one size, also those with small gradients. A layer is its
matrix with the bias as one more column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.fitting.engines import Engine, Rates, Stats

Matrix = npt.NDArray[np.floating[Any]]

MOMENTUM = 0.95
SIZE = 0.2
"""Root mean square of a step of a square matrix, at a rate of 1; that of Adam's steps is about as much."""

NEAR_ZERO = 0.1
"""Of a matrix's mean magnitude: weights that small hardly pull on."""

ITERATIONS = 5
QUINTIC = (3.4445, -4.775, 2.0315)
"""x, x^3 and x^5 of a polynomial that takes singular values of 0.01 to 1 near to 1 if it is applied five times."""


class Muon:
    """The optimiser of a network whose layers have the tensors weight and bias with these endings of their names.

    Attributes:
        price: of a nat for a weight, in the loss. A matrix of n weights takes n ln(m) and something, m being their mean
            magnitude: they are coded by Laplace distributions.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self.price = names, 0.0
        self.forget()

    def forget(self) -> None:
        """Drop the averages, as after a spike."""
        self._averages: dict[str, Matrix] = {}

    def update(self, engine: Engine, rates: Rates, stats: Stats) -> None:
        """One step from the engine's parameters with the gradient it has just computed, at the rate of networks."""
        parameters, gradients = engine.parameters(), engine.gradients()
        for name in self._names:
            weight, bias = f"weight{name}", f"bias{name}"
            gradient: Matrix = np.hstack([gradients[weight], gradients[bias][:, None]])
            if self.price:
                gradient[:, :-1] += self.price * slope_of_size(parameters[weight])
            average = self._averages.setdefault(name, np.zeros_like(gradient))
            average += (1 - MOMENTUM) * (gradient - average)
            ahead: Matrix = gradient + MOMENTUM * (average - gradient)
            step = rates.network * SIZE * math.sqrt(max(gradient.shape)) * orthogonalized(ahead)
            parameters[weight] -= step[:, :-1]
            parameters[bias] -= step[:, -1]
        engine.restore(parameters)


def slope_of_size(weights: Matrix) -> Matrix:
    """The gradient of n ln(m), m being the mean magnitude of n weights; smooth where they are nearly zero."""
    magnitudes = np.abs(weights)
    mean = max(float(magnitudes.mean()), 1e-6)
    return weights / (mean * (magnitudes + NEAR_ZERO * mean))


def orthogonalized(matrix: Matrix) -> Matrix:
    """About U V^T of the singular value decomposition U S V^T; by Newton-Schulz iterations."""
    if matrix.shape[0] > matrix.shape[1]:
        return np.transpose(orthogonalized(np.transpose(matrix)))
    a, b, c = QUINTIC
    x = matrix / (float(np.linalg.norm(matrix)) + 1e-30)
    for _ in range(ITERATIONS):
        square: Matrix = np.matmul(x, np.transpose(x))
        x = a * x + np.matmul(b * square + c * np.matmul(square, square), x)
    return x
