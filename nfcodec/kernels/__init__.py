"""Compiled loops: pure functions of arrays, no state, no threads of their own.

Most are the numba engine's; those of `viterbi` choose symbols on a trellis, whatever the engine.

Each releases the interpreter's lock, so the engine runs them on Python threads. Work is cut into blocks of `BLOCK`
pixels whose numbers, one row of `BLOCK` floats a feature, stay in the cache. Indices are unsigned throughout: numba
would test a signed index for being negative, which keeps loops from being vectorized.
"""

from __future__ import annotations

from typing import Any

from nfcodec.lazy import load


def compiled(path: str) -> Any | None:
    """The loop that "module:name" names; None where there is no compiler.

    It is imported when asked for: loading the compiler takes time, and other fits do without it.
    """
    try:
        return load(path)
    except ImportError:
        return None
