"""How the loss bends with the weights of a network: what the rounding of one asks of those that are not rounded yet.

If weights move by d, the loss grows by about d H d. For errors H is what Gauss and Newton take, for bits the Fisher
information: sums of products of slopes, over some places of the picture. A weight that is rounded then moves the others
by a row of the Cholesky factor of H's inverse, so that they make up for it as far as they can (Hassibi and Stork 1993,
Optimal Brain Surgeon; Frantar et al. 2022, GPTQ).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import ACTIVATION_BITS, Quantized
from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.exact.geometry import Geometry, whole
from nfcodec.fields.grid.entropy import EntropyModel
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.payload import LATENTS, limit_of
from nfcodec.fields.grid.synthesis import Synthesis
from nfcodec.workers import single_threaded_blas

MOST_ENTRIES, MOST_PIXELS, BAND_ROWS = 1 << 17, 1 << 17, 8
"""So many are looked at, evenly spread; pixels in bands of rows."""

AT_A_TIME = 1 << 11
"""Places whose slopes by all weights are in memory together."""

LEAST = 3e-4
"""Of the eigenvalues of H, over their mean: what a few places say of a weight is not to be trusted fully."""

LEAST_PROBABILITY = 2.0**-16
"""Entries that are less likely have no slope."""

UNIT = 2.0**-ACTIVATION_BITS

Doubles = npt.NDArray[np.float64]
Products = Sequence[tuple[npt.NDArray[Any], npt.NDArray[Any]]]
"""Slopes by neurons, (neurons, m), and what these see, (n, m), at m places; their products are slopes by weights."""


@dataclass(frozen=True)
class Curvature:
    """H of tensors that make up for each other.

    Attributes:
        names: of the tensors, in the order in which they are rounded.
        matrix: (n, n), over all of them.
    """

    names: tuple[str, ...]
    matrix: Doubles

    def behind(self, real: Parameters, name: str) -> Compensation:
        """For rounding a tensor, those before it being rounded already."""
        names = self.names[self.names.index(name) :]
        n_left = sum(real[each].size for each in names)
        first = len(self.matrix) - n_left
        own = np.argsort(-self.matrix.diagonal()[first : first + real[name].size], kind="stable")
        order = np.concatenate([own, np.arange(len(own), n_left)])
        bends = self.matrix[np.ix_(first + order, first + order)]
        bends[np.diag_indices(n_left)] += LEAST * np.trace(bends) / max(1, n_left) or 1.0
        factor = np.asarray(np.linalg.cholesky(np.linalg.inv(bends)), np.float64)
        return Compensation(names, order, np.array(factor.T, np.float64, order="C"))


@dataclass(frozen=True)
class Compensation:
    """How tensors make up for the rounding of the first one.

    Attributes:
        names: of the tensors.
        order: of their numbers, those of the first tensor first, from the one that the loss bends with most.
        factor: upper Cholesky factor of H's inverse, in that order.
    """

    names: tuple[str, ...]
    order: npt.NDArray[np.int64]
    factor: Doubles

    def rounded(self, real: Parameters, step: float) -> tuple[npt.NDArray[np.int64], Parameters]:
        """Symbols of the first tensor, and where the others go.

        Args:
            real: of these tensors.
        """
        first, *others = (real[name] for name in self.names)
        values = np.concatenate([each.reshape(-1) for each in (first, *others)], dtype=np.float64)[self.order]
        symbols = np.empty(first.size, np.int64)
        for i in range(first.size):
            symbols[self.order[i]] = symbol = round(values[i] / step)
            values[i + 1 :] -= (values[i] - symbol * step) / self.factor[i, i] * self.factor[i, i + 1 :]
        ends = np.cumsum([first.size, *(each.size for each in others)])
        parts = np.split(values.astype(np.float32), ends[:-1])[1:]
        moved = {name: part.reshape(real[name].shape) for name, part in zip(self.names[1:], parts, strict=True)}
        return symbols.reshape(first.shape), moved


def curvatures(
    field: Grid, geometry: Geometry, weights: Mapping[str, Quantized], networks: Parameters
) -> list[Curvature]:
    """Those of the network that predicts entries, and of the one that reads samples, but for its filters.

    Args:
        weights: of a file; what the networks see comes from it.
        networks: real, as the program takes them.

    Raises:
        FormatError: the weights would overflow.
    """
    with single_threaded_blas():
        return [_of_entropy(field, geometry, weights, networks), _of_synthesis(field, geometry, weights, networks)]


def _summed(products: Products) -> Doubles:
    """H of weights, in the order of the products."""
    n_places = products[0][0].shape[1]
    ends = np.cumsum([0, *(len(by) * len(seen) for by, seen in products)])
    found = np.zeros((ends[-1], ends[-1]))
    for start in range(0, n_places, AT_A_TIME):
        some = slice(start, min(start + AT_A_TIME, n_places))
        slopes = np.empty((ends[-1], some.stop - start), np.float32)
        for (by, seen), first, end in zip(products, ends[:-1], ends[1:], strict=True):
            out = slopes[first:end].reshape(len(by), len(seen), slopes.shape[1])
            np.multiply(by[:, None, some], seen[None, :, some], out=out)
        found += np.inner(slopes, slopes)
    return found


def _of_entropy(field: Grid, geometry: Geometry, weights: Mapping[str, Quantized], networks: Parameters) -> Curvature:
    n, matrix, bias = field.n_inputs, networks["entropy"], networks["entropy_bias"]
    entries, x, coarser, of_grid = _entries(field, geometry, weights)
    first = matrix[:n] @ x + bias[:n, None] + x
    hidden = np.maximum(first, 0)
    second = matrix[n : 2 * n] @ hidden + bias[n : 2 * n, None] + hidden
    last = np.maximum(second, 0)
    out, linear = matrix[2 * n : 2 * n + 2], matrix[2 * n + 2 :]
    by_out = bits_slopes(entries, *(out @ last + linear @ x + bias[2 * n :, None]))
    by_second = np.where(second > 0, _through(out, by_out), np.float32(0))
    by_first = np.where(first > 0, _through(matrix[n : 2 * n], by_second) + by_second, np.float32(0))
    by_x = _through(matrix[:n], by_first) + by_first + _through(linear, by_out)
    by_mapped = by_x[field.n_neighbours :]
    one = np.ones_like(x[:1])
    layers = [(by_first, x), (by_second, hidden), (by_out, last), (by_out, x)]
    biases = [(each, one) for each in (by_first, by_second, by_out)]
    found = _summed([*layers, *biases, (by_mapped, coarser), (of_grid, by_mapped)])
    return Curvature(("entropy", "entropy_bias", "maps", "map_bias"), found)


def _through(matrix: FloatArray, slopes: FloatArray) -> FloatArray:
    """Slopes by what neurons see, (n, m), of those by neurons with a matrix, (neurons, m)."""
    return np.asarray(matrix.T @ slopes, np.float32)


def _entries(
    field: Grid, geometry: Geometry, weights: Mapping[str, Quantized]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Some entries, (m,); what they are predicted from, (n_inputs, m); and what maps see for them.

    That is the entries of coarser grids, (columns of maps, m), 0 for maps of other grids; and whether an entry is of
    each of the grids that have maps, (n_maps, m).
    """
    latents = weights[LATENTS].symbols
    model = EntropyModel(field, geometry, weights, limit_of(latents))
    values = [latents[each.entries].reshape(each.rows, each.cols).astype(np.int32) for each in model.lattices]
    stride = -(-len(latents) // MOST_ENTRIES)
    chosen = [each[::stride].reshape(-1) for each in values]
    ends, columns = np.cumsum([0, *map(len, chosen)]), np.cumsum([0, *field.n_coarser])
    coarser: FloatArray = np.zeros((columns[-1], ends[-1]), np.float32)
    of_grid: FloatArray = np.zeros((len(field.n_coarser), ends[-1]), np.float32)
    for i in range(len(field.n_coarser)):
        own, here = model.lattices[i], slice(ends[i], ends[i + 1])
        of_grid[i, here] = 1
        for j, (value, lattice) in enumerate(zip(values[i + 1 :], model.lattices[i + 1 :], strict=True)):
            shift = lattice.level - own.level
            seen = value[(np.arange(0, own.rows, stride) >> shift)[:, None], np.arange(own.cols) >> shift]
            coarser[columns[i] + j, here] = seen.reshape(-1)
    inputs = np.concatenate([model.inputs(i, values, stride) for i in range(len(values))], axis=1)
    return np.concatenate(chosen).astype(np.float32), (inputs * UNIT).astype(np.float32), coarser, of_grid


def bits_slopes(values: FloatArray, locations: FloatArray, log_scales: FloatArray) -> FloatArray:
    """Slopes (2, n) of the bits of values, as `torch.laplace_bits` defines them, by locations and log2 of scales."""
    rate = np.exp2(-log_scales)
    above, below = (values - locations + 0.5) * rate, (values - locations - 0.5) * rate
    tails = 0.5 * np.exp(-np.abs(above)), 0.5 * np.exp(-np.abs(below))
    share = 0.5 * (np.sign(below) * np.expm1(-np.abs(below)) - np.sign(above) * np.expm1(-np.abs(above)))
    by_location, by_log_scale = (tails[0] - tails[1]) * rate / math.log(2), tails[0] * above - tails[1] * below
    of_share = np.stack([by_location, by_log_scale]) / np.maximum(share, LEAST_PROBABILITY)
    return np.where(share > LEAST_PROBABILITY, of_share, 0).astype(np.float32)


def _of_synthesis(field: Grid, geometry: Geometry, weights: Mapping[str, Quantized], networks: Parameters) -> Curvature:
    n_hidden, channels = field.n_hidden, geometry.channels
    matrix, bias, out = networks["synthesis"], networks["synthesis_bias"], networks["out"]
    near, biases = networks["near"].reshape(2, channels, 9 * channels), bias[n_hidden:].reshape(3, channels, 1)
    levels = _levels(field, geometry, weights)
    x = levels.reshape(len(levels), -1)

    def around(y: FloatArray) -> FloatArray:
        return _around(y.reshape(channels, *levels.shape[1:])).reshape(9 * channels, -1)

    neurons = matrix[:n_hidden] @ x + bias[:n_hidden, None]
    hidden = np.maximum(neurons, 0)
    read = out @ hidden + biases[0]
    first = near[0] @ around(read) + biases[1] + read
    # Random signs of the outputs' errors: the mean of a slope's square is the sum of its squares over outputs.
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), first.shape)
    by_out = networks["scale"] * signs
    by_first = (_turned(near[1]) @ around(by_out) + by_out) * (first > 0)
    by_read = _turned(near[0]) @ around(by_first) + by_first
    by_neurons = _through(out, by_read) * (neurons > 0)
    one = np.ones_like(x[:1])
    layers = [(by_neurons, x), (by_out, x), (by_read, hidden)]
    near_layers = [(by_first, around(read)), (by_out, around(np.maximum(first, 0)))]
    of_biases = [(each, one) for each in (by_neurons, by_read, by_first, by_out)]
    return Curvature(("synthesis", "out", "near", "synthesis_bias"), _summed([*layers, *near_layers, *of_biases]))


