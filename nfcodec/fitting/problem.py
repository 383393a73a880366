"""What there is to fit: a field, a lattice, target values, and how outputs become samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL, OUTPUT_UNIT, Quantized, Step
from nfcodec.exact.field import FieldSpec, Parameters
from nfcodec.exact.geometry import Geometry, Place, part_of
from nfcodec.raster import Samples
from nfcodec.transforms import ValueMap


@dataclass(frozen=True)
class Trial:
    """Quantized weights, the samples that a decoder gets from them, (H * W, C), still permuted, and their PSNR."""

    weights: dict[str, Quantized]
    samples: Samples
    psnr_db: float


@dataclass(frozen=True)
class Problem:
    """Fit `spec` to a transformed picture.

    Attributes:
        samples: (H * W, C) integers, after the chain's permutations.
        value_map: the chain's value maps.
        constant: (H * W, C), or None for nothing: outputs of another part of the field, which is held as it is; `spec`
            gives what is added to them.
    """

    spec: FieldSpec
    geometry: Geometry
    samples: Samples
    value_map: ValueMap
    constant: npt.NDArray[np.int64] | None = field(default=None, kw_only=True)

    def part(self, place: Place, spec: FieldSpec) -> Problem:
        """Fit another field to a rectangle of the picture; the field has no constant part."""
        geometry = self.geometry
        picture = self.samples.reshape(geometry.height, geometry.width, geometry.channels)
        samples = np.ascontiguousarray(picture[place]).reshape(-1, geometry.channels)
        return replace(self, spec=spec, geometry=part_of(geometry, place), samples=samples)

    @cached_property
    def targets(self) -> npt.NDArray[np.float32]:
        """(H * W, C): the values that `spec` should take."""
        targets = self.value_map.to_targets(self.samples)
        if self.constant is not None:
            targets = targets - self.constant * OUTPUT_UNIT
        return targets.astype(np.float32)

    @cached_property
    def gain(self) -> float:
        """Mean square of the value map's slope over the picture's samples, these taken as 0 .. 1; 1 if it is flat."""
        slopes = np.diff(self.value_map.targets, axis=1) * self.peak
        columns = np.transpose(self.samples.astype(np.int64))
        counts = np.stack([np.bincount(column, minlength=self.peak + 1) for column in columns])[:, 1:]
        return float((slopes**2 * counts).sum() / max(1, counts.sum())) or 1.0

    @property
    def peak(self) -> int:
        return self.value_map.thresholds.shape[1]

    def psnr_db(self, squared_error: float) -> float:
        """PSNR for a sum of squared sample errors over all samples; infinite for 0."""
        if squared_error == 0:
            return math.inf
        return 10 * math.log10(self.peak**2 * self.samples.size / squared_error)

    def squared_error(self, psnr_db: float) -> float:
        """The sum of squared sample errors that gives a PSNR."""
        return self.peak**2 * self.samples.size * 10 ** (-psnr_db / 10)

    def allowed_mse(self, psnr_db: float) -> float:
        """The mean squared error in the fitted domain that corresponds to a PSNR of the samples, on average.

        Rounding outputs to samples adds 1/12 to the error of the samples, which the field has to leave room for; an
        error of a twentieth of a sample is as good as none.
        """
        samples_mse = self.peak**2 * 10 ** (-psnr_db / 10)
        return self.gain * max(samples_mse - 1 / 12, samples_mse / 2, 1 / 400) / self.peak**2

    def expected_db(self, mse: float) -> float:
        """The PSNR of the samples for a mean squared error in the fitted domain; the inverse of `allowed_mse`."""
        samples_mse = mse * self.peak**2 / self.gain
        return 10 * math.log10(self.peak**2 / (samples_mse + min(1 / 12, samples_mse)))

    def trial(self, weights: dict[str, Quantized]) -> Trial:
        """What a decoder makes of these weights. Raises FormatError if they would overflow."""
        return self.trial_of(weights, self.spec.evaluate(self.geometry, weights))

    def trial_of(self, weights: dict[str, Quantized], outputs: npt.NDArray[np.int64]) -> Trial:
        """The same, from the exact outputs of `spec`."""
        samples = self.value_map.to_samples(outputs if self.constant is None else outputs + self.constant)
        return self.trial_with(weights, samples)

    def trial_with(self, weights: dict[str, Quantized], samples: Samples) -> Trial:
        """The same, from the samples."""
        difference = samples.astype(np.int32) - self.samples
        return Trial(weights, samples, self.psnr_db(float(np.square(difference, dtype=np.float64).sum())))

    def exact_psnr_db(self, weights: dict[str, Quantized]) -> float:
        """The PSNR that a decoder gets from these weights. Raises FormatError if they would overflow."""
        return self.trial(weights).psnr_db


def quantize(problem: Problem, parameters: Parameters, steps: Mapping[str, float]) -> dict[str, Quantized]:
    """Round parameters to the representable steps nearest to `steps` (in the unit of the stored values).

    Raises FormatError if a symbol would be larger than a file can hold.
    """
    weights: dict[str, Quantized] = {}
    for tensor in problem.spec.layout(problem.geometry):
        step = Step.nearest(steps[tensor.name])
        stored = parameters[tensor.name].astype(np.float64) * tensor.unit
        symbols = np.round(stored / step.value)
        if not np.all(np.abs(symbols) <= MAX_SYMBOL):
            raise FormatError("a parameter has more quantizer steps than a file can hold")
        weights[tensor.name] = Quantized(symbols.astype(np.int64), step)
    return weights
