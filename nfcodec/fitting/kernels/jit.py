"""How kernels are compiled: cached on disk where that is possible, and without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

F = np.float32
I32 = np.int32
U = np.uintp

BLOCK = 128
"""Pixels a block."""

B1, B2, B3 = U(BLOCK), U(2 * BLOCK), U(3 * BLOCK)
ZERO, ONE, TWO, THREE, FOUR = U(0), U(1), U(2), U(3), U(4)

_Function = Callable[..., Any]

KEEPS_ORDER = {"nnan", "ninf", "nsz", "arcp", "contract"}
"""What may be assumed where the order of operations matters: everything but reassociation."""


def kernel(function: _Function) -> _Function:
    """Compile; sums may be reassociated, so that they vectorize."""
    return _compile(function, True)


def exact_order(function: _Function) -> _Function:
    """Compile; operations stay in the order in which they are written."""
    return _compile(function, KEEPS_ORDER)


def _compile(function: _Function, fastmath: bool | set[str]) -> _Function:
    try:
        compiled = numba.njit(nogil=True, cache=True, fastmath=fastmath, error_model="numpy")(function)
    except RuntimeError:  # nowhere to write a cache
        compiled = numba.njit(nogil=True, fastmath=fastmath, error_model="numpy")(function)
    return compiled
