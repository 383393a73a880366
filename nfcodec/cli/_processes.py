"""Work on many files in processes of this machine, each with its share of the cores.

Files are read and written by the process that asks for the work. So those that work have nothing to clean up: they may
be killed at any time, by us or by the system where memory runs out, and only the file that one works on is lost.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, NamedTuple

from nfcodec.cli._work import Failure, Job, Made, Outcomes, Work, attempt
from nfcodec.errors import LimitError, NfcError

if TYPE_CHECKING:
    from nfcodec.fitting.request import Event, Listener

Told = Callable[[Job, float | None, str], None]
"""Hears what share of a file is done, if that is known, and what there is to say; empty for nothing."""

SECONDS_BETWEEN = 0.2
"""That pass at least from one share of a file to the next."""

SECONDS_TO_A_LOOK = 0.5
"""At most, until a signal is noticed that came in the moment before waiting began."""

SECONDS_TO_END = 10.0
"""For a process that has closed its pipe."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Processes:
    """Local processes, as many as are given, at least one."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __call__(self, work: Work, calls: Iterable[tuple[Job, bytes]], tell: Told) -> Outcomes:
        """Do the work on each file; what comes of them comes in any order. Files are asked for when they are needed."""
        from nfcodec.workers import n_threads

        shares, waiting = shared_out(n_threads(), self._n), iter(calls)
        free: list[_Process | int] = list(reversed(shares))  # processes, and the threads of those not started yet
        busy: dict[Connection, _Process] = {}
        try:
            while True:
                while free and (call := next(waiting, None)) is not None:
                    process = free.pop()
                    if isinstance(process, int):
                        process = _Process(work, process)
                    busy[process.connection] = process
                    process.begin(*call)
                if not busy:
                    return
                for connection in wait(list(busy), SECONDS_TO_A_LOOK):
                    process = busy[connection]  # pyright: ignore[reportArgumentType]
                    answer = process.answer()
                    if isinstance(answer, _News):
                        tell(process.job, answer.share, answer.message)
                        continue
                    del busy[process.connection]
                    free.append(process if process.is_alive() else process.n_threads)
                    yield process.job, answer
        finally:
            for process in (*busy.values(), *free):
                if not isinstance(process, int):
                    process.end()


def shared_out(n_threads: int, n: int) -> list[int]:
    """The threads of each of n processes: as equal as can be, and at least one."""
    return [max(1, n_threads // n + (i < n_threads % n)) for i in range(n)]


class _News(NamedTuple):
    """What a process says while it works."""

    share: float | None
    message: str


class _Process:
    """A process that works on one file at a time, seen from the one that has started it."""

    def __init__(self, work: Work, n_threads: int) -> None:
        self.n_threads = n_threads
        self.job = Job("")
        spawn = multiprocessing.get_context("spawn")
        self.connection, self._theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(self._theirs, pickle.dumps(work), n_threads), daemon=True)

    def begin(self, job: Job, data: bytes) -> None:
        """Let it work on a file, for which it is started the first time. The answer says whether it is still there."""
        self.job = job
        if self._process.pid is None:
            with _deaf():
                self._process.start()
            self._theirs.close()
        with contextlib.suppress(OSError):
            self.connection.send((job, data))

    def answer(self) -> Made | Failure | _News:
        """Wait for the next thing that it says, or for its end."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self._process.join(SECONDS_TO_END)  # the system closes its end of the pipe first
            self.end()
            return Failure.of(_death(self._process.exitcode))

    def is_alive(self) -> bool:
        """Whether it can take another file."""
        return not self.connection.closed

    def end(self) -> None:
        """Kill it if it has not ended, and wait for that."""
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()
        self._theirs.close()
        self.connection.close()


def _death(exit_code: int | None) -> NfcError:
    """Why there is no answer of a process that has ended."""
    if exit_code is not None and exit_code < 0:
        name = next((each.name for each in signal.Signals if each == -exit_code), f"signal {-exit_code}")
        if name == "SIGKILL":
            return LimitError(
                "the process that worked on it was killed (SIGKILL), as systems do when memory runs out; with a"
                " smaller -j there is more for each file",
                code="exhausted",
            )
        return NfcError(f"the process that worked on it was ended by {name}")
    return NfcError(f"the process that worked on it ended with the exit code {exit_code}")


@contextlib.contextmanager
def _deaf() -> Generator[None]:
    """Let what is started meanwhile not hear what a terminal tells all processes that it sees: its parent decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which hears all of them again when it has been started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ------------------------------------------------------------------------------------------- in the process that works


def _serve(connection: Connection, pickled: bytes, n_threads: int) -> None:
    """Work on one file after the other, until there are no more."""
    os.environ.update(dict.fromkeys(_THREADS, str(n_threads)))  # before anybody imports numpy
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work: Work = pickle.loads(pickled)
    with contextlib.suppress(EOFError, OSError):
        while True:
            job, data = connection.recv()
            connection.send(attempt(work, job, data, _teller(connection) if work.tells else None))


def _end_with_parent() -> None:
    parent: Any = multiprocessing.parent_process()
    wait([parent.sentinel])
    os._exit(1)


def _teller(connection: Connection) -> Listener:
    """What sends on how far an encode is, if somebody has not just been told."""
    from nfcodec.cli._bar import Bar

    bar, told = Bar(), 0.0

    def tell(event: Event) -> None:
        nonlocal told
        share, now = bar.line(event).share, time.monotonic()
        if event.message or (share is not None and now - told > SECONDS_BETWEEN):
            told = now
            connection.send(_News(share, event.message))

    return tell
