"""Where a fit by gradient steps begins, for fields that say no more than what their tensors are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nfcodec.exact.field import Parameters, Role, Tensor

TABLE_BOUND = 1e-4
"""Entries of tables begin between this and its negative, unless another bound is asked for, as tiny-cuda-nn's."""


def uniform_start(layout: Sequence[Tensor], seed: int, table_bound: float = TABLE_BOUND) -> Parameters:
    """Tables U(+-1e-4), matrices Xavier-uniform, biases 0, as tiny-cuda-nn (from another random stream).

    Numbers are drawn in the order of the layout, also for biases.

    Args:
        table_bound: entries of tables begin between this and its negative.
    """
    rng = np.random.default_rng(seed)
    parameters: Parameters = {}
    for tensor in layout:
        bound = table_bound if tensor.role is Role.TABLE else _bound(tensor)
        parameters[tensor.name] = rng.uniform(-bound, bound, tensor.shape).astype(np.float32)
    return parameters


def _bound(tensor: Tensor) -> float:
    return 0.0 if tensor.role is Role.BIAS else math.sqrt(6 / sum(tensor.shape))


def rough_start(layout: Sequence[Tensor], seed: int, size: float = 0.3) -> Parameters:
    """The same with entries of tables large enough to show, normal with this standard deviation: to compare engines."""
    rng = np.random.default_rng(seed)
    parameters = uniform_start(layout, seed)
    for tensor in layout:
        if tensor.role is Role.TABLE:
            parameters[tensor.name] = rng.normal(0, size, tensor.shape).astype(np.float32)
    return parameters
