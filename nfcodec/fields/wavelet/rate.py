"""What weights cost in the file."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nfcodec.coding.payload import encode_weights, estimate_bytes, orders
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.payload import WaveletShape, predictions
from nfcodec.fitting.problem import Problem

Floats = npt.NDArray[np.float64]
Prior = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]

TRAINED_REGIMES = (72, 116)
"""Those of quantizer steps from 2^-7 to 2^-1.5: fits of 28 to 50 dB."""


def smallest_payload(problem: Problem, weights: Mapping[str, Quantized]) -> bytes:
    """The weights as the file holds them, in the order that suits them best."""
    layout, symbols = problem.spec.layout(problem.geometry), _symbols(weights)
    regime = _regime(problem, weights)
    return min((encode_weights(layout, order, symbols, regime) for order in orders(layout, symbols)), key=len)


def estimated_bytes(problem: Problem, weights: Mapping[str, Quantized]) -> float:
    """The size of `smallest_payload`, without making it."""
    layout, symbols = problem.spec.layout(problem.geometry), _symbols(weights)
    regime = _regime(problem, weights)
    return min(estimate_bytes(layout, order, symbols, regime) for order in orders(layout, symbols))


def regime_of(problem: Problem, step: Step) -> int:
    """What the context networks are told of a wavelet level's step: 8 log2(step) + 128, for values of 0 .. 1.

    No further than they have been trained: beyond, they would make things up.
    """
    wanted = round(8 * math.log2(step.value / math.sqrt(problem.gain))) + 128
    return min(TRAINED_REGIMES[1], max(TRAINED_REGIMES[0], wanted))


def prior_of(problem: Problem, weight: Quantized) -> Prior:
    """Location and scale, in quantizer steps, that the context networks predict for each symbol; (H, W, F) each."""
    spec = problem.spec
    assert isinstance(spec, Ngp)
    assert isinstance(spec.levels[0], WaveletLevel)
    rows, cols, features = weight.symbols.shape
    shape = WaveletShape(rows, cols, features, spec.levels[0].n_levels)
    locations, log_scales = predictions(shape, regime_of(problem, weight.step), weight.symbols)
    scales = np.exp2(np.clip(log_scales, -32, 120) / 8)
    return (locations / 8).astype(np.float32), scales.astype(np.float32)


def laplace_bits(symbols: npt.NDArray[np.number], prior: Prior) -> Floats:
    """Bits of integers under Laplace distributions."""
    location, scale = (each.astype(np.float64) for each in prior)
    magnitude = np.abs(symbols - location)
    inside = 1 - np.exp(-0.5 / scale) * np.cosh(np.minimum(magnitude, 0.5) / scale)
    outside = 0.5 * np.exp(-np.maximum(magnitude - 0.5, 0) / scale) * -np.expm1(-1 / scale)
    mass = np.where(magnitude < 0.5, inside, outside)
    return -np.log2(mass + 2.0**-18)  # the tables keep as much for the unexpected


def _regime(problem: Problem, weights: Mapping[str, Quantized]) -> int:
    return regime_of(problem, next(iter(weights.values())).step)


def _symbols(weights: Mapping[str, Quantized]) -> dict[str, npt.NDArray[np.int64]]:
    return {name: weight.symbols for name, weight in weights.items()}
