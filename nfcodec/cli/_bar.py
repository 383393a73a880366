"""How far an encode is, in one bar over all that its plan says: the phase, the share done, the seconds left.

A plan is a guess, so both numbers follow what has really been done: gradient steps where a stage counts them, time
where it is a search, and the pace of the stages before. What is shown never goes backwards: where a guess was too good,
it stands still until the encode has caught up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nfcodec.pages.recording import WORDS

if TYPE_CHECKING:
    from nfcodec.fitting.plans import Stage
    from nfcodec.fitting.request import Event

FIRST = WORDS["prepare"]

MOST = 0.95
"""Of a stage that is not over: a fit may take more steps than planned, and a search more time."""

TRUST = 0.1
"""What the plan's own pace weighs, as a share of its time, beside the pace of what has been done."""

SECONDS_BEFORE_MINUTES = 120


@dataclass(frozen=True)
class Line:
    """What is shown: a name, the share done (None while there is no plan), what is left, the PSNR beside its target."""

    name: str
    share: float | None = None
    left: str = ""
    psnr: str = ""


class Bar:
    """Follows the events of one encode, and begins anew with each plan."""

    def __init__(self) -> None:
        self._name = FIRST
        self._course: _Course | None = None

    def line(self, event: Event) -> Line:
        """What to show for an event."""
        if event.plan is not None:
            self._course = _Course(event.plan.stages, event.seconds)
        elif self._course is not None:
            self._course.follow(event)
        if event.phase != "prepare":
            self._name = WORDS.get(event.phase, event.phase)
        name = f"{event.task}: {self._name}" if event.task else self._name
        if self._course is None:
            return Line(name, psnr=_psnr(event))
        return Line(name, self._course.share, left_in_words(self._course.seconds_left), _psnr(event))


class _Course:
    """Of one plan.

    Args:
        seconds: when it began, as `Event.seconds`.

    Attributes:
        share: done, which never falls; seconds_left: about, which never rise.
    """

    def __init__(self, stages: Sequence[Stage], seconds: float) -> None:
        self._stages, self._began = stages, seconds
        self._total = max(1e-9, sum(stage.seconds for stage in stages))
        self._at, self._entered = -1, seconds
        self._steps, self._step, self._max_steps = 0, 0, 0
        self.share, self.seconds_left = 0.0, self._total

    def follow(self, event: Event) -> None:
        """Take in an event."""
        if self._at < 0 or event.phase != self._stages[self._at].phase or self._is_next_of_its_kind(event):
            self._enter(event)
        else:
            if event.step < self._step:  # the phase starts anew, as for the next part of a picture
                self._steps += self._step
            self._step, self._max_steps = event.step, event.max_steps
        self._look(event.seconds)

    def _is_next_of_its_kind(self, event: Event) -> bool:
        """Whether a stage of the same phase follows, and this is an event of it: its bound is another."""
        following = self._stages[self._at + 1 : self._at + 2]
        return any(each.phase == event.phase for each in following) and event.max_steps != self._max_steps

    def _enter(self, event: Event) -> None:
        """Go on to the next stage of this phase; where none is planned, time goes on in the current one."""
        for i in range(self._at + 1, len(self._stages)):
            if self._stages[i].phase == event.phase:
                self._at, self._entered = i, event.seconds
                self._steps, self._step, self._max_steps = 0, event.step, event.max_steps
                return

    def _look(self, seconds: float) -> None:
        if self._at < 0:
            return
        before = sum(stage.seconds for stage in self._stages[: self._at])
        stage = self._stages[self._at]
        if stage.steps:
            share = (self._steps + self._step) / stage.steps
        else:
            share = (seconds - self._entered) / max(1e-9, stage.seconds)
        done = before + stage.seconds * min(MOST, max(0.0, share))
        trust = TRUST * self._total
        pace = (seconds - self._began + trust) / (done + trust)
        self.share = max(self.share, min(1.0, done / self._total))
        self.seconds_left = min(self.seconds_left, pace * (self._total - done))


def left_in_words(seconds: float) -> str:
    """How long something will take yet."""
    if seconds < SECONDS_BEFORE_MINUTES:
        return f"{math.ceil(seconds)} s left"
    return f"{math.ceil(seconds / 60)} min left"


def _psnr(event: Event) -> str:
    if not math.isfinite(event.psnr_db):
        return ""
    target = f", target {event.target_psnr_db:.2f} dB" if math.isfinite(event.target_psnr_db) else ""
    return f"{event.psnr_db:.2f} dB now{target}"
