"""What there is to fit: a field, a lattice, target values, and how outputs become samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nfcodec.coding.payload import encode_payload, estimate_payload
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL, Quantized, Step
from nfcodec.exact.field import Field, Parameters
from nfcodec.exact.geometry import Geometry, Place, part_of
from nfcodec.exact.part import Part, Symbols
from nfcodec.fitting.picture import Picture
from nfcodec.lazy import kept
from nfcodec.metrics import squared_error
from nfcodec.raster import Samples
from nfcodec.transforms import ValueMap

if TYPE_CHECKING:
    from typing_extensions import Self


Weights = Mapping[str, Quantized]
"""Quantized parameters by the names of their tensors."""


@dataclass(frozen=True)
class Trial:
    """Quantized weights, the samples that a decoder gets from them, (H * W, C), still permuted, and their PSNR."""

    weights: Weights
    samples: Samples
    psnr_db: float


@dataclass(frozen=True)
class Problem:
    """Fit a field to a transformed picture.

    Attributes:
        samples: (H * W, C) integers, after the chain's permutations.
        value_map: the chain's value maps, or what stands for them where the field holds samples.
    """

    field: Field
    geometry: Geometry
    samples: Samples
    value_map: ValueMap

    @classmethod
    def of(cls, picture: Picture, field: Field) -> Self:
        """Fit a field to a picture."""
        return cls(field, picture.geometry, picture.samples, picture.value_map_of(field))

    def part(self, place: Place, field: Field) -> Self:
        """Fit another field to a rectangle of the picture."""
        geometry = self.geometry
        picture = self.samples.reshape(geometry.height, geometry.width, geometry.channels)
        samples = np.ascontiguousarray(picture[place]).reshape(-1, geometry.channels)
        return replace(self, field=field, geometry=part_of(geometry, place), samples=samples)

    def parts(self, order: int, weights: Weights) -> list[Part]:
        """How a payload holds weights in one of the field's orders; families that tell their parts more override it."""
        return self.field.parts(self.geometry, order)

    def payload(self, weights: Weights) -> bytes:
        """The weights as a file holds them, in the order that suits them best."""
        symbols, steps = _symbols(weights), _steps(weights)
        orders = self.field.orders(self.geometry, symbols)
        return min((encode_payload(order, self.parts(order, weights), symbols, steps) for order in orders), key=len)

    def estimated_bytes(self, weights: Weights) -> float:
        """The size of `payload`, without making it."""
        symbols, steps = _symbols(weights), _steps(weights)
        orders = self.field.orders(self.geometry, symbols)
        return min(estimate_payload(order, self.parts(order, weights), symbols, steps) for order in orders)

    @kept
    def targets(self) -> npt.NDArray[np.float32]:
        """(H * W, C): the values that `field` should take."""
        return self.value_map.to_targets(self.samples, np.float32)

    @kept
    def gain(self) -> float:
        """Mean square of the value map's slope over the picture's samples, these taken as 0 .. 1; 1 if it is flat."""
        slopes = np.diff(self.value_map.targets, axis=1) * self.peak
        columns = np.transpose(self.samples)
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

    def trial(self, weights: Weights) -> Trial:
        """What a decoder makes of these weights. Raises FormatError if they would overflow."""
        samples = np.empty_like(self.samples)

        def take(pixels: slice, outputs: npt.NDArray[np.int64]) -> None:
            samples[pixels] = self.value_map.to_samples(outputs)

        self.field.evaluate_tiles(self.geometry, weights, take)
        return self.trial_with(weights, samples)

    def trial_of(self, weights: Weights, outputs: npt.NDArray[np.int64]) -> Trial:
        """The same, from the exact outputs of `field`."""
        return self.trial_with(weights, self.decoded(outputs))

    def decoded(self, outputs: npt.NDArray[np.int64]) -> Samples:
        """The samples that a decoder makes of the exact outputs of `field`, (H * W, C)."""
        return self.value_map.to_samples(outputs)

    def trial_with(self, weights: Weights, samples: Samples) -> Trial:
        """The same, from the samples."""
        return Trial(weights, samples, self.psnr_db(squared_error(samples, self.samples)))

    def exact_psnr_db(self, weights: Weights) -> float:
        """The PSNR that a decoder gets from these weights. Raises FormatError if they would overflow."""
        return self.trial(weights).psnr_db


def quantize(problem: Problem, parameters: Parameters, steps: Mapping[str, float]) -> dict[str, Quantized]:
    """Round parameters to the representable steps nearest to `steps` (in the unit of the stored values).

    Raises FormatError if a symbol would be larger than a file can hold.
    """
    weights: dict[str, Quantized] = {}
    for tensor in problem.field.layout(problem.geometry):
        weights[tensor.name] = quantized(parameters[tensor.name], steps[tensor.name], tensor.unit)
    return weights


def quantized(values: npt.NDArray[np.float32], step: float, unit: float = 1.0) -> Quantized:
    """Round a tensor's values times `unit` to multiples of the representable step nearest to `step`.

    Raises FormatError if a symbol would be larger than a file can hold.
    """
    nearest = Step.nearest(step)
    symbols = values.astype(np.float64)
    symbols *= unit
    symbols /= nearest.value
    np.round(symbols, out=symbols)
    if not np.all(np.abs(symbols) <= MAX_SYMBOL):
        raise FormatError("a parameter has more quantizer steps than a file can hold")
    return Quantized(symbols.astype(np.int64), nearest)


def _symbols(weights: Weights) -> Symbols:
    return {name: weight.symbols for name, weight in weights.items()}


def _steps(weights: Weights) -> Mapping[str, Step]:
    return {name: weight.step for name, weight in weights.items()}
