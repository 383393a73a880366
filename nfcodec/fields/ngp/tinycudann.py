"""Our `ngp` fields in tiny-cuda-nn's terms and back: configurations, and one flat vector of parameters.

tiny-cuda-nn (its PyTorch binding, NetworkWithInputEncoding, version 1.6 or later) keeps the network's matrices first,
row-major (out, in), inputs and outputs padded to multiples of 16 and without biases, then the grid levels one after the
other, all features of an entry together. Padding rows and columns are zero here, and have no effect there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.errors import EngineError, UsageError
from nfcodec.exact.field import Parameters
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel, hash_levels

PADDING = 16

FUSED_WIDTHS = (16, 32, 64, 128)
"""Hidden layers for which tiny-cuda-nn has a fully fused network; others take its CUTLASS network."""

NEARBY = 64
"""Neighbouring float32 numbers that are tried for a growth factor, in each direction."""


@dataclass(frozen=True)
class Configuration:
    """What tiny-cuda-nn's constructor is given."""

    encoding: dict[str, Any]
    network: dict[str, Any]


def configuration(spec: Ngp) -> Configuration:
    """The configuration whose encoding and network are exactly those of a field.

    Raises:
        EngineError: tiny-cuda-nn has no such field (dense levels, biases, a skip connection, hidden layers of different
            or odd widths, levels that no growth factor gives).
    """
    levels = [level for level in spec.levels if isinstance(level, HashLevel)]
    if len(levels) < len(spec.levels):
        raise EngineError("tiny-cuda-nn has no pixel-aligned levels")
    if spec.bias or spec.skip or not spec.hidden:
        raise EngineError("tiny-cuda-nn's networks have hidden layers, no biases and no skip connection")
    if len(set(spec.hidden)) > 1 or spec.hidden[0] % PADDING:
        raise EngineError("tiny-cuda-nn's hidden layers have one width, a multiple of 16")
    encoding = {
        "otype": "Grid", "type": "Hash", "interpolation": "Linear", "n_levels": len(levels),
        "n_features_per_level": levels[0].features, **_growth(tuple(levels)),
    }  # fmt: skip
    kind = "FullyFusedMLP" if spec.hidden[0] in FUSED_WIDTHS else "CutlassMLP"
    network = {
        "otype": kind, "activation": "ReLU", "output_activation": "None", "n_neurons": spec.hidden[0],
        "n_hidden_layers": len(spec.hidden),
    }  # fmt: skip
    return Configuration(encoding, network)


def _growth(levels: tuple[HashLevel, ...]) -> dict[str, Any]:
    """Base resolution, growth factor and table size that give exactly these levels."""
    base = round(levels[0].scale) + 1
    log2_size = max(1, math.ceil(math.log2(max(level.size for level in levels))))
    last = len(levels) - 1
    growth = np.float32(2.0 if last == 0 else ((levels[-1].scale + 1) / base) ** (1 / last))
    for candidate in _around(growth):
        try:
            if hash_levels(len(levels), levels[0].features, log2_size, base, candidate) == levels:
                return {"base_resolution": base, "per_level_scale": candidate, "log2_hashmap_size": log2_size}
        except UsageError:
            continue
    raise EngineError("tiny-cuda-nn has no growth factor and table size that give these levels")


def _around(value: np.float32) -> Iterator[float]:
    """A float32 and its neighbours, nearest first."""
    below = above = value
    yield float(value)
    for _ in range(NEARBY):
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(np.inf))
        yield float(below)
        yield float(above)


def size(spec: Ngp, channels: int) -> int:
    """Length of the flat vector."""
    rows = sum(a * b for a, b in _padded_shapes(spec, channels))
    return rows + sum(level.size * level.features for level in spec.levels if isinstance(level, HashLevel))


def flatten(spec: Ngp, channels: int, parameters: Parameters) -> npt.NDArray[np.float32]:
    """The flat vector of some parameters; zero where tiny-cuda-nn pads."""
    parts: list[npt.NDArray[np.float32]] = []
    for i, (rows, cols) in enumerate(_padded_shapes(spec, channels)):
        matrix, weight = np.zeros((rows, cols), np.float32), parameters[f"weight{i}"]
        matrix[: weight.shape[0], : weight.shape[1]] = weight
        parts.append(matrix.reshape(-1))
    parts += [parameters[f"level{i}"].reshape(-1) for i in range(len(spec.levels))]
    return np.concatenate(parts)


def unflatten(spec: Ngp, channels: int, flat: npt.NDArray[np.float32]) -> Parameters:
    """The parameters in a flat vector, by name, in the layout's shapes and order; copies."""
    found: Parameters = {}
    at = 0
    widths = [spec.encoding_size, *spec.hidden, channels]
    for i, ((rows, cols), (n_in, n_out)) in enumerate(
        zip(_padded_shapes(spec, channels), pairwise(widths), strict=True)
    ):
        found[f"weight{i}"] = flat[at : at + rows * cols].reshape(rows, cols)[:n_out, :n_in].copy()
        at += rows * cols
    levels: Parameters = {}
    for i, level in enumerate(spec.levels):
        assert isinstance(level, HashLevel)
        n = level.size * level.features
        levels[f"level{i}"] = flat[at : at + n].reshape(level.size, level.features).copy()
        at += n
    return {**levels, **found}


def _padded_shapes(spec: Ngp, channels: int) -> list[tuple[int, int]]:
    """(out, in) of the matrices as tiny-cuda-nn stores them."""
    widths = [_up(spec.encoding_size), *spec.hidden, _up(channels)]
    return [(n_out, n_in) for n_in, n_out in pairwise(widths)]


def _up(n: int) -> int:
    return -(-n // PADDING) * PADDING
