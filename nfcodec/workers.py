"""Threads for work that releases the interpreter's lock, as numpy and compiled kernels do.

Large pictures are cut into tiles, and each thread takes a tile at a time, with matrix products on that thread alone:
a BLAS that starts threads of its own for every small product mostly waits for them.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
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
    return min(available, _positive(os.environ.get("OMP_NUM_THREADS", "")) or available)


def _positive(text: str) -> int | None:
    """The number that plain decimal digits say; None for anything else, as for zero, a sign or thousands of digits."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        return None
    return int(text) or None


class Stopped(BaseException):
    """Ends work on a thread whose results nobody waits for any more, because another part of the work has failed.

    Whoever asked for the work does not see it, but what the other part has raised.
    """


class _Stop:
    """Whether the tasks of a run shall end, or those of a run around it, of which it is a part."""

    def __init__(self, around: _Stop | None) -> None:
        self._around, self._set = around, False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set or (self._around is not None and self._around.is_set())


def check_stopped() -> None:
    """Raise Stopped if the work that this thread does is wanted no more; for loops in tasks that may take seconds."""
    stop: _Stop | None = getattr(_here, "stop", None)
    if stop is not None and stop.is_set():
        raise Stopped


class Workers:
    """Threads that share out numbered tasks. They start when they are first needed, and end with the object."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._pool: ThreadPoolExecutor | None = None

    def run(self, n_tasks: int, task: Callable[[int, int], object]) -> None:
        """Call task(worker, i) for i in 0 .. n_tasks - 1, each worker one at a time; worker 0 is the calling thread.

        An exception in any task, and KeyboardInterrupt on the main thread, stops them all: no task begins any more,
        those that call `check_stopped` end there, and when all have ended the exception is raised here. NumPy treats
        errors of floating-point numbers as on the calling thread.
        """
        around: _Stop | None = getattr(_here, "stop", None)
        stop, numbers = _Stop(around), itertools.count()

        def work(worker: int) -> None:
            while not stop.is_set() and (i := next(numbers)) < n_tasks:
                task(worker, i)

        try:
            _here.stop = stop
            if self.n == 1 or n_tasks <= 1:
                work(0)
            else:
                self._share(work, stop)
        finally:
            _here.stop = around
        check_stopped()  # or some tasks are not done, since a run around this one was stopped

    def _share(self, work: Callable[[int], None], stop: _Stop) -> None:
        """Let worker 0 work here and the others beside it until there is nothing left to do, or one fails."""
        float_errors = np.geterr()

        def beside(worker: int) -> None:
            _here.stop = stop
            try:
                with np.errstate(**float_errors):
                    work(worker)
            except BaseException:
                stop.set()
                raise
            finally:
                _here.stop = None

        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.n - 1)
        others: list[Future[None]] = []
        try:
            others.extend(self._pool.submit(beside, worker) for worker in range(1, self.n))
            work(0)
            for other in others:
                other.result()
        except Stopped:
            self._close(stop)
            raise _cause(others) or Stopped() from None
        except BaseException:
            self._close(stop)
            raise
        finally:
            others.clear()  # or what was raised would be held by what holds its traceback

    def _close(self, stop: _Stop) -> None:
        """Stop the threads and wait until they have ended; there are none then until the next run."""
        stop.set()
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _cause(futures: list[Future[None]]) -> BaseException | None:
    """What stopped some work, as far as it was one of these."""
    errors = [future.exception() for future in futures if future.done() and not future.cancelled()]
    return next((error for error in errors if error is not None and not isinstance(error, Stopped)), None)


class _Blas:
    """Keeps matrix products on the threads that ask for them while anybody wants that.

    How many threads a BLAS has is, as a rule, a setting of the whole process. So the first who comes sets it, and the
    last who leaves restores what there was; between them may be others, on the same thread and beside it. A fork waits
    until nobody is about to do either, and the child forgets the threads that it does not have. A BLAS that has OpenMP
    keeps the number of each thread apart, so there everybody sets and restores their own.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._libraries: list[Any] | None = None
        self._inside: dict[object, int] = {}
        self._before: list[tuple[Any, int]] | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._after_fork
            )

    @contextmanager
    def one_thread(self) -> Generator[None]:
        visit, own = object(), list[tuple[Any, int]]()
        try:
            with self._lock:
                self._inside[visit] = threading.get_ident()
                self._adjust()
                own = _limit(each for each in self._found() if _is_of_threads(each))
            yield
        finally:
            with self._lock:
                _restore(own)
                self._inside.pop(visit, None)
                self._adjust()

    def _found(self) -> list[Any]:
        if self._libraries is None:
            self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
        return self._libraries

    def _adjust(self) -> None:
        if self._inside and self._before is None:
            self._before = _limit(each for each in self._found() if not _is_of_threads(each))
        elif not self._inside and self._before is not None:
            before, self._before = self._before, None
            _restore(before)

    def _after_fork(self) -> None:
        try:
            here = threading.get_ident()
            self._inside = {visit: thread for visit, thread in self._inside.items() if thread == here}
            self._adjust()
        finally:
            self._lock.release()


def _is_of_threads(library: Any) -> bool:
    """Whether each thread has a number of its own in this BLAS."""
    return getattr(library, "threading_layer", None) == "openmp" and library.internal_api == "openblas"


def _limit(libraries: Iterable[Any]) -> list[tuple[Any, int]]:
    """Set these to one thread; returns what they had."""
    before = [(library, library.num_threads) for library in libraries if library.num_threads is not None]
    _restore([(library, 1) for library, _ in before])
    return before


def _restore(numbers: Iterable[tuple[Any, int]]) -> None:
    """Set numbers of threads, and let any thread set them the next time; threadpoolctl allows that to one at a time."""
    for library, number in numbers:
        library.set_num_threads(number)
        getattr(library, "clear_controlling_thread", lambda: None)()


_blas = _Blas()


def single_threaded_blas() -> AbstractContextManager[None]:
    """While this lasts, matrix products stay on the thread that asks for them; then all is as it was before."""
    return _blas.one_thread()
