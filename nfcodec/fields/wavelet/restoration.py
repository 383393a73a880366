"""The file's own layer behind the filters that ship with the package, by least squares.

The filters (nfcodec.fields.wavelet.filters) respond to what quantization did to the values that coefficients make. One
matrix a file maps the responses to what is missing; it costs a few hundred bytes, so how many filters are used depends
on what they gain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.field import in_tiles
from nfcodec.fields.wavelet.filters import MAX_FILTERS, WEIGHT_BITS, filters, neighbourhoods
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fields.wavelet.rate import Floats, Singles
from nfcodec.fitting.problem import Weights
from nfcodec.kernels import compiled, flat_in_fours, fours
from nfcodec.lazy import kept
from nfcodec.workers import Workers, n_threads, single_threaded_blas

TILE_PIXELS = 4096
MOMENTS_PIXELS = 200_000
"""So many pixels tell what there is to restore; a quarter of them makes files 0.3 % larger."""

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

KERNEL, REPAYING = "nfcodec.fields.wavelet.restoration_kernels:restore", 200_000
"""The compiled loop over pixels, and samples of a picture whose encoding repays its start."""


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

    @kept
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
        """What is left for the linear part to fit, if the filters' effect nearly stays that of these weights."""
        if not self.n_filters:
            return self.linear
        layer = weights["weight1"].singles
        return replace(self.linear, held=_Responses(self.linear, weights["level0"], self.n_filters).through(layer))


class _Responses:
    """The responses of the first filters to coefficients, in float32."""

    def __init__(self, linear: WaveletProblem, level: Quantized, n_filters: int) -> None:
        self._planes, self._geometry = linear.near_encodings(level), linear.geometry
        kernels, biases = filters()
        used = kernels[:n_filters, :, : self._geometry.channels].reshape(n_filters, -1)
        self._matrix = (used * 2.0**-WEIGHT_BITS).astype(np.float32)
        self._offset = (biases[:n_filters] * (2.0**-WEIGHT_BITS * level.step.value)).astype(np.float32)

    def __call__(self, start: int, stop: int) -> Singles:
        """(n_filters, n) for rows [start, stop) of pixels."""
        response: Singles = self._matrix @ neighbourhoods(self.encoding, start, stop, self._geometry)
        response += self._offset[:, None]
        return np.maximum(response, np.float32(0), out=response)

    def encoding(self, start: int, stop: int) -> Singles:
        """(C, n), what the coefficients make at rows [start, stop) of pixels."""
        return self._planes[:, start:stop].reshape(len(self._planes), -1)

    def through(self, layer: Singles) -> Singles:
        """What a layer (C, n_filters) behind them makes of them, (H * W, C)."""
        out = np.empty((self._geometry.n_pixels, self._geometry.channels), np.float32)
        kernel = compiled(KERNEL, repays=out.size >= REPAYING)
        n_filters, n_inputs = (np.uintp(fours(size)) for size in self._matrix.shape)
        arrays = [flat_in_fours(each) for each in (self._matrix, self._offset, layer)]

        def tile(pixels: slice, start: int, stop: int) -> None:
            if kernel is None:
                np.matmul(np.transpose(self(start, stop)), np.transpose(layer), out=out[pixels])
            else:
                kernel(self._planes, np.uintp(start), np.uintp(stop), n_inputs, n_filters, *arrays, out)

        with single_threaded_blas():
            in_tiles(self._geometry, tile, TILE_PIXELS)
        return out


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
        """For a field without filters, in quantized weights; of tiles all over the picture where it is large."""
        geometry, step = linear.geometry, weights["level0"].step.value
        respond = _Responses(linear, weights["level0"], n_filters)
        skip, bias = (weights[name].singles for name in ("skip", "bias_out"))
        tile_rows = max(1, TILE_PIXELS // geometry.width)
        n_tiles = -(-geometry.height // tile_rows)
        every = max(1, geometry.n_pixels // MOMENTS_PIXELS)
        seen = range(every // 2 if n_tiles > every else 0, n_tiles, every)
        workers = Workers(min(n_threads(), len(seen)))
        responses = np.zeros((len(seen), n_filters + 1, n_filters + 1))
        sums = np.zeros((len(seen), n_filters + 1, geometry.channels))
        energies, counts = np.zeros(len(seen)), np.zeros(len(seen))

        def tile(worker: int, i: int) -> None:
            start, stop = seen[i] * tile_rows, min(geometry.height, (seen[i] + 1) * tile_rows)
            here = linear.tile_targets(slice(start * geometry.width, stop * geometry.width))
            here -= np.transpose(skip @ respond.encoding(start, stop) + bias[:, None])
            response = np.ones((n_filters + 1, len(here)), np.float32)
            response[:-1] = respond(start, stop)
            response[:-1] /= np.float32(step)
            responses[i], sums[i] = response @ np.transpose(response), response @ here
            energies[i], counts[i] = np.square(here, dtype=np.float64).sum(), len(here)

        with single_threaded_blas():
            workers.run(len(seen), tile)
        n = float(counts.sum())
        return cls(responses.sum(axis=0) / n, sums.sum(axis=0) / n, float(energies.sum()) / n)

    def solve(self, n_filters: int) -> tuple[Floats, float]:
        """The layer of the first so many filters, (n_filters + 1, C), and the energy that it leaves."""
        used = np.r_[:n_filters, len(self.responses) - 1]
        moments, missing = self.responses[np.ix_(used, used)], self.missing[used]
        ridge = RIDGE * moments.trace() / len(used)
        layer: Floats = np.asarray(np.linalg.solve(moments + ridge * np.eye(len(used)), missing), np.float64)
        left = self.energy - 2 * float((layer * missing).sum()) + float((layer * (moments @ layer)).sum())
        return layer, left


def choose(offers: Sequence[Filtered], weights: Weights, most_filters: int = MAX_FILTERS) -> tuple[Filtered, float]:
    """The field that promises the smallest file, and the dB that its filters gain.

    Args:
        offers: with the same linear part: usually that alone, then fields with more and more filters. Where the first
            has filters, one with filters is asked for, whatever they cost and however few the pixels are.
        weights: of the linear part.
        most_filters: offers with more are left out, unless one is asked for.
    """
    linear, forced, best, best_gain_db = offers[0].linear, offers[0].n_filters > 0, offers[0], 0.0
    others = [offer for offer in offers if 0 < offer.n_filters <= most_filters or forced]
    if not others:
        return best, best_gain_db
    moments = Moments.of(linear, weights, max(offer.n_filters for offer in others))
    n_bytes, saved = linear.near_bytes(weights), -math.inf if forced else 0.0
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
