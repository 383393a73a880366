"""What a fit is asked for, what it reports while it runs, and what it delivers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from nfcodec.fitting.problem import Problem, Trial

LONG_S = 20.0
"""Fits that take longer are announced."""

BASE_BYTES, SAMPLE_BYTES, PARAMETER_BYTES = 150e6, 60, 65
"""Memory of an encode: at all, for each sample and for each parameter, as measured."""


@dataclass(frozen=True)
class Event:
    """One moment of an encode.

    Attributes:
        phase: "fit", "fine-tune", "quantize", "write", ...
        step: gradient steps done in this phase; max_steps: their bound.
        psnr_db: of the samples that the current parameters give, at the source's bit depth.
        seconds: since the encode began.
        message: a human sentence, or empty.
    """

    phase: str
    step: int
    max_steps: int
    psnr_db: float
    target_psnr_db: float
    seconds: float
    message: str = ""


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that does nothing."""


@dataclass(frozen=True)
class Clock:
    """Turns steps into events: the phase's name, the file's target, the encode's start and listener."""

    phase: str
    target_psnr_db: float
    started: float
    listen: Listener = ignore

    def tell(self, step: int, max_steps: int, psnr_db: float, message: str = "") -> None:
        """Emit one event."""
        seconds = time.monotonic() - self.started
        self.listen(Event(self.phase, step, max_steps, psnr_db, self.target_psnr_db, seconds, message))


@dataclass(frozen=True)
class Request:
    """How a picture is to be fitted.

    Attributes:
        psnr_db: the decoded samples must reach it.
        effort: 1 (fast) .. 9 (small files).
        max_steps: bound on gradient steps in all; None for the effort's own.
        deadline: `time.monotonic()` value after which no step begins.
        started: `time.monotonic()` value that events count from.
    """

    psnr_db: float
    effort: int
    seed: int
    engine: str = "auto"
    device: str = "auto"
    max_steps: int | None = None
    deadline: float = math.inf
    started: float = 0.0
    listen: Listener = ignore

    def clock(self, phase: str) -> Clock:
        """The clock of a phase."""
        return Clock(phase, self.psnr_db, self.started, self.listen)

    def note(self, message: str) -> None:
        """Tell the listener something about getting ready."""
        self.clock("prepare").tell(0, 0, -math.inf, message)

    def announce(self, problem: Problem, seconds: float, parameter_bytes: float = PARAMETER_BYTES) -> None:
        """Tell the listener how long the fit will take, about, and how much memory, if it is long."""
        seconds = min(seconds, self.deadline - time.monotonic())
        if seconds >= LONG_S:
            n_samples, n_parameters = problem.samples.size, problem.spec.n_parameters(problem.geometry)
            gigabytes = (BASE_BYTES + SAMPLE_BYTES * n_samples + parameter_bytes * n_parameters) / 1e9
            self.note(f"about {_duration(seconds)} and {gigabytes:.1f} GB of memory")

    def expired(self) -> bool:
        return time.monotonic() >= self.deadline


@dataclass(frozen=True)
class Solution:
    """Quantized weights that a file can hold, and how they came about.

    Attributes:
        trial: the weights and what a decoder makes of them.
        fit_steps: gradient steps of the fit of real weights; `steps` counts those of fine-tuning too.
    """

    trial: Trial
    fit_steps: int
    steps: int
    fit_seconds: float
    engine: str
    device: str


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
