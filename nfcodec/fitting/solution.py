"""What a fit delivers to the codec, and what it is asked for."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nfcodec.coding import MAX_SYMBOL
from nfcodec.errors import FormatError
from nfcodec.fields import Parameters, Quantized, Step
from nfcodec.fitting.events import Listener, ignore
from nfcodec.fitting.loop import Clock
from nfcodec.fitting.problem import Problem, Trial

LONG_S = 20.0
"""Fits that take longer are announced."""

BASE_BYTES, SAMPLE_BYTES, PARAMETER_BYTES = 150e6, 60, 65
"""Memory of an encode: at all, for each sample and for each parameter, as measured."""


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


def quantize(problem: Problem, parameters: Parameters, steps: Mapping[str, float]) -> dict[str, Quantized]:
    """Round parameters to the representable steps nearest to `steps` (in the unit of the stored values).

    Raises FormatError if a symbol would be larger than a file can hold.
    """
    weights: dict[str, Quantized] = {}
    for tensor in problem.spec.layout(problem.geometry):
        step = Step.nearest(steps[tensor.name])
        stored = parameters[tensor.name].astype(np.float64) * tensor.unit
        symbols = np.round(stored / step.value)
        if not np.all(np.abs(symbols) <= MAX_SYMBOL):
            raise FormatError("a parameter has more quantizer steps than a file can hold")
        weights[tensor.name] = Quantized(symbols.astype(np.int64), step)
    return weights


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