def _levels(field: Grid, geometry: Geometry, weights: Mapping[str, Quantized]) -> FloatArray:
    """All levels at the picture's size, (n_levels, rows, W), in some bands of rows, as if they were neighbours."""
    synthesis = Synthesis(field, geometry, weights, whole(geometry))
    n_bands = max(1, MOST_PIXELS // (BAND_ROWS * geometry.width))
    starts = np.linspace(0, max(0, geometry.height - BAND_ROWS), n_bands).astype(int) // BAND_ROWS * BAND_ROWS
    bands = [(start, min(start + BAND_ROWS, geometry.height)) for start in np.unique(starts).tolist()]
    return (np.concatenate([synthesis.levels(*each) for each in bands], axis=1) * UNIT).astype(np.float32)


def _around(y: FloatArray) -> FloatArray:
    """The nine places around each pixel, (C, 9, H, W), of (C, H, W)."""
    rows, cols = y.shape[1:]
    padded = np.pad(y, ((0, 0), (1, 1), (1, 1)), "edge")
    return np.stack([padded[:, i // 3 : i // 3 + rows, i % 3 : i % 3 + cols] for i in range(9)], axis=1)


def _turned(kernels: FloatArray) -> FloatArray:
    """Kernels (C, 9 C) that pass slopes of outputs back to inputs."""
    channels = len(kernels)
    turned: FloatArray = kernels.reshape(channels, channels, 9)[:, :, ::-1]
    return np.swapaxes(turned, 0, 1).reshape(channels, -1)
