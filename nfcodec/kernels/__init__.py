"""Compiled loops: pure functions of arrays, no state, no threads of their own.

Most are the numba engine's; those of `viterbi` choose symbols on a trellis, whatever the engine.

Each releases the interpreter's lock, so the engine runs them on Python threads. Work is cut into blocks of `BLOCK`
pixels whose numbers, one row of `BLOCK` floats a feature, stay in the cache. Indices are unsigned throughout: numba
would test a signed index for being negative, which keeps loops from being vectorized.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.lazy import load


def fours(n: int) -> int:
    """The next multiple of four: products of blocks take rows and columns by fours."""
    return -(-n // 4) * 4


def flat_in_fours(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A matrix or a vector as products of blocks take it: flat, all sides padded with zeros to multiples of four."""
    out = np.zeros([fours(size) for size in values.shape], values.dtype)
    out[tuple(slice(size) for size in values.shape)] = values
    return out.reshape(-1)


def compiled(path: str, *, repays: bool = True) -> Any | None:
    """The loop that "module:name" names; None where there is no compiler.

    It is imported when asked for: loading the compiler takes half a second, and much does without it.

    Args:
        repays: whether the work is worth that; if not, there is a loop only where the compiler is loaded anyhow.
    """
    if not (repays or "numba" in sys.modules):
        return None
    try:
        return load(path)
    except ImportError:
        return None
