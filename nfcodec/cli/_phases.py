"""What an encode is doing, in plain words: a name for it, and a bar that never starts anew under the same name."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nfcodec.fitting.request import Event

FIRST = "getting ready"


@dataclass(frozen=True)
class _Phase:
    """A phase of `Event` for people.

    Attributes:
        counted: whether its steps are worth a bar. A search is not: it ends when it has found what it looks for.
    """

    words: str
    counted: bool = True


_PHASES = {
    "fit": _Phase("fitting"),
    "shrink": _Phase("saving bytes"),
    "fine-tune": _Phase("fine-tuning"),
    "quantize": _Phase("rounding", counted=False),
}


@dataclass(frozen=True)
class Line:
    """What is shown: a name, how many steps are done of how many (None for no bar), and the PSNR beside its target."""

    name: str
    done: int = 0
    total: int | None = None
    psnr: str = ""


class Phases:
    """Follows the events of one encode."""

    def __init__(self) -> None:
        self._task, self._phase, self._done, self._total = "", "", 0, 0
        self._parts = Counter[str]()

    def line(self, event: Event) -> Line:
        """What to show for an event."""
        phase = _PHASES.get(event.phase) or _Phase(event.phase)
        self._follow(event)
        part = self._parts[event.phase]
        name = f"{phase.words}, part {part}" if phase.counted and part > 1 else phase.words
        name = f"{event.task}: {name}" if event.task else name
        total = event.max_steps if phase.counted and event.max_steps else None
        return Line(name, event.step if total else 0, total, _psnr(event))

    def _follow(self, event: Event) -> None:
        """Count the parts: a phase that is entered again, or whose steps start anew, is the next part of it."""
        if event.task != self._task:
            self._parts.clear()
        same = (event.task, event.phase, event.max_steps) == (self._task, self._phase, self._total)
        if not same or event.step < self._done:
            self._parts[event.phase] += 1
        self._task, self._phase, self._done, self._total = event.task, event.phase, event.step, event.max_steps


def _psnr(event: Event) -> str:
    if not math.isfinite(event.psnr_db):
        return ""
    target = f", target {event.target_psnr_db:.2f} dB" if math.isfinite(event.target_psnr_db) else ""
    return f"{event.psnr_db:.2f} dB now{target}"
