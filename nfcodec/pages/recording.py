"""The events of an encode, as many of them as a page needs, and what they tell phase by phase."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nfcodec.fitting.request import Event

WORDS = {
    "prepare": "getting ready",
    "fit": "fitting",
    "shrink": "saving bytes",
    "fine-tune": "fine-tuning",
    "quantize": "rounding",
    "write": "writing",
}
"""What phases are called."""

GETTING_READY, SEARCH, WRITTEN = "prepare", "quantize", "write"
"""The phase before any other, that whose events are trials where others have gradient steps, and that of files."""

A_TENFOLD = 600
"""How many events are kept, about, of each tenfold of the time; beside all that begin or end a phase."""


@dataclass
class Phase:
    """All that was done in one phase of one task, be it at once or again and again.

    Attributes:
        seconds: that passed in it; begins: how often it was entered; steps: gradient steps or trials.
        psnr_db, bits_per_pixel: the last ones that were told; NaN for none.
    """

    task: str
    name: str
    seconds: float = 0.0
    begins: int = 0
    steps: int = 0
    psnr_db: float = math.nan
    bits_per_pixel: float = math.nan


@dataclass
class Recording:
    """A listener that hands on what it hears.

    Attributes:
        events: those that were kept; messages: all of them.
        phases: in the order in which they were entered first.
    """

    further: Callable[[Event], None] | None = None
    events: list[Event] = field(default_factory=list["Event"])
    messages: list[str] = field(default_factory=list[str])
    phases: dict[tuple[str, str], Phase] = field(default_factory=dict[tuple[str, str], Phase])

    def __post_init__(self) -> None:
        self._last: Event | None = None

    def __call__(self, event: Event) -> None:
        if self.further is not None:
            self.further(event)
        if event.message:
            self.messages.append(event.message)
        last = self._last
        begins = last is None or (last.task, last.phase) != (event.task, event.phase)
        if begins and last is not None and self.events[-1] is not last:
            self.events.append(last)
        if begins or event.phase == WRITTEN or event.seconds >= self._due():
            self.events.append(event)
        self._count(event, 0.0 if last is None else event.seconds - last.seconds, begins)
        self._last = event

    def finish(self) -> None:
        """Keep the last event, too."""
        if self._last is not None and self.events[-1] is not self._last:
            self.events.append(self._last)

    def _due(self) -> float:
        """When the next event is worth keeping."""
        return self.events[-1].seconds * 10 ** (1 / A_TENFOLD)

    def _count(self, event: Event, seconds: float, begins: bool) -> None:
        phase = self.phases.setdefault((event.task, event.phase), Phase(event.task, event.phase))
        phase.seconds += seconds
        phase.begins += begins
        if event.phase == SEARCH:
            phase.steps += 1
        elif self._last is None or begins or event.step < self._last.step:
            phase.steps += event.step
        else:
            phase.steps += event.step - self._last.step
        if math.isfinite(event.psnr_db):
            phase.psnr_db = event.psnr_db
        if math.isfinite(event.bits_per_pixel):
            phase.bits_per_pixel = event.bits_per_pixel
