"""The file's own layer behind the filters that ship with the package, by least squares.

The filters (nfcodec.fields.filters) respond to what quantization did to the features of a wavelet level. One matrix a
file maps the responses to what is missing; it costs a few hundred bytes, so how many filters are used depends on what
they gain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import OUTPUT_UNIT, Quantized, Step
from nfcodec.fields.ngp.field import Ngp, neighbourhoods
from nfcodec.fields.wavelet.filters import WEIGHT_BITS, filters
from nfcodec.fields.wavelet.rate import estimated_bytes
from nfcodec.fitting.landing import Weights
from nfcodec.fitting.problem import Problem
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

Floats = npt.NDArray[np.float64]


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
    def of(cls, problem: Problem, weights: Weights, n_filters: int) -> Moments:
        """For a field without filters, in quantized weights."""
        spec, geometry, step = problem.spec, problem.geometry, weights["level0"].step.value
        assert isinstance(spec, Ngp)
        rows_of, _ = spec.levels[0].evaluator(geometry, weights["level0"])
        kernels, biases = filters()
        used = kernels[:n_filters, :, : spec.encoding_size].reshape(n_filters, -1)
        matrix = (used * 2.0 ** -(WEIGHT_BITS + 16) / step).astype(np.float32)
        offset = (biases[:n_filters, None] * 2.0**-WEIGHT_BITS).astype(np.float32)
        outputs = spec.evaluate(geometry, weights)
        missing = problem.targets - (outputs * OUTPUT_UNIT).astype(np.float32)
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


def choose(problems: Sequence[Problem], weights: Weights, forced: bool = False) -> tuple[Problem, float]:
    """The field that promises the smallest file, and the dB that its filters gain.

    Args:
        problems: the same picture without filters, then with more and more of them.
        weights: of the first.
        forced: whether the first is out of the question.
    """
    plain, best, best_gain_db = problems[0], problems[0], 0.0
    if len(problems) < 2:
        return best, best_gain_db
    widths = [_n_filters(problem) for problem in problems[1:]]
    moments = Moments.of(plain, weights, max(widths))
    n_bytes, saved = estimated_bytes(plain, weights), -math.inf if forced else 0.0
    for problem, n_filters in zip(problems[1:], widths, strict=True):
        _, left = moments.solve(n_filters)
        if not forced and n_filters * PIXELS_PER_FILTER > plain.geometry.n_pixels:
            continue
        gain_db = 10 * math.log10(moments.energy / left) if 0 < left < moments.energy else 0.0
        gain_db = min(MOST_GAIN_DB, gain_db)
        cost = 4 + n_filters * problem.geometry.channels * BITS_PER_WEIGHT / 8
        saving = n_bytes * (1 - 2 ** (-BITS_PER_DB * gain_db)) - cost
        if saving > saved:
            best, best_gain_db, saved = problem, gain_db, saving
    return best, best_gain_db


def restored(problem: Problem, plain: Problem, weights: Weights) -> Weights:
    """The weights of the field without filters (`plain`), and the layer that suits them, rounded."""
    if problem is plain:
        return weights
    n_filters, step = _n_filters(problem), weights["level0"].step.value
    moments = Moments.of(plain, weights, n_filters)
    layer, left = moments.solve(n_filters)
    energies = moments.responses.diagonal()[:-1]
    allowed = ROUNDING_SHARE * max(moments.energy - left, 1e-6 * moments.energy)
    rounding = math.sqrt(12 * allowed / max(1e-30, plain.geometry.channels * float(energies.sum())))
    weight_step, bias = Step.nearest(rounding / step), weights["bias_out"]
    symbols = np.round(np.transpose(layer[:-1]) / (step * weight_step.value)).astype(np.int64)
    shift = np.round(np.asarray(layer[-1]) / bias.step.value).astype(np.int64)
    layers = {"weight1": Quantized(symbols, weight_step), "bias_out": Quantized(bias.symbols + shift, bias.step)}
    return {**{name: weight for name, weight in weights.items() if name not in layers}, **layers}


def rest_of(problem: Problem, plain: Problem, weights: Weights) -> Problem:
    """What is left for the linear part (`plain`) to fit, if the filters' effect stays what it is with these weights."""
    if problem is plain:
        return plain
    assert isinstance(problem.spec, Ngp)
    filters = replace(problem.spec, skip=False, bias=False)
    names = [tensor.name for tensor in filters.layout(problem.geometry)]
    return replace(plain, constant=filters.evaluate(problem.geometry, {name: weights[name] for name in names}))


def _n_filters(problem: Problem) -> int:
    assert isinstance(problem.spec, Ngp)
    return problem.spec.hidden[0]
