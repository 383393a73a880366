"""How far a run has come: whoever runs long tells it, and whoever wants to know listens.

Runs in other processes tell nobody, for a listener hears those of its own process only.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Heat:
    """Some fits of one search that run side by side.

    Attributes:
        name: of what is searched for.
        runs: the fits, and where they stand.
        step: which they have come to; most: that there may be.
    """

    name: str
    runs: str
    step: int
    most: int


Listener = Callable[[Heat], object]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def tell(heat: Heat) -> None:
    """Tell the listener, if there is one."""
    listener = _listener.get()
    if listener is not None:
        listener(heat)


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """While this lasts, the listener is told."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
