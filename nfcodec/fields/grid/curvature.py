"""How the loss bends with the weights of a network: what the rounding of one asks of those that are not rounded yet.

If weights move by d, the loss grows by about d H d. For errors H is what Gauss and Newton take, for bits the Fisher
information: sums of products of slopes, over some places of the picture. A weight that is rounded then moves the others
by a row of the Cholesky factor of H's inverse, so that they make up for it as far as they can (Hassibi and Stork 1993,
Optimal Brain Surgeon; Frantar et al. 2022, GPTQ).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import ACTIVATION_BITS, MAX_SYMBOL, Quantized
from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.exact.geometry import Geometry, whole
from nfcodec.fields.grid.entropy import EntropyModel
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.payload import LATENTS, limit_of
from nfcodec.fields.grid.program import LARGEST_LOG_SCALE, LEAST_PROBABILITY, SMALLEST_LOG_SCALE
from nfcodec.fields.grid.synthesis import Synthesis

MOST_ENTRIES, MOST_PIXELS, BAND_ROWS = 1 << 17, 1 << 17, 8
"""So many are looked at, evenly spread; pixels in bands of rows."""

AT_A_TIME = 1 << 12
"""Places whose slopes by all weights are in memory together, where rows are no longer than that."""

LEAST = 3e-4
"""What is added to the diagonal of H, over its mean: what a few places say of a weight is not to be trusted fully."""

MORE, MOST_TIMES = 10.0, 12
"""So many times more is added where that is not enough, and how often. Weights do not make up for each other if that
does not help, nor if a slope was infinite."""

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
        return Compensation(names, order, _upper_factor_of_inverse(bends))


def _upper_factor_of_inverse(bends: Doubles) -> Doubles:
    """The Cholesky factor; what is added to the diagonal is more where sums in float32 left a matrix indefinite."""
    n = len(bends)
    added = LEAST * np.trace(bends) / max(1, n) or 1.0
    for _ in range(MOST_TIMES):
        try:
            factor = np.linalg.cholesky(np.linalg.inv(bends + added * np.eye(n)))
        except np.linalg.LinAlgError:
            added *= MORE
            continue
        if np.isfinite(factor).all():
            return np.array(factor.T, np.float64, order="C")
        break
    return np.eye(n)


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

        Raises:
            FormatError: a symbol would be larger than a file can hold, as where H says little of a weight.
        """
        first, *others = (real[name] for name in self.names)
        values = np.concatenate([each.reshape(-1) for each in (first, *others)], dtype=np.float64)[self.order]
        symbols = np.empty(first.size, np.int64)
        for i in range(first.size):
            exact = values[i] / step
            if not abs(exact) <= MAX_SYMBOL:
                raise FormatError("what makes up for rounding has more quantizer steps than a file can hold")
            symbols[self.order[i]] = symbol = round(exact)
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
    of_entropy = _summed(_entropy_products(field, networks, each) for each in _entries(field, geometry, weights))
    of_synthesis = _summed(_synthesis_products(field, networks, each) for each in _levels(field, geometry, weights))
    return [
        Curvature(("entropy", "entropy_bias", "maps", "map_bias"), of_entropy),
        Curvature(("synthesis", "out", "near", "synthesis_bias"), of_synthesis),
    ]


def _summed(some: Iterable[Products]) -> Doubles:
    """H of weights, in the order of the products, added up over batches of places."""
    found: Doubles = np.zeros((0, 0))
    for products in some:
        n_places = products[0][0].shape[1]
        ends = np.cumsum([0, *(len(by) * len(seen) for by, seen in products)])
        found = found if found.size else np.zeros((ends[-1], ends[-1]))
        slopes = np.empty((ends[-1], n_places), np.float32)
        for (by, seen), first, end in zip(products, ends[:-1], ends[1:], strict=True):
            out = slopes[first:end].reshape(len(by), len(seen), n_places)
            np.multiply(by[:, None], seen[None], out=out)
        found += np.inner(slopes, slopes)
    return found


class _Entries(NamedTuple):
    """Some of a grid.

    Attributes:
        values: (m,).
        x: what they are predicted from, (n_inputs, m).
        coarser: what maps see for them, (columns of maps, m): 0 for maps of other grids.
        has_map: which of the maps they have, (n_maps, m).
    """

    values: FloatArray
    x: FloatArray
    coarser: FloatArray
    has_map: FloatArray


