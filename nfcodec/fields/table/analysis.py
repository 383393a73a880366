"""The start of a fit of levels: a closed-loop Laplacian analysis of the picture instead of zeros.

Each level, from coarse to fine, holds what the quantized coarser ones left over, in an orthonormal colour basis, so
that one quantizer step serves all features. Of a table, which has one level, the analysis is the fit.
"""

from __future__ import annotations

import math

import numpy as np

from nfcodec.exact.arithmetic import Step
from nfcodec.exact.field import Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.table.field import LevelsField
from nfcodec.fields.table.levels import DenseLevel
from nfcodec.fitting.colours import Image, color_basis
from nfcodec.fitting.problem import Problem
from nfcodec.fitting.request import Request
from nfcodec.fitting.starts import uniform_start

STEP_RATIO = 3.4
"""Quantizer step over the root mean squared error that the target allows (sqrt 12 for a uniform error)."""


def start(
    field: LevelsField, problem: Problem, request: Request, coarseness: float = 1.0
) -> tuple[Parameters, dict[str, float]]:
    """Parameters by analysis, and quantizer steps for all tensors, in the unit of the stored values.

    Args:
        field: the problem's.
        coarseness: factor on the step of the levels.
    """
    error = math.sqrt(problem.allowed_mse(request.psnr_db))
    step = Step.nearest(STEP_RATIO * coarseness * error).value
    finest = max(1.0, float(np.abs(problem.targets).max())) * 2.0**-22  # or symbols would not fit
    network_step = 2.0 ** math.floor(math.log2(max(error / 16, finest)))
    layout = field.layout(problem.geometry)
    steps = {tensor.name: step if tensor.is_spatial else network_step for tensor in layout}
    return _analysed(field, problem, step, uniform_start(layout, request.seed)), steps


def _analysed(field: LevelsField, problem: Problem, step: float, parameters: Parameters) -> Parameters:
    """Parameters whose levels and linear map reproduce the targets to within the quantizer step.

    Args:
        step: of every level, in the unit of the targets.
        parameters: initial values of the other tensors.
    """
    geometry, channels = problem.geometry, problem.geometry.channels
    mean, axes = color_basis(problem.targets, geometry)
    left = ((problem.targets - mean) @ axes).reshape(geometry.height, geometry.width, channels)
    found, levels = dict(parameters), field.levels(channels)
    for i, level in enumerate(levels):
        table = _block_means(left, level.log2_stride)
        if i < len(levels) - 1:
            table = np.round(table / step) * step
            left -= interpolate(level, table, geometry)
        found[f"level{i}"] = table.astype(np.float32)
    found["skip"] = np.tile(axes, len(levels)).astype(np.float32)
    if field.hidden_widths:  # the network adds nothing yet
        last = f"weight{len(field.hidden_widths)}"
        found[last] = np.zeros_like(parameters[last])
    found["bias_out"] = mean.astype(np.float32)
    return found


def interpolate(level: DenseLevel, table: Image, geometry: Geometry) -> Image:
    """Bilinear interpolation of a table (rows, cols, F) to (H, W, F)."""
    y, x = level.axis(geometry.height), level.axis(geometry.width)
    fy, fx = (y.fraction / (1 << y.bits))[:, None, None], (x.fraction / (1 << x.bits))[:, None]
    band = table[y.low] * (1 - fy) + table[y.high] * fy
    return band[:, x.low] * (1 - fx) + band[:, x.high] * fx


def _block_means(image: Image, log2_stride: int) -> Image:
    """Means over blocks of 2^log2_stride, edges repeated."""
    block = 1 << log2_stride
    rows, cols = -(-image.shape[0] // block), -(-image.shape[1] // block)
    padded = np.pad(image, ((0, rows * block - image.shape[0]), (0, cols * block - image.shape[1]), (0, 0)), "edge")
    return padded.reshape(rows, block, cols, block, -1).mean(axis=(1, 3))
