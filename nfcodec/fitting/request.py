"""What a fit is asked for, what it reports while it runs, and what it delivers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from nfcodec.exact.field import Field
from nfcodec.fitting.goals import Goal, Psnr
from nfcodec.fitting.plans import Plan
from nfcodec.fitting.problem import Problem, Trial


@dataclass(frozen=True)
class Event:
    """One moment of an encode.

    Attributes:
        phase: "fit" (steps towards the target), "shrink" (steps from the target on that trade error for bytes),
            "fine-tune" (steps on rounded weights), "quantize" (a search for the best rounding), "write" (the file is
            written and decoded again), or "prepare".
        step: gradient steps, or trials of a search, done in this phase; max_steps: their bound. Both start anew
            wherever a phase is entered again.
        psnr_db: of the samples that the current parameters give, at the source's bit depth.
        target_psnr_db: NaN where something else than a PSNR is asked for.
        seconds: since the encode began.
        message: a human sentence, or empty.
        task: which of several encodes of the picture this is, as "try 3" or "grid"; empty if it is the only one.
        plan: what is to follow, where it begins, up to the end of all encodes that are sure to come; None otherwise.
        bits_per_pixel: of what the field's symbols take, about, or of a whole file where one has been written; NaN
            where they have not been counted.
    """

    phase: str
    step: int
    max_steps: int
    psnr_db: float
    target_psnr_db: float
    seconds: float
    message: str = ""
    task: str = ""
    plan: Plan | None = None
    bits_per_pixel: float = math.nan


Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that does nothing."""


def each_message_once(listen: Listener) -> Listener:
    """The same listener, but events whose message it has heard before come without it."""
    heard: set[str] = set()

    def tell(event: Event) -> None:
        listen(replace(event, message="") if event.message in heard else event)
        if event.message:
            heard.add(event.message)

    return tell


@dataclass(frozen=True)
class Clock:
    """Turns steps into events: the phase's name, the file's target, the encode's start, listener and task."""

    phase: str
    target_psnr_db: float
    started: float
    listen: Listener = ignore
    task: str = ""

    def tell(
        self,
        step: int,
        max_steps: int,
        psnr_db: float,
        message: str = "",
        plan: Plan | None = None,
        bits_per_pixel: float = math.nan,
    ) -> None:
        """Emit one event."""
        seconds, target_db = time.monotonic() - self.started, self.target_psnr_db
        told = (message, self.task, plan, bits_per_pixel)
        self.listen(Event(self.phase, step, max_steps, psnr_db, target_db, seconds, *told))


@dataclass(frozen=True)
class Request:
    """How a picture is to be fitted.

    Attributes:
        goal: what the file must reach; families that reach others than a PSNR say so (Session.native).
        effort: 1 (fast) .. 9 (small files).
        least_effort: where time is short, plans of less than this are not taken, if there are others.
        max_steps: bound on gradient steps in all; None for the effort's own.
        deadline: `time.monotonic()` value after which nothing is begun that the goal does not need.
        rounding_seconds: before the deadline gradient steps end, as what follows them takes so long.
        started: `time.monotonic()` value that events count from.
        task: see `Event`.
    """

    goal: Goal
    effort: int
    seed: int
    engine: str = "auto"
    device: str = "auto"
    max_steps: int | None = None
    deadline: float = math.inf
    rounding_seconds: float = 0.0
    started: float = 0.0
    listen: Listener = ignore
    task: str = ""
    least_effort: int = 1

    @property
    def steps_deadline(self) -> float:
        """`time.monotonic()` value after which no gradient step begins."""
        return self.deadline - self.rounding_seconds

    @property
    def psnr_db(self) -> float:
        """The PSNR that the decoded samples must reach. Raises TypeError where something else is asked for."""
        if not isinstance(self.goal, Psnr):
            raise TypeError(f"the goal is {self.goal}, not a PSNR")
        return self.goal.psnr_db

    def at(self, psnr_db: float, task: str | None = None) -> Request:
        """The same for a PSNR, as a task of its own if that is named."""
        return replace(self, goal=Psnr(psnr_db), task=self.task if task is None else task)

    def clock(self, phase: str) -> Clock:
        """The clock of a phase."""
        target_db = self.goal.psnr_db if isinstance(self.goal, Psnr) else math.nan
        return Clock(phase, target_db, self.started, self.listen, self.task)

    def note(self, message: str) -> None:
        """Tell the listener something about getting ready."""
        self.clock("prepare").tell(0, 0, -math.inf, message)

    def announce(self, plan: Plan, message: str = "") -> None:
        """Tell the listener what is to follow."""
        self.clock("prepare").tell(0, 0, -math.inf, message, plan)

    def within(self, plan: Plan) -> Request:
        """The same for the fit of a plan, which leaves the time to round and to write what it has found."""
        return replace(
            self,
            effort=plan.effort,
            deadline=self.deadline - plan.seconds_of_writing,
            rounding_seconds=plan.seconds_of_rounding,
        )

    def expired(self) -> bool:
        """Whether the deadline has passed: a search ends with the first result that reaches the goal."""
        return time.monotonic() >= self.deadline

    def steps_expired(self) -> bool:
        """Whether no gradient step may begin any more."""
        return time.monotonic() >= self.steps_deadline


@dataclass(frozen=True)
class Solution:
    """Quantized weights that a file can hold, and how they came about.

    Attributes:
        problem: the field, and the picture that it was fitted to.
        trial: the weights and what a decoder makes of them.
        fit_steps: gradient steps of the fit of real weights; `steps` counts those of fine-tuning too.
        engine: that took the steps; None if the weights were solved in closed form.
    """

    problem: Problem
    trial: Trial
    fit_steps: int
    steps: int
    fit_seconds: float
    engine: str | None
    device: str

    @classmethod
    def closed_form(cls, problem: Problem, trial: Trial, seconds: float, steps: int = 0) -> Solution:
        """One that needed no engine.

        Args:
            steps: gradient steps that were taken and brought nothing.
        """
        return cls(problem, trial, steps, steps, seconds, None, "cpu")

    @property
    def stepped(self) -> bool:
        """Whether the weights come from gradient steps; there may have been some that brought nothing."""
        return self.engine is not None

    @property
    def field(self) -> Field:
        """What a file is to describe."""
        return self.problem.field