def _entries(field: Grid, geometry: Geometry, weights: Mapping[str, Quantized]) -> Iterator[_Entries]:
    """Entries of rows that are evenly spread."""
    latents = weights[LATENTS].symbols
    model = EntropyModel(field, geometry, weights, limit_of(latents))
    grids = [latents[each.entries].reshape(each.rows, each.cols).astype(np.int32) for each in model.lattices]
    stride, columns = -(-len(latents) // MOST_ENTRIES), np.cumsum([0, *field.n_coarser])
    for i, own in enumerate(model.lattices):
        inputs = model.inputs(i, grids)
        n_rows, chosen = max(1, AT_A_TIME // own.cols), np.arange(0, own.rows, stride)
        for rows in np.split(chosen, range(n_rows, len(chosen), n_rows)):
            values = grids[i][rows].reshape(-1)
            coarser: FloatArray = np.zeros((columns[-1], values.size), np.float32)
            has_map: FloatArray = np.zeros((len(field.n_coarser), values.size), np.float32)
            if i < len(has_map):
                has_map[i] = 1
                for j, (grid, lattice) in enumerate(zip(grids[i + 1 :], model.lattices[i + 1 :], strict=True)):
                    shift = lattice.level - own.level
                    seen = grid[(rows >> shift)[:, None], np.arange(own.cols) >> shift]
                    coarser[columns[i] + j] = seen.reshape(-1)
            x = np.concatenate([inputs(row, row + 1) for row in rows.tolist()], axis=1)
            yield _Entries(values.astype(np.float32), (x * UNIT).astype(np.float32), coarser, has_map)


def _entropy_products(field: Grid, networks: Parameters, entries: _Entries) -> Products:
    n, matrix, bias, x = field.n_inputs, networks["entropy"], networks["entropy_bias"], entries.x
    first = matrix[:n] @ x + bias[:n, None] + x
    hidden = np.maximum(first, 0)
    second = matrix[n : 2 * n] @ hidden + bias[n : 2 * n, None] + hidden
    last = np.maximum(second, 0)
    out, linear = matrix[2 * n : 2 * n + 2], matrix[2 * n + 2 :]
    by_out = bits_slopes(entries.values, *(out @ last + linear @ x + bias[2 * n :, None]))
    by_second = np.where(second > 0, _through(out, by_out), np.float32(0))
    by_first = np.where(first > 0, _through(matrix[n : 2 * n], by_second) + by_second, np.float32(0))
    by_x = _through(matrix[:n], by_first) + by_first + _through(linear, by_out)
    by_mapped, one = by_x[field.n_neighbours :], np.ones_like(x[:1])
    layers = [(by_first, x), (by_second, hidden), (by_out, last), (by_out, x)]
    biases = [(each, one) for each in (by_first, by_second, by_out)]
    return [*layers, *biases, (by_mapped, entries.coarser), (entries.has_map, by_mapped)]


def _through(matrix: FloatArray, slopes: FloatArray) -> FloatArray:
    """Slopes by what neurons see, (n, m), of those by neurons with a matrix, (neurons, m)."""
    return np.asarray(matrix.T @ slopes, np.float32)


def bits_slopes(values: FloatArray, locations: FloatArray, log_scales: FloatArray) -> FloatArray:
    """Slopes (2, n) of the bits of values, as `torch.laplace_bits` defines them, by locations and log2 of scales."""
    limited = np.clip(log_scales, SMALLEST_LOG_SCALE, LARGEST_LOG_SCALE)
    rate = np.exp2(-limited)
    above, below = (values - locations + 0.5) * rate, (values - locations - 0.5) * rate
    tails = 0.5 * np.exp(-np.abs(above)), 0.5 * np.exp(-np.abs(below))
    share = 0.5 * (np.sign(below) * np.expm1(-np.abs(below)) - np.sign(above) * np.expm1(-np.abs(above)))
    by_location, by_log_scale = (tails[0] - tails[1]) * rate / math.log(2), tails[0] * above - tails[1] * below
    by_log_scale = np.where(limited == log_scales, by_log_scale, 0)
    of_share = np.stack([by_location, by_log_scale]) / np.maximum(share, LEAST_PROBABILITY)
    return np.where(share > LEAST_PROBABILITY, of_share, 0).astype(np.float32)


def _levels(field: Grid, geometry: Geometry, weights: Mapping[str, Quantized]) -> Iterator[FloatArray]:
    """All levels at the picture's size in bands of rows that are evenly spread, (n_levels, rows, W)."""
    synthesis = Synthesis(field, geometry, weights, whole(geometry))
    n_rows = max(1, min(BAND_ROWS, AT_A_TIME // geometry.width))
    starts = range(0, geometry.height, n_rows)
    for start in starts[:: -(-geometry.n_pixels // MOST_PIXELS)]:
        found = synthesis.levels(start, min(start + n_rows, geometry.height))
        yield (found * UNIT).astype(np.float32)


def _synthesis_products(field: Grid, networks: Parameters, levels: FloatArray) -> Products:
    """Of a band of rows, as if it were a picture; errors of its outputs have random signs.

    So the mean of a slope's square is the sum of its squares over outputs.
    """
    matrix, bias, out = networks["synthesis"], networks["synthesis_bias"], networks["out"]
    n_hidden, channels, x = field.n_hidden, len(out), levels.reshape(len(levels), -1)
    near, biases = networks["near"].reshape(2, channels, 9 * channels), bias[n_hidden:].reshape(3, channels, 1)

    def around(y: FloatArray) -> FloatArray:
        return _around(y.reshape(channels, *levels.shape[1:])).reshape(9 * channels, -1)

    neurons = matrix[:n_hidden] @ x + bias[:n_hidden, None]
    hidden = np.maximum(neurons, 0)
    read = out @ hidden + biases[0]
    first = near[0] @ around(read) + biases[1] + read
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), first.shape)
    by_out = networks["scale"] * signs
    by_first = (_turned(near[1]) @ around(by_out) + by_out) * (first > 0)
    by_read = _turned(near[0]) @ around(by_first) + by_first
    by_neurons = _through(out, by_read) * (neurons > 0)
    one = np.ones_like(x[:1])
    layers = [(by_neurons, x), (by_out, x), (by_read, hidden)]
    near_layers = [(by_first, around(read)), (by_out, around(np.maximum(first, 0)))]
    return [*layers, *near_layers, *((each, one) for each in (by_neurons, by_read, by_first, by_out))]


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
