"""Muon: steps along the orthogonal matrix that is nearest to the averaged gradient (Jordan et al. 2024).

All directions in which a layer can change get steps of one size, also those with small gradients. A layer is its
matrix with the bias as one more column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.fitting.engines import Engine, Rates, Stats
from nfcodec.kernels import compiled

Matrix = npt.NDArray[np.floating[Any]]

MOMENTUM = 0.95
SIZE = 0.2
"""Root mean square of a step of a square matrix, at a rate of 1; that of Adam's steps is about as much."""

NEAR_ZERO = 0.1
"""Of a matrix's mean magnitude: weights that small hardly pull on."""

KERNEL = "nfcodec.fields.siren.muon_kernel:step"

ITERATIONS = 5
QUINTIC = np.array([3.4445, -4.775, 2.0315], np.float32)
"""x, x^3 and x^5 of a polynomial that takes singular values of 0.01 to 1 near to 1 if it is applied five times."""


class Muon:
    """The optimiser of a network whose layers have the tensors weight and bias with these endings of their names.

    Attributes:
        price: of a nat for a weight, in the loss. A matrix of n weights takes n ln(m) and something, m being their mean
            magnitude: they are coded by Laplace distributions. The slope is a weight's sign over m, less near 0.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self.price = names, 0.0
        self._step: Callable[..., None] = compiled(KERNEL) or plain_step
        self.forget()

    def forget(self) -> None:
        """Drop the averages, as after a spike."""
        self._averages: dict[str, Matrix] = {}

    def update(self, engine: Engine, rates: Rates, stats: Stats) -> None:
        """One step from the engine's parameters with the gradient it has just computed, at the rate of networks."""
        parameters, gradients = engine.parameters(), engine.gradients()
        for name in self._names:
            weight, bias = parameters[f"weight{name}"], parameters[f"bias{name}"]
            n_out, n_in = weight.shape
            average = self._averages.get(name)
            if average is None:
                average = self._averages[name] = np.zeros((n_out, n_in + 1), np.float32)
            size = rates.network * SIZE * math.sqrt(max(average.shape))
            self._step(
                weight, bias, gradients[f"weight{name}"], gradients[f"bias{name}"], average, np.float32(MOMENTUM),
                np.float32(self.price), np.float32(NEAR_ZERO), QUINTIC, ITERATIONS, np.float32(size),
            )  # fmt: skip
        engine.restore(parameters)


def plain_step(
    weight: Matrix, bias: Matrix, g_weight: Matrix, g_bias: Matrix, average: Matrix, momentum: float,
    price: float, near_zero: float, coefficients: Matrix, n_iterations: int, size: float,
) -> None:  # fmt: skip
    """What the kernel `step` does, by NumPy: four times as slow."""
    mean = max(float(np.abs(weight).mean()), 1e-6)
    gradient: Matrix = np.column_stack([g_weight, g_bias])
    gradient[:, :-1] += price * weight / (mean * (np.abs(weight) + near_zero * mean))
    average += (1 - momentum) * (gradient - average)
    ahead: Matrix = gradient + momentum * (average - gradient)
    x: Matrix = ahead / (float(np.linalg.norm(ahead)) + 1e-30)
    a, b, c = map(float, coefficients)
    for _ in range(n_iterations):
        square: Matrix = np.matmul(x, np.transpose(x))
        x = a * x + np.matmul(b * square + c * np.matmul(square, square), x)
    weight -= size * x[:, :-1]
    bias -= size * x[:, -1]
