"""How kernels are compiled: cached on disk where that is possible, and without the interpreter's lock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator
from types import FunctionType
from typing import Any

import numba
import numpy as np
from numba.core import event
from numba.core.compiler_lock import global_compiler_lock

F = np.float32
I32 = np.int32
U = np.uintp

BLOCK = 128
"""Pixels a block."""

B1, B2, B3 = U(BLOCK), U(2 * BLOCK), U(3 * BLOCK)
ZERO, ONE, TWO, THREE, FOUR = U(0), U(1), U(2), U(3), U(4)

_Function = Callable[..., Any]

if hasattr(os, "register_at_fork"):  # or a child would wait for a compilation that only its parent goes on with
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )

KEEPS_ORDER = {"nnan", "ninf", "nsz", "arcp", "contract"}
"""What may be assumed where the order of operations matters: everything but reassociation."""


def kernel(function: _Function) -> _Function:
    """Compile; sums may be reassociated, so that they vectorize."""
    return _compile(function, True)


def exact_order(function: _Function) -> _Function:
    """Compile; operations stay in the order in which they are written."""
    return _compile(function, KEEPS_ORDER)


def inlined(function: _Function) -> _Function:
    """A part of kernels, compiled into each. Sums may be reassociated, as in `kernel`.

    What is not inlined is there twice, once by itself and once with the kernel that it was compiled for, and differs
    where sums are reassociated. Which of the two is called would depend on whether the kernel came from the cache.
    """
    return _compile(function, True, forceinline=True)


class _FirstCompilation(event.Listener):
    """Calls a function when numba begins to compile for the first time."""

    def __init__(self, begins: Callable[[], object]) -> None:
        self._begins, self._begun = begins, False

    def on_start(self, event: object) -> None:
        if not self._begun:
            self._begun = True
            self._begins()

    def on_end(self, event: object) -> None:
        pass


@contextlib.contextmanager
def compilation_told(begins: Callable[[], object]) -> Generator[None]:
    """Call a function once if anything is compiled meanwhile; kernels that the cache on disk holds are not."""
    with event.install_listener("numba:compile", _FirstCompilation(begins)):
        yield


def _compile(function: _Function, fastmath: bool | set[str], **options: Any) -> _Function:
    options = {"nogil": True, "fastmath": fastmath, "error_model": "numpy", **options}
    try:
        compiled: Any = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to write a cache
        return numba.njit(**options)(function)
    if not isinstance(compiled, FunctionType):  # which functions stay with NUMBA_DISABLE_JIT
        _forgive(compiled)
    return compiled


def _forgive(compiled: Any) -> None:
    """Make an index of the cache that cannot be read as good as none.

    It may be damaged, or name classes of arguments that an update has renamed: numba reads it before it looks whether
    it is of this version of the file. There is no public way to say so.
    """
    file = compiled._cache._cache_file
    load = file._load_index

    def load_or_forget() -> dict[Any, Any]:
        try:
            return load()
        except Exception:
            return {}

    file._load_index = load_or_forget
