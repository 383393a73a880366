"""What a fit reports while it runs; the progress bar, the benchmarks and the plots read the same stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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
