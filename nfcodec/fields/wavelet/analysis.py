"""The analysis that every fit starts from: the picture's colours, and its coefficients, rounded."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL, Quantized, Step
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fitting.colours import color_basis
from nfcodec.fitting.problem import Trial, Weights, quantized
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import land_by_step

DEAD_ZONE = 0.4
"""Magnitudes round up from 1 - this: zeros are cheap."""

STEP_RATIO = 4.5
"""First quantizer step over the root mean squared error that the target allows."""


class Analysis:
    """A picture's colours, rounded, and its coefficients through them.

    Args:
        problem: of a field without filters.
    """

    def __init__(self, problem: WaveletProblem, request: Request) -> None:
        error = math.sqrt(problem.allowed_mse(request.psnr_db))
        self._step = Step.nearest(STEP_RATIO * error).value
        targets = problem.tile_targets(slice(None))
        finest = max(1.0, float(targets.max()), -float(targets.min())) * 2.0**-20  # or symbols would not fit
        linear_step = 2.0 ** math.floor(math.log2(max(error / 16, finest)))
        mean, axes = color_basis(targets, problem.geometry)
        parameters = {"skip": axes.astype(np.float32), "bias_out": mean.astype(np.float32)}
        self._linear = {name: quantized(values, linear_step) for name, values in parameters.items()}
        del targets
        self._coefficients = problem.coefficients(self._linear)

    def weights(self, coarseness: float = 1.0) -> Weights:
        """Quantized weights, all symbols' magnitudes rounded up from 1 - `DEAD_ZONE`.

        Args:
            coarseness: factor on the coefficients' quantizer step.

        Raises:
            FormatError: symbols would be larger than a file can hold.
        """
        step = Step.nearest(self._step * coarseness)
        scaled = self._coefficients / np.float32(step.value)
        negative = scaled < 0
        np.abs(scaled, out=scaled)
        scaled += np.float32(DEAD_ZONE)
        if not scaled.max() < MAX_SYMBOL:
            raise FormatError("a coefficient has more quantizer steps than a file can hold")
        symbols = scaled.astype(np.int32, order="K")
        np.negative(symbols, out=symbols, where=negative)
        return {"level0": Quantized(symbols, step), **self._linear}


def analysed(problem: WaveletProblem, request: Request) -> Trial:
    """The coarsest analysis that reaches the target; the closest found if none does.

    Raises FormatError if no steps suit the values.
    """
    analysis = Analysis(problem, request)

    def nearly(exponent: float) -> _Guess:
        return _Guess(exponent, problem.near_psnr_db(analysis.weights(2.0**exponent)))

    def exactly(exponent: float) -> Trial:
        return problem.trial(analysis.weights(2.0**exponent))

    found = land_by_step(request, nearly)
    trial = exactly(found.exponent)
    return trial if trial.psnr_db >= request.psnr_db else land_by_step(request, exactly, found.exponent)


@dataclass(frozen=True)
class _Guess:
    """What about comes of a factor 2^exponent on the quantizer step."""

    exponent: float
    psnr_db: float
