"""What there is to fit to wavelets: coefficients, what the networks predict of them, and what filters leave to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.coding.payload import ANY, estimate_payload
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL, OUTPUT_UNIT, Quantized, Step
from nfcodec.exact.field import Parameters, in_tiles
from nfcodec.exact.part import Part
from nfcodec.fields.wavelet.coding_order import Place, WaveletShape
from nfcodec.fields.wavelet.contexts import Int32Array
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.payload import predict
from nfcodec.fields.wavelet.rate import Priors, Singles, plane_major
from nfcodec.fields.wavelet.transform import (
    GAIN_BITS,
    Band,
    band_gain,
    for_each_band,
    synthesise_floats,
    wavelet_coefficients_of,
)
from nfcodec.fitting.problem import Problem, Weights, quantized
from nfcodec.metrics import squared_error
from nfcodec.workers import single_threaded_blas

TRAINED_REGIMES = (72, 116)
"""Those of quantizer steps from 2^-7 to 2^-1.5: fits of 28 to 50 dB."""


_SCALES = np.exp2(np.arange(-32, 121) / 8).astype(np.float32)
"""Of what the networks tell in eighths of an octave; beyond, the coder has no tables either."""


@dataclass(frozen=True)
class WaveletProblem(Problem):
    """Fit wavelets to a picture.

    What a search asks for again and again is computed in float32, and only nearly what a decoder gets; the names of
    such methods say so. `trial` tells exactly.

    Attributes:
        held: (H * W, C), or None for nothing: nearly the outputs of another part of the field, which stay as they are;
            `field` gives what is added to them.
    """

    field: Wavelet
    held: Singles | None = None

    @property
    def targets(self) -> Singles:  # pyright: ignore[reportIncompatibleVariableOverride]
        """(H * W, C): the values that `field` should take; made anew each time, as they take much memory."""
        return self.tile_targets(slice(None))

    def near_encodings(self, level: Quantized) -> Singles:
        """What the synthesis makes of coefficients, (C, H, W)."""
        symbols, planes = np.moveaxis(level.symbols, 2, 0), self._no_planes()

        def scale(plane: int, band: Band, here: tuple[slice, slice]) -> None:
            factor = np.float32(band_gain(band) / (1 << GAIN_BITS) * level.step.value)
            np.multiply(symbols[plane][here], factor, out=planes[plane][here], casting="same_kind")

        for_each_band(planes.shape, self.field.n_levels, scale)
        synthesise_floats(planes, self.field.n_levels)
        return planes

    def near_outputs(self, weights: Weights) -> Singles:
        """The outputs of `field`, which has no filters, and those held: (H * W, C)."""
        out = np.empty((self.geometry.n_pixels, self.geometry.channels), np.float32)

        def keep(pixels: slice, outputs: Singles) -> None:
            out[pixels] = outputs

        self._each_tile(weights, keep)
        return out

    def near_psnr_db(self, weights: Weights) -> float:
        """The PSNR of these weights, to some thousandths of a dB."""
        errors: list[float] = []

        def add(pixels: slice, outputs: Singles) -> None:
            rounded = np.rint(np.transpose(outputs) * np.float32(1 / OUTPUT_UNIT)).astype(np.int64)
            samples = self.value_map.to_samples(np.transpose(rounded))
            errors.append(squared_error(samples, self.samples[pixels]))

        self._each_tile(weights, add)
        return self.psnr_db(sum(errors))

    def _each_tile(self, weights: Weights, take: Callable[[slice, Singles], object]) -> None:
        planes = self.near_encodings(weights["level0"])
        skip, bias = (weights[name].singles for name in ("skip", "bias_out"))

        def tile(pixels: slice, start: int, stop: int) -> None:
            outputs = np.transpose(skip @ planes[:, start:stop].reshape(len(planes), -1) + bias[:, None])
            take(pixels, outputs if self.held is None else outputs + self.held[pixels])

        with single_threaded_blas():
            in_tiles(self.geometry, tile)

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
        priors = Priors.empty((rows, cols, features))

        def take(place: Place, locations: Int32Array, log_scales: Int32Array) -> None:
            priors.locations[place] = locations * np.float32(1 / 8)
            priors.scales[place] = _SCALES[np.clip(log_scales, -32, 120) + 32]

        predict(shape, self.regime(coefficients.step), coefficients.symbols, take)
        return priors

    def rounded(self, parameters: Parameters, steps: Mapping[str, float]) -> Weights:
        """Parameters of the linear part, rounded to multiples of the representable steps nearest to `steps`.

        Raises FormatError if a symbol would be larger than a file can hold.
        """
        level, step = parameters["level0"], Step.nearest(steps["level0"])
        symbols: npt.NDArray[np.int32] = plane_major(level.shape, np.int32)
        for f in range(level.shape[2]):
            scaled = np.rint(level[..., f] / np.float32(step.value))
            if not max(float(scaled.max()), -float(scaled.min())) <= MAX_SYMBOL:
                raise FormatError("a coefficient has more quantizer steps than a file can hold")
            symbols[..., f] = scaled
        others = {name: quantized(parameters[name], steps[name]) for name in ("skip", "bias_out")}
        return {"level0": Quantized(symbols, step), **others}

    def near_bytes(self, weights: Weights, priors: Priors | None = None) -> float:
        """The size of `payload`, to a few thousandths.

        Args:
            priors: of the coefficients, where they are known.
        """
        level, symbols = weights["level0"], {name: weight.symbols for name, weight in weights.items()}
        *others, _ = self.parts(ANY, weights)
        bits = (priors or self.priors(level)).total_bits(level.symbols)
        return bits / 8 + estimate_payload(ANY, others, symbols)

    def coefficients(self, weights: Weights) -> Singles:
        """The targets' coefficients (H, W, C) through the linear map of these weights."""
        inverse, bias = np.transpose(np.linalg.pinv(weights["skip"].values)), weights["bias_out"].values
        planes, matrix, offset = self._no_planes(), inverse.astype(np.float32), (bias @ inverse).astype(np.float32)

        def tile(pixels: slice, start: int, stop: int) -> None:
            colors = self.tile_targets(pixels) @ matrix
            colors -= offset
            planes[:, start:stop] = np.transpose(colors).reshape(len(planes), stop - start, -1)

        with single_threaded_blas():
            in_tiles(self.geometry, tile)
        return wavelet_coefficients_of(planes, self.field.n_levels)

    def wishes(self, weights: Weights, outputs: Singles | None = None, *, plus_symbols: bool = False) -> Singles:
        """How far each coefficient's symbol is from where the picture wants it, (H, W, C).

        Args:
            outputs: (H * W, C), of these weights and what is held; None for what they nearly are.
            plus_symbols: tell instead where it wants them.
        """
        inverse = np.transpose(np.linalg.pinv(weights["skip"].values)) / weights["level0"].step.value
        planes, matrix, width = self._no_planes(), inverse.astype(np.float32), self.geometry.width

        def take(pixels: slice, outputs: Singles) -> None:
            missing = self.value_map.to_targets(self.samples[pixels], np.float32)
            missing -= outputs
            rows = slice(pixels.start // width, pixels.stop // width)
            planes[:, rows] = np.transpose(missing @ matrix).reshape(len(planes), -1, width)

        if outputs is None:
            self._each_tile(weights, take)
        else:
            take(slice(0, len(outputs)), outputs)
        wishes = wavelet_coefficients_of(planes, self.field.n_levels)
        if plus_symbols:
            wishes += weights["level0"].symbols
        return wishes

    def tile_targets(self, pixels: slice) -> Singles:
        """Those of `targets`, without keeping them all in memory."""
        targets = self.value_map.to_targets(self.samples[pixels], np.float32)
        if self.held is not None:
            targets -= self.held[pixels]
        return targets

    def _no_planes(self) -> Singles:
        return np.empty((self.geometry.channels, self.geometry.height, self.geometry.width), np.float32)
