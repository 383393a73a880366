"""What a session would do for a request, and what that takes: seconds, stage by stage, and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from nfcodec.exact.field import Field

SEARCH, WRITING = "quantize", "write"
"""The phases, as `Event` has them, in which a fit looks for the best rounding, and in which the file is written and
decoded again."""


class Stage(NamedTuple):
    """A part of a plan.

    Attributes:
        phase: as in `Event`.
        seconds: that it will take, about.
        steps: gradient steps that it will take, about; 0 where something else is done.
    """

    phase: str
    seconds: float
    steps: int = 0


@dataclass(frozen=True)
class Plan:
    """What a session would do for a request.

    Attributes:
        field: to be fitted.
        recipe: of the effort, a dataclass of the family's own.
        effort: 1 .. 9; at most the request's.
        stages: of the whole encode in their order, up to the writing of the file.
        memory_bytes: that the process will take at its peak, about.
        others: that the fit may end with instead, as where it chooses while it goes; their costs are checked, too.
        n_bytes: promised, about; None where only a fit tells.
    """

    field: Field
    recipe: Any
    effort: int
    stages: Sequence[Stage]
    memory_bytes: float
    others: Sequence[Field] = ()
    n_bytes: float | None = None

    @property
    def seconds(self) -> float:
        """That the whole encode will take, about."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def seconds_of_writing(self) -> float:
        """Those of the end, when the fit is over."""
        return sum(stage.seconds for stage in self.stages if stage.phase == WRITING)

    @property
    def seconds_of_rounding(self) -> float:
        """Those between the last gradient step and the writing; 0 where there are no steps."""
        seconds = 0.0
        for stage in reversed(self.stages):
            if stage.steps:
                return seconds
            seconds += stage.seconds if stage.phase != WRITING else 0.0
        return 0.0

    def before(self, coming: Sequence[Plan]) -> Plan:
        """The same with the time and the memory of what is done after it, as where several families try."""
        stages = [stage for plan in (self, *coming) for stage in plan.stages]
        return replace(self, stages=stages, memory_bytes=max(plan.memory_bytes for plan in (self, *coming)))

    def with_more_to_write(self, seconds: float) -> Plan:
        """The same with so much more time for the file."""
        return replace(self, stages=(*self.stages, Stage(WRITING, seconds))) if seconds else self
