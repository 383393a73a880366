"""Of all SIRENs with the same values, the one whose parameters take the fewest bits.

A neuron may change its sign, or its phase by half a turn, if the next layer's weights change sign with it; so biases
lie in a quarter of a turn. Neurons may come in any order, too: `rounding` sorts them.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from nfcodec.fields import Parameters, Siren


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


def _layers(spec: Siren) -> list[tuple[str, str]]:
    """For each trained sine layer, the end of its tensors' names, and the name of the matrix that it goes into."""
    return [(end, f"weight{following}") for end, following in itertools.pairwise(spec.trained)]
