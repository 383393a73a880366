"""Rounding a SIREN's weights so that later ones make up for earlier ones (Frantar et al. 2023, GPTQ).

What rounding does to a layer's outputs depends on how its inputs go together. A column of weights is rounded at a time,
and those not yet rounded take over what they can of its error; each layer also answers for what rounding did to the
layers below it. Quantization costs about as much less error as steps 10 % finer would save.

Columns are rounded to symbols whose parities a convolutional code gives (see `coding.matrices`), which costs less error
still. A path goes down each column, so the order of neurons must be known first: they are sorted by their biases, and
these are rounded before all else.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.coding.matrices import COLUMN_CODE
from nfcodec.exact.arithmetic import Quantized
from nfcodec.exact.field import Parameters, Role
from nfcodec.fields.siren.field import OMEGA_0, Siren, lattice_coordinates
from nfcodec.fitting.problem import Problem, quantize
from nfcodec.kernels.paths import has_kernels, kernels, moves

SURVIVORS = 8
"""Ways of rounding a matrix that are followed from column to column."""

STEP = 0.8
"""Of weights whose parities a code gives, over the step that others would have."""

PIXELS = 24_000
PIXELS_PER_NEURON = 16
"""How many pixels the layers are looked at, at most and at least."""

DAMPING = 1e-3
"""Relative to the mean energy of a layer's inputs."""

Matrix = npt.NDArray[np.floating[Any]]
Singles = npt.NDArray[np.float32]


def rounded(
    problem: Problem, parameters: Parameters, steps: Mapping[str, float], seed: int = 0
) -> dict[str, Quantized]:
    """A SIREN's parameters as multiples of `steps` (in the unit of the stored values), neurons in the order of biases.

    Where the kernels are available, matrices have finer steps, and parities that a code gives.

    Raises:
        FormatError: a symbol would be larger than a file can hold.
    """
    field, geometry = problem.field, problem.geometry
    assert isinstance(field, Siren)
    layout = field.layout(geometry)
    factors = {Role.MATRIX: STEP if has_kernels() else 1.0}
    finer = {tensor.name: steps[tensor.name] * factors.get(tensor.role, 1.0) for tensor in layout}
    chosen_steps = {name: weight.step.value for name, weight in quantize(problem, parameters, finer).items()}
    unit = {tensor.name: tensor.unit for tensor in layout}
    n = min(geometry.n_pixels, max(PIXELS, PIXELS_PER_NEURON * max(field.sizes)))
    pixels = np.random.default_rng(seed).choice(geometry.n_pixels, n, replace=False)
    xy = (
        lattice_coordinates(geometry.width)[pixels % geometry.width],
        lattice_coordinates(geometry.height)[pixels // geometry.width],
    )
    meant: Singles = np.stack(xy, 1).astype(np.float32)
    if field.frequencies:
        weight, bias = field.untrained().values()
        meant = np.sin(OMEGA_0 * (np.matmul(meant, np.transpose(weight)) + bias))
    seen = meant
    order = np.asarray(np.arange(meant.shape[1]), np.intp)
    chosen: Parameters = {}
    for name in field.trained:
        weight, bias = f"weight{name}", f"bias{name}"
        layer: Matrix = np.column_stack([parameters[bias], parameters[weight][:, order]]).astype(np.float64)
        step = np.full(layer.shape[1], chosen_steps[weight] / unit[weight])
        step[0] = chosen_steps[bias] / unit[bias]
        meant, inputs = np.matmul(_with_ones(meant), np.transpose(layer.astype(np.float32))), _with_ones(seen)
        layer, order = _rounded_layer(inputs, layer, meant, step, sort=name != field.trained[-1])
        chosen[bias], chosen[weight] = layer[:, 0], layer[:, 1:]
        meant = np.sin(np.float32(OMEGA_0) * meant[:, order])
        seen = np.sin(OMEGA_0 * np.matmul(inputs, np.transpose(layer.astype(np.float32))))
    return quantize(problem, chosen, chosen_steps)


def _rounded_layer(
    inputs: Singles, layer: Matrix, outputs: Singles, step: Matrix, *, sort: bool
) -> tuple[Matrix, npt.NDArray[np.intp]]:
    """A matrix of multiples of a step a column that turns inputs (n, in) into outputs (n, out), about.

    The first column are biases. Also returns the order of the rows: that of the biases, if they are to be sorted.
    """
    moments: Matrix = (np.matmul(np.transpose(inputs), inputs) / len(inputs)).astype(np.float64)
    moments += DAMPING * moments.trace() / len(moments) * np.eye(len(moments))
    short = outputs - np.matmul(inputs, np.transpose(layer.astype(np.float32)))
    missing: Matrix = (np.matmul(np.transpose(inputs), short) / len(inputs)).astype(np.float64)
    wanted: Matrix = layer + np.transpose(np.linalg.solve(moments, missing))
    spread: Matrix = np.transpose(np.linalg.cholesky(np.linalg.inv(moments)))
    biases: Matrix = np.asarray(np.round(wanted[:, 0] / step[0]) * step[0], np.float64)
    order = np.argsort(biases, kind="stable") if sort else np.arange(len(biases))
    left: Matrix = wanted - np.outer((wanted[:, 0] - biases) / spread[0, 0], spread[0])
    columns = _rounded_columns(np.ascontiguousarray(np.transpose(left[order, 1:])), step[1:], spread[1:, 1:])
    return np.column_stack([biases[order], np.transpose(columns)]), order


def _rounded_columns(columns: Matrix, steps: Matrix, spread: Matrix) -> Matrix:
    """Multiples of steps (in,) near to columns (in, out); see the kernel `round_columns` for the arguments."""
    if has_kernels():
        symbols, factor = np.empty(columns.shape, np.int64), np.ascontiguousarray(spread)
        kernels().round_columns(columns, steps, factor, moves(COLUMN_CODE), SURVIVORS, symbols)
        return symbols * steps[:, None]
    left, out = np.array(columns), np.empty_like(columns)
    for i, step in enumerate(steps):
        out[i] = np.round(left[i] / step) * step
        left[i + 1 :] -= np.outer(spread[i, i + 1 :], (left[i] - out[i]) / spread[i, i])
    return out


def _with_ones(rows: Singles) -> Singles:
    return np.column_stack([np.ones(len(rows), np.float32), rows])


def folded(field: Siren, parameters: Parameters) -> Parameters:
    """The same network with all phases of its sine layers within 0 .. 1/4 turn, whose parameters take fewer bits.

    A neuron may change its sign, or its phase by half a turn, if the next layer's weights change sign with it.
    """
    half = math.pi / OMEGA_0
    out = {name: np.array(value) for name, value in parameters.items()}
    for name, following in _layers(field):
        bias = out[f"bias{name}"].astype(np.float64)
        half_turns = np.round(bias / half)
        bias -= half_turns * half
        sign = np.where(bias < 0, -1.0, 1.0)  # sin(-x) = -sin(x)
        out[f"bias{name}"] = np.abs(bias).astype(np.float32)
        out[f"weight{name}"] *= sign[:, None].astype(np.float32)
        out[following] *= (sign * np.where(half_turns % 2 == 0, 1.0, -1.0)).astype(np.float32)
    return out


def _layers(field: Siren) -> list[tuple[str, str]]:
    """For each trained sine layer, the end of its tensors' names, and the name of the matrix that it goes into."""
    return [(end, f"weight{following}") for end, following in itertools.pairwise(field.trained)]
