"""The file's own layer behind the filters that ship with the package, by least squares.

The filters (nfcodec.fields.wavelet.filters) respond to what quantization did to the values that coefficients make. One
matrix a file maps the responses to what is missing; it costs a few hundred bytes, so how many filters are used depends
on what they gain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nfcodec.exact.arithmetic import OUTPUT_UNIT, Quantized, Step
from nfcodec.fields.wavelet.filters import WEIGHT_BITS, filters, neighbourhoods
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fields.wavelet.rate import Floats
from nfcodec.fields.wavelet.transform import synthesis
from nfcodec.fitting.problem import Weights
from nfcodec.workers import Workers, n_threads, single_threaded_blas

TILE_PIXELS = 8192
RIDGE = 1e-4
"""Relative to the mean energy of the responses."""

ROUNDING_SHARE = 0.02
"""Of what the layer gains, so much may be lost by rounding it."""

BITS_PER_DB = 0.2
"""log2 of a file's size over its PSNR, about."""

BITS_PER_WEIGHT = 6

PIXELS_PER_FILTER = 100
"""With fewer, what a layer gains on the coefficients of a first quantization is not there on those of the next."""

MOST_GAIN_DB = 3.0


@dataclass(frozen=True)
class Filtered:
    """A field to fit and its linear part, which alone gradient steps and weighing change; the filters follow.

    Attributes:
        linear: to fit the field without filters.
        n_filters: 0 for none, so that the field is its linear part.
    """

    linear: WaveletProblem
    n_filters: int = 0

    @classmethod
    def of(cls, problem: WaveletProblem) -> Filtered:
        """To fit a field with or without filters."""
        n_filters = problem.field.n_filters
        return cls(replace(problem, field=replace(problem.field, n_filters=0)) if n_filters else problem, n_filters)

    @cached_property
    def problem(self) -> WaveletProblem:
        """To fit the whole field."""
        if not self.n_filters:
            return self.linear
        return replace(self.linear, field=replace(self.linear.field, n_filters=self.n_filters))

    def renewed(self, weights: Weights) -> Weights:
        """The weights of the linear part, and the layer behind the filters that suits them, rounded."""
        if not self.n_filters:
            return weights
        step, bias = weights["level0"].step.value, weights["bias_out"]
        moments = Moments.of(self.linear, weights, self.n_filters)
        layer, left = moments.solve(self.n_filters)
        energies = moments.responses.diagonal()[:-1]
        allowed = ROUNDING_SHARE * max(moments.energy - left, 1e-6 * moments.energy)
        rounding = math.sqrt(12 * allowed / max(1e-30, self.linear.geometry.channels * float(energies.sum())))
        weight_step = Step.nearest(rounding / step)
        symbols = np.round(np.transpose(layer[:-1]) / (step * weight_step.value)).astype(np.int64)
        shift = np.round(np.asarray(layer[-1]) / bias.step.value).astype(np.int64)
        return {
            "level0": weights["level0"],
            "skip": weights["skip"],
            "weight1": Quantized(symbols, weight_step),
            "bias_out": Quantized(bias.symbols + shift, bias.step),
        }

    def rest(self, weights: Weights) -> WaveletProblem:
        """What is left for the linear part to fit, if the filters' effect stays what it is with these weights."""
        if not self.n_filters:
            return self.linear
        return replace(self.linear, held=self.problem.field.filters_alone(self.linear.geometry, weights))


@dataclass(frozen=True)
class Moments:
    """Of the responses (and of 1, the last of them) and what is missing, as means over pixels.

    Attributes:
        responses: (n + 1, n + 1); missing: (n + 1, C), with the responses; energy: of what is missing, over channels.
    """

    responses: Floats
    missing: Floats
    energy: float

    @classmethod
    def of(cls, linear: WaveletProblem, weights: Weights, n_filters: int) -> Moments:
        """For a field without filters, in quantized weights."""
        field, geometry, step = linear.field, linear.geometry, weights["level0"].step.value
        rows_of, _ = synthesis(geometry, weights["level0"], field.n_levels)
        kernels, biases = filters()
        used = kernels[:n_filters, :, : geometry.channels].reshape(n_filters, -1)
        matrix = (used * 2.0 ** -(WEIGHT_BITS + 16) / step).astype(np.float32)
        offset = (biases[:n_filters, None] * 2.0**-WEIGHT_BITS).astype(np.float32)
        outputs = field.evaluate(geometry, weights)
        missing = linear.targets - (outputs * OUTPUT_UNIT).astype(np.float32)
        tile_rows = max(1, TILE_PIXELS // geometry.width)
        n_tiles = -(-geometry.height // tile_rows)
        workers = Workers(min(n_threads(), n_tiles))
        sums = np.zeros((workers.n, n_filters + 1, n_filters + 1 + geometry.channels))

        def tile(worker: int, i: int) -> None:
            start, stop = i * tile_rows, min(geometry.height, (i + 1) * tile_rows)
            around = neighbourhoods(rows_of, start, stop, geometry).astype(np.float32)
            response = np.ones((n_filters + 1, around.shape[1]), np.float32)
            np.maximum(matrix @ around + offset, np.float32(0), out=response[:-1])
            here = missing[start * geometry.width : stop * geometry.width]
            sums[worker] += np.matmul(response, np.concatenate([np.transpose(response), here], axis=1))

        with single_threaded_blas():
            workers.run(n_tiles, tile)
        total: Floats = sums.sum(axis=0) / geometry.n_pixels
        energy = float(np.square(missing, dtype=np.float64).sum()) / geometry.n_pixels
        return cls(total[:, : n_filters + 1], total[:, n_filters + 1 :], energy)

    def solve(self, n_filters: int) -> tuple[Floats, float]:
        """The layer of the first so many filters, (n_filters + 1, C), and the energy that it leaves."""
        used = np.r_[:n_filters, len(self.responses) - 1]
        moments, missing = self.responses[np.ix_(used, used)], self.missing[used]
        ridge = RIDGE * moments.trace() / len(used)
        layer: Floats = np.asarray(np.linalg.solve(moments + ridge * np.eye(len(used)), missing), np.float64)
        left = self.energy - 2 * float((layer * missing).sum()) + float((layer * (moments @ layer)).sum())
        return layer, left


def choose(offers: Sequence[Filtered], weights: Weights) -> tuple[Filtered, float]:
    """The field that promises the smallest file, and the dB that its filters gain.

    Args:
        offers: with the same linear part: usually that alone, then fields with more and more filters. Where the first
            has filters, one with filters is asked for, whatever they cost and however few the pixels are.
        weights: of the linear part.
    """
    linear, forced, best, best_gain_db = offers[0].linear, offers[0].n_filters > 0, offers[0], 0.0
    others = [offer for offer in offers if offer.n_filters]
    if not others:
        return best, best_gain_db
    moments = Moments.of(linear, weights, max(offer.n_filters for offer in others))
    n_bytes, saved = linear.estimated_bytes(weights), -math.inf if forced else 0.0
    for offer in others:
        _, left = moments.solve(offer.n_filters)
        if not forced and offer.n_filters * PIXELS_PER_FILTER > linear.geometry.n_pixels:
            continue
        gain_db = 10 * math.log10(moments.energy / left) if 0 < left < moments.energy else 0.0
        gain_db = min(MOST_GAIN_DB, gain_db)
        cost = 4 + offer.n_filters * linear.geometry.channels * BITS_PER_WEIGHT / 8
        saving = n_bytes * (1 - 2 ** (-BITS_PER_DB * gain_db)) - cost
        if saving > saved:
            best, best_gain_db, saved = offer, gain_db, saving
    return best, best_gain_db
