"""Targets in 0 .. 1, as the rates and schedules of a fit of grids expect them, and what their errors count for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nfcodec.exact.arithmetic import OUTPUT_UNIT
from nfcodec.exact.field import FloatArray
from nfcodec.fields.grid.program import Measured
from nfcodec.fitting.problem import Problem
from nfcodec.metrics import squared_error

STRAIGHT = 1e-3
"""By so small a share the squares of a value map's slopes may differ where all errors count for the same."""

HEAVIEST, RATIO = 8.0, 1000.0
"""No error counts for more than so many times the mean: without a bound files are up to a fifth larger (docs/why). Nor
for more than so many times what another one does: where a value map is flat, a decoder clips what lies beyond its end,
and errors there are smaller than slopes say."""


@dataclass(frozen=True)
class Normalised:
    """What a field is fitted to.

    Attributes:
        targets: (C, H, W), those of the picture less `low`, over `range`, for all channels alike.
        weights: of squared errors, (C, H, W), 1 on average; None for ones, and where the value map is straight. Where
            it is flat, a small error of the target is a large one of the sample.
        gain: the mean squared error of the targets, so weighted, over that of the samples, taken as 0 .. 1; about.
    """

    targets: FloatArray
    low: float
    range: float
    weights: FloatArray | None = None
    gain: float = 1.0

    @classmethod
    def of(cls, problem: Problem, psnr_db: float) -> Normalised:
        """The targets of a problem, for a fit to about a PSNR."""
        geometry, flat = problem.geometry, np.transpose(problem.targets)
        low, high = float(flat.min()), float(flat.max())
        scale = (high - low) or 1.0
        shape = geometry.channels, geometry.height, geometry.width
        targets = np.ascontiguousarray((flat - np.float32(low)) / np.float32(scale), np.float32)
        inverse = _inverse_squares_of_slopes(problem, psnr_db)
        if inverse is None:
            return cls(targets.reshape(shape), low, scale, None, problem.gain)
        capped = np.minimum(inverse, min(HEAVIEST * inverse.mean(), RATIO * inverse.min()))
        weights = (capped / capped.mean()).astype(np.float32).reshape(shape)
        return cls(targets.reshape(shape), low, scale, weights, 1 / float(capped.mean()))

    def best_shift(self, picture: FloatArray) -> tuple[FloatArray, float]:
        """What is best added to each channel of a picture, (C,), and by how much that lowers the mean squared error.

        Args:
            picture: (C, H, W), beside the targets.
        """
        missing = self.targets - picture
        if self.weights is None:
            shift = missing.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)
            return shift, float(np.square(shift, dtype=np.float64).mean())
        heavy = self.weights.mean(axis=(1, 2), dtype=np.float64)
        shift = ((self.weights * missing).mean(axis=(1, 2), dtype=np.float64) / heavy).astype(np.float32)
        return shift, float((heavy * np.square(shift, dtype=np.float64)).mean())

    def factor(self, name: str) -> tuple[float, float]:
        """What a parameter of this tensor is multiplied with, and what is added, for a field of the picture itself."""
        if name == "scale":
            return self.range, 0.0
        return (self.range, self.low) if name == "offset" else (1.0, 0.0)


def allowed_error(problem: Problem, normalised: Normalised, psnr_db: float) -> float:
    """The mean squared error of normalised targets at a PSNR, about."""
    return problem.allowed_mse(psnr_db) / problem.gain * normalised.gain / normalised.range**2


def measured_db(
    problem: Problem, normalised: Normalised, measure: Callable[[FloatArray | None], Measured]
) -> tuple[float, Measured]:
    """The PSNR of the samples, about, and the measures.

    Args:
        measure: `measure` of a program, or `evaluate` of a descent.
    """
    if normalised.weights is None:
        found = measure(None)
        of_samples = found.error * normalised.range**2 / normalised.gain * problem.peak**2 + 1 / 12
        return problem.psnr_db(of_samples * problem.samples.size), found
    picture = np.empty_like(normalised.targets)  # the error says too little where it counts for more in some places
    found = measure(picture)
    values = np.transpose(picture.reshape(len(picture), -1)) * normalised.range + normalised.low
    samples = problem.decoded(np.floor(values / OUTPUT_UNIT + 0.5).astype(np.int64))
    return problem.psnr_db(squared_error(samples, problem.samples)), found


def _inverse_squares_of_slopes(problem: Problem, psnr_db: float) -> FloatArray | None:
    """What a squared error of a target is in its sample, (C, H * W); None if it is the same for all, about.

    Slopes are those between samples that are as far from each other as errors are.
    """
    peak, targets = problem.peak, np.asarray(problem.value_map.targets, np.float64)
    apart = max(1, round(peak * 10 ** (-psnr_db / 20)))
    places = np.arange(peak + 1)
    below, above = np.maximum(places - apart, 0), np.minimum(places + apart, peak)
    squares = ((targets[:, above] - targets[:, below]) * peak / (above - below)) ** 2
    if squares.max() <= (1 + STRAIGHT) * squares.min():
        return None
    inverse = 1 / np.maximum(squares, np.finfo(np.float32).tiny)
    return np.stack([inverse[channel, problem.samples[:, channel]] for channel in range(len(inverse))])
