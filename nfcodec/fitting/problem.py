"""What there is to fit: a field, a lattice, target values, and how outputs become samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nfcodec.fields import OUTPUT_BITS, FieldSpec, Geometry, Quantized
from nfcodec.raster import Samples
from nfcodec.transforms import ValueMap


@dataclass(frozen=True)
class Problem:
    """Fit `spec` to a transformed picture.

    Attributes:
        samples: (H * W, C) integers, after the chain's permutations.
        value_map: the chain's value maps.
    """

    spec: FieldSpec
    geometry: Geometry
    samples: Samples
    value_map: ValueMap

    @cached_property
    def targets(self) -> npt.NDArray[np.float32]:
        """(H * W, C): the values that the field should take."""
        return self.value_map.to_targets(self.samples).astype(np.float32)

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

    def decoded_samples(self, weights: Mapping[str, Quantized]) -> Samples:
        """The samples that a decoder gets from these weights, (H * W, C), still permuted. Raises FormatError."""
        return self.value_map.to_samples(self.spec.evaluate(self.geometry, weights))

    def exact_psnr_db(self, weights: Mapping[str, Quantized]) -> float:
        """The PSNR that a decoder gets from these weights. Raises FormatError if they would overflow."""
        difference = self.decoded_samples(weights).astype(np.int64) - self.samples
        return self.psnr_db(float(np.square(difference).sum()))


OUTPUT_UNIT = 2.0**-OUTPUT_BITS
"""One unit of a field's integer output."""
