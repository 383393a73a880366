"""What ends the command before it is done: it cleans up and says so, until its output has got its name."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator
from types import FrameType
from typing import NoReturn

_TERMINATING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

ENDING = (signal.SIGINT, *_TERMINATING)
"""The signals by which people and systems end a command."""

_state = {"committed": False}


class Terminated(BaseException):
    """A signal asks the process to end; `exit_code` is what a shell would report of it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextlib.contextmanager
def as_exceptions(to_the_end: bool = False) -> Generator[None]:
    """While this lasts, a signal that would end the process raises Terminated, so that temporary files are removed.

    Signals that somebody handles or ignores already, as under nohup, are left alone.

    Args:
        to_the_end: whether the process ends with this, so that what `commit` has set lasts while the interpreter ends.
    """
    _state["committed"] = False
    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        for number in _TERMINATING:
            if before[number] is signal.SIG_DFL:
                signal.signal(number, _raise)
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and not (to_the_end and committed()):  # None: it was not set from Python
                signal.signal(number, handler)


def commit() -> None:
    """From now on signals change nothing: the output is about to get its name, and only words are left to be said.

    Raises what signals raise that came before.
    """
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
    _state["committed"] = True


def committed() -> bool:
    """Whether `commit` was called: the output is there, and nobody may say that the command was interrupted."""
    return _state["committed"]


def _raise(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(number)
