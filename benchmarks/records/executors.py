"""Where jobs run: here, in local processes, or on a Ray cluster. All give results as they are done, in any order."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, Protocol, TypeVar

import benchmarks
import nfcodec
from benchmarks.records.progress import SearchState, listen, tell
from nfcodec.errors import UsageError

T = TypeVar("T")

NEWS_SECONDS = 0.5
"""Between two times that a worker process tells how far it is."""


class Executor(Protocol):
    """Calls a function of the top level of a module with each tuple of arguments."""

    def __call__(self, function: Callable[..., T], calls: Iterable[tuple[Any, ...]]) -> Iterator[T]: ...


def here(function: Callable[..., T], calls: Iterable[tuple[Any, ...]]) -> Iterator[T]:
    """One after the other, in this process."""
    return (function(*arguments) for arguments in calls)


class Processes:
    """Local processes, each with its share of the processors that this one may use; what they tell is told here.

    After a failure nothing more is begun, and what is running is finished and kept before the error is raised.

    Raises:
        ChildProcessError: a process was killed.
    """

    def __init__(self, n: int) -> None:
        self._n = n

    def __call__(self, function: Callable[..., T], calls: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        from nfcodec.workers import n_threads  # not above: it loads numpy, and workers must limit its threads before

        threads = max(1, n_threads() // self._n)
        spawn = multiprocessing.get_context("spawn")
        news: SimpleQueue[SearchState] = spawn.SimpleQueue()
        with ProcessPoolExecutor(self._n, spawn, initializer=_begin_worker, initargs=(threads, news)) as pool:
            remaining, pending, failure = iter(calls), set[Future[T]](), None
            try:
                while True:
                    if failure is None:
                        # arguments hold pictures: only as many as are soon needed
                        more = islice(remaining, 2 * self._n - len(pending))
                        pending |= {pool.submit(function, *each) for each in more}
                    if not pending:
                        break
                    done, pending = wait(pending, NEWS_SECONDS, FIRST_COMPLETED)
                    while not news.empty():
                        tell(news.get())
                    for future in done:
                        error = future.exception()
                        if error is None:
                            yield future.result()
                        elif not isinstance(error, Exception):
                            raise error  # a worker heard of an interruption first
                        elif failure is None:
                            failure = error
                            pending = {each for each in pending if not each.cancel()}
            except BrokenProcessPool as error:  # which a pool also raises when it is handed a call
                failure = error
            except (KeyboardInterrupt, GeneratorExit):
                for worker in multiprocessing.active_children():
                    worker.terminate()  # else it finishes its search first, which may take minutes
                raise
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(failure, BrokenProcessPool):
            raise ChildProcessError("a worker process was killed; if memory was short, try fewer --processes")
        if failure is not None:
            raise failure


def _begin_worker(n_threads: int, news: SimpleQueue[SearchState]) -> None:
    _limit_threads(n_threads)
    last = 0.0

    def pass_on(state: SearchState) -> None:
        nonlocal last
        if time.monotonic() - last >= NEWS_SECONDS:
            last = time.monotonic()
            news.put(state)

    listen(pass_on)


def _limit_threads(n: int) -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(n)


class Ray:
    """A Ray cluster: its address, "auto" for one that runs here, or "local" to start one for this run.

    Its machines need nfcodec's dependencies and its `bench` extra; nfcodec and this package are sent to them.

    Args:
        gpus: that each call asks for.

    Raises:
        UsageError: ray is not installed.
    """

    def __init__(self, address: str, gpus: int = 0) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise UsageError("--ray needs the ray package: pip install 'nfcodec[ray]'") from error
        self._address, self._gpus = address, gpus

    def _more(self) -> dict[str, Any]:
        """A cluster elsewhere gets both packages as they are here."""
        if self._address == "local":
            return {"include_dashboard": False}
        packages = [str(Path(module.__file__).parent) for module in (nfcodec, benchmarks) if module.__file__]
        return {"runtime_env": {"py_modules": packages}}

    def _places(self, resources: dict[str, float]) -> int:
        """Calls that run at a time. Raises UsageError where none ever would."""
        n = int(resources.get("CPU", 1))
        if not self._gpus:
            return n
        if resources.get("GPU", 0) < self._gpus:
            raise UsageError(f"the Ray cluster at {self._address!r} has no GPU")
        return min(n, int(resources["GPU"] / self._gpus))

    def __call__(self, function: Callable[..., T], calls: Iterable[tuple[Any, ...]]) -> Iterator[T]:
        ray = self._ray
        try:
            ray.init(address=self._address, log_to_driver=False, logging_level="error", **self._more())
        except ConnectionError as error:
            raise UsageError(f"no Ray cluster at {self._address!r}: {error}") from error
        try:
            remote = ray.remote(num_cpus=1, num_gpus=self._gpus)(_one_thread)
            limit = 2 * max(1, self._places(ray.cluster_resources()))
            remaining, pending = iter(calls), list[Any]()
            while True:
                pending += [remote.remote(function, *each) for each in islice(remaining, limit - len(pending))]
                if not pending:
                    return
                done, pending = ray.wait(pending)
                yield from ray.get(done)
        finally:
            ray.shutdown()


def _one_thread(function: Callable[..., T], *arguments: Any) -> T:
    _limit_threads(1)
    return function(*arguments)
