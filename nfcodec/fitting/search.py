"""One-dimensional searches for the largest x that still reaches a goal: by walking, halving, or lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from nfcodec.errors import FormatError
from nfcodec.fitting.request import Request

CLOSE_DB = 0.01
CLOSE_LOG2, LEAST_LOG2 = 0.006, -12.0
"""Of factors: a bracket that is narrow enough, and where to give up."""

FINER_LOG2 = 2.0
"""The first factors may be too fine for the format; each next one is so much larger."""

STEP_TRIALS = 32
DB_PER_OCTAVE, LARGEST_MOVE_LOG2 = 6.02, 4.0
"""What twice the quantizer step loses until two trials tell, and the largest move that follows from that."""

LEAST_FALL_SHARE = 0.2
"""Of that, what two trials must tell at least to be believed, and, turned upside down, at most."""

LEAST_SHARE = 0.05
"""How far inside a bracket its next x lies at least, as a share of its width."""


@dataclass(frozen=True)
class Tried:
    """An x and the value found there."""

    x: float
    value: float


class Bracket:
    """Where a search stands: the largest x known to reach the goal, and the smallest one beyond it known not to.

    Args:
        enough, beyond: what is known before the first trial.
    """

    def __init__(self, enough: Tried | None = None, beyond: Tried | None = None) -> None:
        self.enough, self.beyond = enough, beyond

    def add(self, x: float, value: float, *, reached: bool) -> None:
        """Take in a trial."""
        if reached and (self.enough is None or x > self.enough.x):
            self.enough = Tried(x, value)
        elif not reached and (self.beyond is None or x < self.beyond.x):
            self.beyond = Tried(x, value)

    @property
    def width(self) -> float:
        """Infinite until both ends are known."""
        return math.inf if self.enough is None or self.beyond is None else self.beyond.x - self.enough.x

    def holds(self, x: float) -> bool:
        """Whether an x lies between what is known, ends not counted."""
        above = self.enough is None or x > self.enough.x
        return above and (self.beyond is None or x < self.beyond.x)

    def halfway(self) -> float:
        """The middle. Both ends must be known."""
        assert self.enough is not None
        assert self.beyond is not None
        return (self.enough.x + self.beyond.x) / 2

    def secant(self, goal: float) -> float:
        """Where the line through both ends meets a goal, well inside; the middle where their values give no line."""
        assert self.enough is not None
        assert self.beyond is not None
        share, rise = 0.5, self.beyond.value - self.enough.value
        if math.isfinite(rise) and rise:
            share = min(1 - LEAST_SHARE, max(LEAST_SHARE, (goal - self.enough.value) / rise))
        return self.enough.x + self.width * share


class Attempt(Protocol):
    """What came of a trial."""

    @property
    def psnr_db(self) -> float: ...


AnAttempt = TypeVar("AnAttempt", bound=Attempt)


def coarsest(
    request: Request,
    n_trials: int,
    attempt: Callable[[float], AnAttempt],
    missing_log2: Callable[[AnAttempt], float],
    start_log2: float = 0.0,
) -> AnAttempt:
    """The trial that just reaches the target; the closest found if none does, the first that does if time is up.

    Args:
        attempt: quantizes with all steps times 2^x; a FormatError says that they are too fine for the format.
        missing_log2: about how much larger x could have been, judged by what came of it.
        start_log2: the first x.

    Raises:
        FormatError: no steps suit the values.
    """
    clock, bracket = request.clock("quantize"), Bracket()
    exponent, best, closest = start_log2, None, None
    for number in range(n_trials):
        try:
            trial = attempt(exponent)
        except FormatError:
            if closest is not None:
                break
            exponent += FINER_LOG2
            continue
        clock.tell(number, n_trials, trial.psnr_db)
        excess_db = trial.psnr_db - request.psnr_db
        closest = trial if closest is None or trial.psnr_db > closest.psnr_db else closest
        best = trial if excess_db >= 0 else best
        bracket.add(exponent, trial.psnr_db, reached=excess_db >= 0)
        if 0 <= excess_db < CLOSE_DB or bracket.width < CLOSE_LOG2 or exponent < LEAST_LOG2:
            break
        if best is not None and request.expired():
            break
        guess = exponent + missing_log2(trial)
        if bracket.holds(guess):
            exponent = guess
        elif math.isfinite(bracket.width):
            exponent = bracket.halfway()
        else:
            exponent += math.copysign(0.5, excess_db)
    result = best or closest
    if result is None:
        raise FormatError("no quantizer steps suit the values")
    return result


def land_by_step(request: Request, attempt: Callable[[float], AnAttempt], start_log2: float = 0.0) -> AnAttempt:
    """The coarsest analysis whose PSNR reaches the target; the closest found if none does.

    Args:
        attempt, start_log2: see `coarsest`.
    """

    tried: list[Tried] = []

    def noted(exponent: float) -> AnAttempt:
        trial = attempt(exponent)
        tried.append(Tried(exponent, trial.psnr_db))
        return trial

    def missing_log2(trial: AnAttempt) -> float:
        fall = DB_PER_OCTAVE
        if len(tried) > 1 and tried[-1].x != tried[-2].x:
            fall = (tried[-2].value - tried[-1].value) / (tried[-1].x - tried[-2].x)
        if not LEAST_FALL_SHARE * DB_PER_OCTAVE < fall < DB_PER_OCTAVE / LEAST_FALL_SHARE:  # the trials say nothing
            fall = DB_PER_OCTAVE
        missing = (trial.psnr_db - request.psnr_db - CLOSE_DB / 2) / fall
        return max(-LARGEST_MOVE_LOG2, min(LARGEST_MOVE_LOG2, missing))

    return coarsest(request, STEP_TRIALS, noted, missing_log2, start_log2)
