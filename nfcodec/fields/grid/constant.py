"""The smallest file of the family: one colour, where that is all that a target asks for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import OUTPUT_UNIT, Quantized, Step
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.synthesis import UNIT_STEP
from nfcodec.fields.grid.tables import SMALLEST_LOG2
from nfcodec.fitting.problem import Problem, Trial, Weights, quantized
from nfcodec.metrics import squared_error
from nfcodec.raster import Samples

SMALLEST = Grid(n_levels=1, n_hyper=0, n_neighbours=1, n_mapped=0, n_hidden=1)
"""The field with the fewest parameters."""

FINEST_BITS = 22
"""The colour's quantizer step is never finer than so many bits below its largest value."""


def one_colour(problem: Problem, psnr_db: float) -> Trial | None:
    """All latents and weights 0 but for the offsets, on the coarsest step that reaches the PSNR; None if none does."""
    assert isinstance(problem.field, Grid)
    samples = problem.samples
    mean = np.empty_like(samples[0])
    mean[:] = np.round(np.mean(samples, axis=0, dtype=np.float64))
    if _psnr_db(problem, mean) < psnr_db:
        return None
    colour = problem.value_map.to_targets(mean, np.float32)
    largest = float(np.abs(colour).max()) or 1.0
    for bits in range(FINEST_BITS):
        offset = quantized(colour, largest / 2**bits)
        if _psnr_db(problem, problem.value_map.to_samples(_exact(offset))) < psnr_db:
            continue
        try:
            trial = problem.trial(_weights(problem, offset))
        except FormatError:
            return None
        if trial.psnr_db >= psnr_db:
            return trial
    return None


def _psnr_db(problem: Problem, colour: Samples) -> float:
    """Of a picture that is a colour, (C,) or (1, C), all over."""
    shown = np.empty_like(problem.samples)
    shown[:] = colour
    return problem.psnr_db(squared_error(shown, problem.samples))


def _exact(offset: Quantized) -> npt.NDArray[np.int64]:
    """Outputs of the exact decoder, (1, C)."""
    return np.floor(offset.values / OUTPUT_UNIT + 0.5).astype(np.int64)[None]


def _weights(problem: Problem, offset: Quantized) -> Weights:
    """All of a field: 0, narrow distributions of the latents, and the offsets."""
    layout = problem.field.layout(problem.geometry)
    weights = {tensor.name: Quantized(np.zeros(tensor.shape, np.int64), UNIT_STEP) for tensor in layout}
    narrow = weights["entropy_bias"].symbols
    narrow[-1] = -1
    weights["entropy_bias"] = Quantized(narrow, Step.nearest(-SMALLEST_LOG2))
    weights[LATENTS] = Quantized(weights[LATENTS].symbols.astype(np.int32), UNIT_STEP)
    return {**weights, "offset": offset}
