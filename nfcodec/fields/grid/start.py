"""Where a fit of the field of grids begins."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import MAX_LEVELS, Grid

CUBIC = (-0.03515625, -0.10546875, 0.26171875, 0.87890625)
"""Half of the eight taps of a cubic filter that doubles a grid's size, as `torch.doubled` takes them."""

START_LOG_SCALE = -4 * math.log2(math.e)
"""Of the distributions: narrow, as all latents are 0."""

COMMON_LEVELS = 6
"""Those that tell whether a neuron is turned, so that starts do not depend on how many more levels there are."""

LEAST_RANGE = 1e-6
"""Of a channel's targets."""

SEEDS, GRAY_SEEDS = (0, 27, 26, 8), (11, 7, 3, 2)
"""Of random starts, those that ended low on crops of photographs: of 28 in colour on ten crops, of 16 in gray on four.
`python -m benchmarks train starts` ranks them; on other crops the order is another one."""


def start_rng(channels: int, seed: int, i: int) -> np.random.Generator:
    """For the i-th start of a fit with a seed; the first ones with seed 0 have been chosen."""
    chosen = GRAY_SEEDS if channels == 1 else SEEDS
    return np.random.default_rng([chosen[i] if i < len(chosen) else max(chosen) + i, seed])


def start(field: Grid, geometry: Geometry, low: FloatArray, high: FloatArray, rng: np.random.Generator) -> Parameters:
    """Latents of 0; filters that interpolate; small random weights where a layer is not residual (as Cool-chic 5).

    Args:
        low, high: of the targets, for each channel. Outputs begin at the lower end: what the rectified layer before the
            last one passes on is positive, and so it can be all of the picture.
    """
    n, channels = field.n_inputs, geometry.channels
    found = {each.name: np.zeros(each.shape, np.float32) for each in field.layout(geometry)}
    found["entropy"][2 * n :] = rng.normal(0, 1 / 4, (4, n))
    found["entropy_bias"][-1] = START_LOG_SCALE
    found["out"][:] = _uniform(rng, channels, field.n_hidden)
    found["synthesis"][: field.n_hidden] = _active(_of_levels(rng, field.n_hidden, field.n_levels))
    found["synthesis"][field.n_hidden :] = _of_levels(rng, channels, field.n_levels)
    ends = np.cumsum([0, *field.n_coarser])
    for first, end in pairwise(ends):
        drawn = rng.normal(0, 1 / max(1, field.n_mapped) ** 2, (field.n_mapped, 2 * MAX_LEVELS))
        found["maps"][:, first:end] = drawn[:, : end - first]
    found["filters"][: field.n_levels - 1] = CUBIC
    found["filters"][field.n_levels - 1 :, 3] = 1
    found["scale"][:, 0] = np.maximum(high - low, LEAST_RANGE)
    found["offset"][:] = low
    return found


def _of_levels(rng: np.random.Generator, n_out: int, n_levels: int) -> FloatArray:
    """Weights of the samples of all levels, which are the same whatever coarser levels there are."""
    return _uniform(rng, n_out, MAX_LEVELS)[:, :n_levels] * math.sqrt(MAX_LEVELS / n_levels)


def _active(neurons: FloatArray) -> FloatArray:
    """Turned so that each has a positive sum over the first levels, which all but the smallest fields have.

    What they see grows from 0 to values that are mostly positive, as outputs begin at the lower end of the targets.
    With negative weights a rectified neuron would see none of the picture.
    """
    sums = neurons[:, :COMMON_LEVELS].sum(axis=1, keepdims=True)
    return neurons * np.where(sums < 0, np.float32(-1), np.float32(1))


def _uniform(rng: np.random.Generator, n_out: int, n_in: int) -> FloatArray:
    return rng.uniform(-1, 1, (n_out, n_in)).astype(np.float32) / (math.sqrt(n_in) * n_out**2)
