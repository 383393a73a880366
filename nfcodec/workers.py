"""Threads for work that releases the interpreter's lock, as numpy and compiled kernels do.

Large pictures are cut into tiles, and each thread takes a tile at a time, with matrix products on that thread alone:
a BLAS that starts threads of its own for every small product mostly waits for them.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

_here = threading.local()


@contextmanager
def one_thread(alone: bool = True) -> Generator[None]:
    """While this lasts, `n_threads` is 1 on the thread that calls it, as where others do the same work beside it."""
    before = getattr(_here, "alone", False)
    _here.alone = alone or before
    try:
        yield
    finally:
        _here.alone = before


def n_threads() -> int:
    """The processors that this process may use, or fewer if OMP_NUM_THREADS says so; 1 inside `one_thread`."""
    if getattr(_here, "alone", False):
        return 1
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(available, int(wanted)) if wanted.isdigit() and int(wanted) > 0 else available


class Workers:
    """Threads that share out numbered tasks."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._pool = ThreadPoolExecutor(n - 1) if n > 1 else None

    def run(self, n_tasks: int, task: Callable[[int, int], object]) -> None:
        """Call task(worker, i) for i in 0 .. n_tasks - 1, each worker one at a time."""
        numbers = itertools.count()

        def work(worker: int) -> None:
            while (i := next(numbers)) < n_tasks:
                task(worker, i)

        if self._pool is None or n_tasks == 1:
            work(0)
            return
        others = [self._pool.submit(work, worker) for worker in range(1, self.n)]
        work(0)
        for other in others:
            other.result()


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def single_threaded_blas() -> AbstractContextManager[object]:
    """While this lasts, matrix products stay on the thread that asks for them."""
    return _blas().limit(limits=1, user_api="blas")
