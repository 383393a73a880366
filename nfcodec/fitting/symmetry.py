"""Of all SIRENs with the same values, the one whose parameters take the fewest bits.

A neuron may change its sign, or its phase by half a turn, if the next layer's weights change sign with it; and neurons
may come in any order. So biases lie in a quarter of a turn, and rise.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

import numpy as np

from nfcodec.fields import Parameters, Quantized, Siren


def folded(spec: Siren, parameters: Parameters) -> Parameters:
    """The same network with all phases of its sine layers within 0 .. 1/4 turn."""
    half = math.pi / spec.omega_0
    out = {name: np.array(value) for name, value in parameters.items()}
    for name, following in _layers(spec):
        bias = out[f"bias{name}"].astype(np.float64)
        half_turns = np.round(bias / half)
        bias -= half_turns * half
        sign = np.where(bias < 0, -1.0, 1.0)  # sin(-x) = -sin(x)
        out[f"bias{name}"] = np.abs(bias).astype(np.float32)
        out[f"weight{name}"] *= sign[:, None].astype(np.float32)
        out[following] *= (sign * np.where(half_turns % 2 == 0, 1.0, -1.0)).astype(np.float32)
    return out


def sorted_by_bias(spec: Siren, weights: Mapping[str, Quantized]) -> dict[str, Quantized]:
    """The same network with neurons in the order of their biases."""
    out = dict(weights)
    for name, following in _layers(spec):
        order = np.argsort(out[f"bias{name}"].symbols, kind="stable")
        for tensor, at in ((f"bias{name}", (order,)), (f"weight{name}", (order,)), (following, (slice(None), order))):
            out[tensor] = Quantized(np.ascontiguousarray(out[tensor].symbols[at]), out[tensor].step)
    return out


def _layers(spec: Siren) -> list[tuple[str, str]]:
    """For each trained sine layer, the end of its tensors' names, and the name of the matrix that it goes into."""
    return [(end, f"weight{following}") for end, following in itertools.pairwise(spec.trained)]
