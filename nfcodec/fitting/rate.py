"""What weights cost in the file."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nfcodec.coding import encode_weights, estimate_bytes, orders
from nfcodec.fields import Quantized, Step
from nfcodec.fitting.problem import Problem

TRAINED_REGIMES = (72, 116)
"""Those of quantizer steps from 2^-7 to 2^-1.5: fits of 28 to 50 dB."""


def smallest_payload(problem: Problem, weights: Mapping[str, Quantized]) -> bytes:
    """The weights as the file holds them, in the order that suits them best."""
    layout, symbols = problem.spec.layout(problem.geometry), _symbols(weights)
    regime = _regime(problem, weights)
    return min((encode_weights(layout, order, symbols, regime) for order in orders(layout)), key=len)


def estimated_bytes(problem: Problem, weights: Mapping[str, Quantized]) -> float:
    """The size of `smallest_payload`, without making it."""
    layout, symbols = problem.spec.layout(problem.geometry), _symbols(weights)
    regime = _regime(problem, weights)
    return min(estimate_bytes(layout, order, symbols, regime) for order in orders(layout))


def regime_of(problem: Problem, step: Step) -> int:
    """What the context networks are told of a wavelet level's step: 8 log2(step) + 128, for values of 0 .. 1.

    No further than they have been trained: beyond, they would make things up.
    """
    wanted = round(8 * math.log2(step.value / math.sqrt(problem.gain))) + 128
    return min(TRAINED_REGIMES[1], max(TRAINED_REGIMES[0], wanted))


def _regime(problem: Problem, weights: Mapping[str, Quantized]) -> int:
    return regime_of(problem, next(iter(weights.values())).step)


def _symbols(weights: Mapping[str, Quantized]) -> dict[str, npt.NDArray[np.int64]]:
    return {name: weight.symbols for name, weight in weights.items()}
