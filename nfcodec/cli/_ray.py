"""Work on many files on a Ray cluster.

Only this process reads and writes files, so the machines of the cluster need not see them, and a file whose worker is
lost is worked on again without anything that was written twice.
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import socket
import sys
import threading
from collections.abc import Generator, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import nfcodec
from nfcodec.cli import _signals
from nfcodec.cli._processes import SECONDS_TO_A_LOOK, Told
from nfcodec.cli._work import Failure, Job, Made, Outcomes, Work, attempt
from nfcodec.errors import NfcError, UsageError
from nfcodec.workers import one_thread

TRIES_AGAIN = 3
"""For a file whose worker is lost, as where its machine is."""


SECONDS_TO_CONNECT = 10.0


class Ray:
    """A Ray cluster: its address, "auto" for one that runs here, or "local" to start one for this run.

    Its machines need nfcodec's dependencies; nfcodec itself is sent to them. Each file takes one core.

    Raises:
        UsageError: the package ray is not installed.
    """

    def __init__(self, address: str) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise UsageError("--ray needs the ray package: pip install 'nfcodec[ray]'") from error
        self._address = address

    def __call__(self, work: Work, calls: Iterable[tuple[Job, bytes]], tell: Told) -> Outcomes:
        """Do the work on each file; what comes of them comes in any order. Files are asked for when they are needed.

        Raises:
            UsageError: there is no such cluster.
        """
        ray = self._ray
        with self._connected():
            remote = ray.remote(num_cpus=1, max_retries=TRIES_AGAIN)(_attempt)
            at_once = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
            waiting, pending, the_work = iter(calls), dict[Any, Job](), ray.put(work)
            while True:
                for job, data in islice(waiting, at_once - len(pending)):
                    pending[remote.remote(the_work, job, data)] = job
                if not pending:
                    return
                for reference in self._done(pending):
                    yield pending.pop(reference), self._outcome(reference)

    @contextlib.contextmanager
    def _connected(self) -> Generator[None]:
        more: dict[str, Any] = {"include_dashboard": False}
        if self._address != "local":  # a cluster elsewhere gets the package as it is here
            more = {"runtime_env": {"py_modules": [str(Path(nfcodec.__file__).parent)]}}
        try:
            _knock(self._address)
            with _signals_kept():
                self._ray.init(address=self._address, log_to_driver=False, logging_level="error", **more)
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(f"no Ray cluster at {self._address!r}: {error}") from error
        try:
            with contextlib.redirect_stdout(_OwnStream(sys.stdout)):  # pyright: ignore[reportArgumentType]
                yield
        finally:
            self._ray.shutdown()

    def _done(self, pending: Iterable[Any]) -> list[Any]:
        """Those that are done, if there are any before it is time to look for signals."""
        try:
            done, _ = self._ray.wait(list(pending), timeout=SECONDS_TO_A_LOOK)
        except SystemError as error:  # in which Ray wraps what a signal has raised meanwhile
            raise error.__cause__ or error from None
        return done

    def _outcome(self, reference: Any) -> Made | Failure:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            return Failure.of(NfcError(f"the cluster could not work on it: {reason}"))


def _attempt(work: Work, job: Job, data: bytes) -> Made | Failure:
    """On a worker, which has one core."""
    with one_thread():
        return attempt(work, job, data)


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at host:port; Ray would try for minutes, and say so in many words."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_CONNECT).close()


class _OwnStream:
    """Standard output for the thread that makes this; what Ray's threads print there goes to standard error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        """Write to the one or the other."""
        return (self._stream if threading.get_ident() == self._thread else sys.stderr).write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _signals_kept() -> Generator[None]:
    """Restore what signals did before; Ray has them end the process without a word."""
    before = {number: signal.getsignal(number) for number in _signals.ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
