"""Rounding a SIREN's weights so that later ones make up for earlier ones (Frantar et al. 2023, GPTQ).

What rounding does to a layer's outputs depends on how its inputs go together. A column of weights is rounded at a time,
and those not yet rounded take over what they can of its error; each layer also answers for what rounding did to the
layers below it. Quantization costs about as much less error as steps 10 % finer would save.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.fields import Parameters, Quantized, Siren
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.solution import quantize

PIXELS = 24_000
PIXELS_PER_NEURON = 16
"""How many pixels the layers are looked at, at most and at least."""

DAMPING = 1e-3
"""Relative to the mean energy of a layer's inputs."""

Matrix = npt.NDArray[np.floating[Any]]


def rounded(
    problem: Problem, parameters: Parameters, steps: Mapping[str, float], seed: int = 0
) -> dict[str, Quantized]:
    """A SIREN's parameters as multiples of `steps` (in the unit of the stored values).

    Raises:
        FormatError: a symbol would be larger than a file can hold.
    """
    spec, geometry = problem.spec, problem.geometry
    assert isinstance(spec, Siren)
    steps = {name: weight.step.value for name, weight in quantize(problem, parameters, steps).items()}
    unit = {tensor.name: tensor.unit for tensor in spec.layout(geometry)}
    n = min(geometry.n_pixels, max(PIXELS, PIXELS_PER_NEURON * max(spec.sizes)))
    pixels = np.random.default_rng(seed).choice(geometry.n_pixels, n, replace=False)
    meant = np.stack([_coordinates(geometry.width)[pixels % geometry.width],
                      _coordinates(geometry.height)[pixels // geometry.width]], 1)  # fmt: skip
    if spec.frequencies:
        weight, bias = (spec.untrained()[name].astype(np.float64) for name in ("weight0", "bias0"))
        meant = np.sin(spec.omega_0 * (np.matmul(meant, np.transpose(weight)) + bias))
    seen, chosen = meant, dict(parameters)
    for name in spec.trained:
        weight, bias = f"weight{name}", f"bias{name}"
        layer: Matrix = np.column_stack([parameters[weight], parameters[bias]]).astype(np.float64)
        meant = np.matmul(_with_ones(meant), np.transpose(layer))
        step = np.full(layer.shape[1], steps[weight] / unit[weight])
        step[-1] = steps[bias] / unit[bias]
        inputs = _with_ones(seen)
        layer = _rounded_layer(inputs, layer, meant, step)
        chosen[weight], chosen[bias] = layer[:, :-1].astype(np.float32), layer[:, -1].astype(np.float32)
        meant, seen = np.sin(spec.omega_0 * meant), np.sin(spec.omega_0 * np.matmul(inputs, np.transpose(layer)))
    return quantize(problem, chosen, steps)


def _rounded_layer(inputs: Matrix, layer: Matrix, outputs: Matrix, step: Matrix) -> Matrix:
    """A matrix of multiples of a step a column that turns inputs (n, in) into outputs (n, out), about."""
    moments: Matrix = np.matmul(np.transpose(inputs), inputs) / len(inputs)
    moments += DAMPING * moments.trace() / len(moments) * np.eye(len(moments))
    missing: Matrix = np.matmul(np.transpose(inputs), outputs - np.matmul(inputs, np.transpose(layer))) / len(inputs)
    change: Matrix = np.linalg.solve(moments, missing)
    order = np.append(np.argsort(-moments.diagonal()[:-1], kind="stable"), len(moments) - 1)
    inverse: Matrix = np.linalg.inv(moments[np.ix_(order, order)])
    spread: Matrix = np.transpose(np.linalg.cholesky(inverse))
    left: Matrix = (layer + np.transpose(change))[:, order]
    out: Matrix = np.empty_like(left)
    for i, column in enumerate(order):
        out[:, column] = np.round(left[:, i] / step[column]) * step[column]
        error: Matrix = (left[:, i] - out[:, column]) / spread[i, i]
        left[:, i + 1 :] -= np.outer(error, spread[i, i + 1 :])
    return out


def _with_ones(rows: Matrix) -> Matrix:
    return np.column_stack([rows, np.ones(len(rows))])


def _coordinates(n: int) -> Matrix:
    return np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
