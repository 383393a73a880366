"""Fields of grids with random symbols, whose networks do something."""

import numpy as np

from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.fields.grid.entropy import TENSORS, EntropyModel
from nfcodec.fields.grid.payload import limit_of
from nfcodec.fields.grid.start import start
from nfcodec.fields.grid.synthesis import UNIT_STEP


def crafted(field, geometry, size=1.0, seed=0):
    """Weights around those that a fit begins with, and Laplace-distributed entries."""
    rng = np.random.default_rng(seed)
    found = start(field, geometry, np.zeros(geometry.channels), np.ones(geometry.channels), rng)
    weights = {}
    for i, tensor in enumerate(field.layout(geometry)):
        if tensor.name == "latents":
            values, step = rng.laplace(0, size, tensor.shape), UNIT_STEP
        else:
            step = Step(128 + 11 * i, -16)
            values = (found[tensor.name] + rng.normal(0, 0.1, tensor.shape)) / step.value
        weights[tensor.name] = Quantized(np.round(values).astype(np.int64), step)
    return weights


def model_of(field, geometry, weights, limit=None):
    """The entropy model of these weights."""
    limit = limit_of(weights["latents"].symbols) if limit is None else limit
    return EntropyModel(field, geometry, {name: weights[name] for name in TENSORS}, limit)
