"""The analysis that every fit starts from: the picture's colours, and its coefficients, rounded."""

from __future__ import annotations

import math

import numpy as np

from nfcodec.exact.arithmetic import Step
from nfcodec.exact.field import Parameters
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fitting.colours import color_basis
from nfcodec.fitting.problem import Trial
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import land_by_step

DEAD_ZONE = 0.4
"""Magnitudes round up from 1 - this: zeros are cheap."""

STEP_RATIO = 4.5
"""First quantizer step over the root mean squared error that the target allows."""


def start(problem: WaveletProblem, request: Request, coarseness: float = 1.0) -> tuple[Parameters, dict[str, float]]:
    """Parameters of the linear part, rounded, and quantizer steps for all tensors, in the unit of the stored values.

    Args:
        problem: of a field without filters.
        coarseness: factor on the coefficients' quantizer step.
    """
    error = math.sqrt(problem.allowed_mse(request.psnr_db))
    step = Step.nearest(STEP_RATIO * coarseness * error).value
    finest = max(1.0, float(np.abs(problem.targets).max())) * 2.0**-20  # or symbols would not fit
    linear_step = 2.0 ** math.floor(math.log2(max(error / 16, finest)))
    steps = {"level0": step, "skip": linear_step, "bias_out": linear_step}
    mean, axes = color_basis(problem.targets, problem.geometry)
    linear = {"skip": axes.astype(np.float32), "bias_out": mean.astype(np.float32)}
    scaled = problem.coefficients(linear, steps) / step
    level = np.sign(scaled) * np.floor(np.abs(scaled) + DEAD_ZONE) * step
    return {"level0": level.astype(np.float32), **linear}, steps


def analysed(problem: WaveletProblem, request: Request) -> Trial:
    """The coarsest analysis that reaches the target; the closest found if none does.

    Raises FormatError if no steps suit the values.
    """
    return land_by_step(problem, request, lambda coarseness: start(problem, request, coarseness))
