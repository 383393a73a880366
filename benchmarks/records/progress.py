"""How far a run has come: whoever runs long tells it, and whoever wants to know listens.

A listener hears the runs of its own process. Those of local worker processes are passed on to it
(`executors.Processes`); those on a Ray cluster are not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class SearchState:
    """Where a search stands: fits of it that run side by side.

    Attributes:
        name: of the search, for people.
        runs: the fits and the PSNR of each, for people.
        step: how many steps they have taken; most: how many they may take.
    """

    name: str
    runs: str
    step: int
    most: int


Listener = Callable[[SearchState], object]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def tell(state: SearchState) -> None:
    """Tell the listener, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(state)


def listen(listener: Listener) -> None:
    """From now on, the listener is told: for a process that does nothing else."""
    _listener.set(listener)


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """While this lasts, the listener is told."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
