"""K-FAC: Gauss-Newton steps with Kronecker-factored curvature (Martens & Grosse 2015), for SIREN.

The Hessian of the squared error of a layer's matrix is close to A x G: A = E[a a^T] of the layer's inputs, with a 1 for
the bias, and G = E[g g^T] of the outputs' derivatives with respect to what goes into its sine. Both come from a share
of the pixels, afresh in every step, so they cost a tenth of a gradient; solving with them takes matrices of a layer's
width only. Fits that take Adam hundreds of steps take tens (docs/why/siren.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import OMEGA_0, Siren, lattice_coordinates
from nfcodec.fitting.engines import Engine, Rates, Stats
from nfcodec.workers import Workers, n_threads, single_threaded_blas

Matrix = npt.NDArray[np.float32]

RATE = 0.25
"""Of a Gauss-Newton step."""

MOMENTUM = 0.5
DAMPING, LEAST_DAMPING = 3.2, 0.02
"""Damping times width, at full rate: at the start, and at least."""

EASING, TIGHTENING = 0.9, 4.0
"""Factors on the damping after a step that made the error smaller, and after one that did not."""

SHARE = 16
"""One pixel in so many is looked at for the factors; at least four a neuron."""

KEEP = 0.5
"""Share of the old factors in the new ones."""


PARTS = 8
"""The pixels for the factors are looked at in so many parts, each on one thread."""


@dataclass
class _Factors:
    """Of each layer: A (fan_in + 1, fan_in + 1) and G (fan_out, fan_out)."""

    inputs: list[Matrix]
    outputs: list[Matrix]


class Kfac:
    """The optimiser of a SIREN without a positional encoding; the engine computes its gradients.

    Args:
        gain: mean square of the targets' slope over samples in 0 .. 1; the curvature of all layers but the last grows
            with it, and so does their damping.
    """

    def __init__(self, field: Siren, geometry: Geometry, seed: int, gain: float = 1.0) -> None:
        self._field, self._geometry, self._gain = field, geometry, gain
        self._xs, self._ys = (lattice_coordinates(n).astype(np.float32) for n in (geometry.width, geometry.height))
        self._workers = Workers(min(n_threads(), PARTS))
        self._rng = np.random.default_rng(seed)
        self._names = field.trained
        self.forget()

    def forget(self) -> None:
        """Drop momentum, factors and what is known about the damping, as after a spike."""
        self._ease, self._last_mse = 1.0, math.inf
        self._factors: _Factors | None = None
        self._moves: list[Matrix] | None = None

    def update(self, engine: Engine, rates: Rates, stats: Stats) -> None:
        """One step from the engine's parameters with the gradient it has just computed; `rates.network` is the rate."""
        if self._last_mse < math.inf:
            self._ease = self._ease * EASING if stats.mse < self._last_mse else min(1.0, self._ease * TIGHTENING)
        self._last_mse = stats.mse
        parameters, gradients = engine.parameters(), engine.gradients()
        with single_threaded_blas():
            new = self._sampled_factors(parameters)
        if self._factors is None:
            self._factors = new
        else:
            for old, fresh in zip(self._factors.inputs + self._factors.outputs, new.inputs + new.outputs, strict=True):
                old += (1 - KEEP) * (fresh - old)
        damping = max(DAMPING * self._ease, LEAST_DAMPING) / self._field.width * RATE / rates.network
        factors, moves = self._factors, [np.zeros(0, np.float32)] * len(self._names)

        def solve(worker: int, i: int) -> None:
            name = self._names[i]
            gradient = np.column_stack([gradients[f"weight{name}"], gradients[f"bias{name}"]])
            size = -rates.network * self._geometry.channels / 2
            layer_damping = damping * (1.0 if name == "_out" else self._gain)
            moves[i] = size * _solved(gradient, factors.inputs[i], factors.outputs[i], layer_damping)

        with single_threaded_blas():
            self._workers.run(len(moves), solve)
        if self._moves is not None:
            moves = [MOMENTUM * old + move for old, move in zip(self._moves, moves, strict=True)]
        self._moves = moves
        for name, move in zip(self._names, moves, strict=True):
            parameters[f"weight{name}"] += move[:, :-1]
            parameters[f"bias{name}"] += move[:, -1]
        engine.restore(parameters)

    def _sampled_factors(self, parameters: Parameters) -> _Factors:
        """A and G from random pixels, some at a time."""
        n_pixels = self._geometry.n_pixels
        n = min(n_pixels, max(n_pixels // SHARE, 4 * self._field.width))
        pixels = np.array_split(self._rng.integers(0, n_pixels, n), PARTS)
        signs = np.array_split(self._rng.choice(np.array([-1, 1], np.float32), (n, self._geometry.channels)), PARTS)
        parts = [_Factors([], [])] * PARTS

        def moments(worker: int, i: int) -> None:
            parts[i] = self._moments(parameters, pixels[i], signs[i])

        self._workers.run(PARTS, moments)
        scale = 1 / n
        inputs = [scale * _total(each) for each in zip(*(part.inputs for part in parts), strict=True)]
        outputs = [scale * _total(each) for each in zip(*(part.outputs for part in parts), strict=True)]
        outputs.append(np.eye(self._geometry.channels, dtype=np.float32))
        return _Factors(inputs, outputs)

    def _moments(self, parameters: Parameters, pixels: npt.NDArray[np.int64], signs: Matrix) -> _Factors:
        """Sums of a a^T and of g g^T over pixels; G from the derivatives of randomly signed outputs."""
        width = self._geometry.width
        x: Matrix = np.stack([self._xs[pixels % width], self._ys[pixels // width]], 1)
        inputs, cosines = [_with_ones(x)], list[Matrix]()
        for name in self._names[:-1]:
            z = OMEGA_0 * np.asarray(x @ parameters[f"weight{name}"].T + parameters[f"bias{name}"], np.float32)
            cosines.append(np.cos(z))
            x = np.sin(z)
            inputs.append(_with_ones(x))
        outputs, d = list[Matrix](), signs
        for name, cosine in zip(self._names[:0:-1], cosines[::-1], strict=True):
            d = (d @ parameters[f"weight{name}"]) * cosine * OMEGA_0
            outputs.append(d)
        return _Factors([a.T @ a for a in inputs], [g.T @ g for g in outputs[::-1]])


def _total(parts: Sequence[Matrix]) -> Matrix:
    return np.asarray(np.sum(parts, axis=0), np.float32)


def _with_ones(rows: Matrix) -> Matrix:
    return np.column_stack([rows, np.ones(len(rows), np.float32)])


def _solved(gradient: Matrix, a: Matrix, g: Matrix, damping: float) -> Matrix:
    """(G + damping / r)^-1 gradient (A + damping r)^-1; r splits the square root of the damping by mean eigenvalue."""
    root = math.sqrt(damping)
    ratio = math.sqrt(float(np.trace(a)) / len(a) / max(float(np.trace(g)) / len(g), 1e-30))
    left: Matrix = np.linalg.solve(_damped(g, root / ratio), gradient)
    solved: Matrix = np.linalg.solve(_damped(a, root * ratio), np.transpose(left))
    return np.transpose(solved)


def _damped(matrix: Matrix, damping: float) -> Matrix:
    damped: Matrix = np.array(matrix)
    damped[np.diag_indices(len(damped))] += damping
    return damped
