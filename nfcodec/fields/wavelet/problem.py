"""What there is to fit to wavelets: coefficients, what the networks predict of them, and what filters leave to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import OUTPUT_UNIT, Quantized, Step
from nfcodec.exact.field import Parameters
from nfcodec.exact.part import Part
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.payload import WaveletShape, predictions
from nfcodec.fields.wavelet.rate import Floats, Priors
from nfcodec.fields.wavelet.transform import wavelet_coefficients
from nfcodec.fitting.landing import wishes_of
from nfcodec.fitting.problem import Problem, Weights
from nfcodec.raster import Samples

TRAINED_REGIMES = (72, 116)
"""Those of quantizer steps from 2^-7 to 2^-1.5: fits of 28 to 50 dB."""


@dataclass(frozen=True)
class WaveletProblem(Problem):
    """Fit wavelets to a picture.

    Attributes:
        held: (H * W, C), or None for nothing: outputs of another part of the field, in units of 2^-24, which stay as
            they are; `field` gives what is added to them.
    """

    field: Wavelet
    held: npt.NDArray[np.int64] | None = None

    @cached_property
    def targets(self) -> npt.NDArray[np.float32]:
        """(H * W, C): the values that `field` should take."""
        targets = self.value_map.to_targets(self.samples)
        if self.held is not None:
            targets = targets - self.held * OUTPUT_UNIT
        return targets.astype(np.float32)

    def decoded(self, outputs: npt.NDArray[np.int64]) -> Samples:
        return super().decoded(outputs if self.held is None else outputs + self.held)

    def parts(self, order: int, weights: Weights) -> list[Part]:
        return self.field.parts(self.geometry, order, self.regime(weights["level0"].step))

    def regime(self, step: Step) -> int:
        """What the networks are told of the coefficients' step: 8 log2(step) + 128, for values of 0 .. 1.

        No further than they have been trained: beyond, they would make things up.
        """
        wanted = round(8 * math.log2(step.value / math.sqrt(self.gain))) + 128
        return min(TRAINED_REGIMES[1], max(TRAINED_REGIMES[0], wanted))

    def priors(self, coefficients: Quantized) -> Priors:
        """What the networks predict for each of the coefficients (H, W, F), given those that come before it."""
        rows, cols, features = coefficients.symbols.shape
        shape = WaveletShape(rows, cols, features, self.field.n_levels)
        locations, log_scales = predictions(shape, self.regime(coefficients.step), coefficients.symbols)
        scales = np.exp2(np.clip(log_scales, -32, 120) / 8)
        return Priors((locations / 8).astype(np.float32), scales.astype(np.float32))

    def coefficients(self, parameters: Parameters, steps: Mapping[str, float]) -> Floats:
        """The targets' coefficients (H, W, C) through the linear map as a file with these steps will hold it."""

        def as_stored(name: str) -> Floats:
            return np.asarray(np.round(parameters[name] / steps[name]), np.float64) * steps[name]

        inverse = np.linalg.pinv(as_stored("skip"))
        colors: Floats = np.matmul(self.targets - as_stored("bias_out"), np.transpose(inverse))
        image = colors.reshape(self.geometry.height, self.geometry.width, -1)
        return wavelet_coefficients(image, self.field.n_levels)

    def wishes(self, weights: Weights, outputs: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """How far each coefficient's symbol is from where the picture wants it, (H, W, C).

        Args:
            outputs: (H * W, C), exact, of these weights.
        """
        wishes = wishes_of(self, outputs, weights["level0"], weights["skip"].values)
        return wavelet_coefficients(wishes, self.field.n_levels)
