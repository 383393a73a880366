"""Time: how families share it, what a plan leaves out, and what people are told of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nfcodec.fitting.cost import Work
from nfcodec.fitting.plans import Plan
from nfcodec.raster import Raster

RESIDUAL, PLANE = Work(1.2e-6), Work(0.6e-6)
"""Of a sample that a file holds in a residual or in a plane, to code it and to decode it again."""

TRIES = 4
"""Most searches for a size make so many files of an effort."""

LONG_S = 4.0
"""What takes longer is announced."""

SECONDS_BEFORE_MINUTES, MINUTES_BEFORE_HOURS = 120, 120


def seconds_beside(raster: Raster, n_planes: int, *, exact: bool) -> float:
    """What a file holds beside its field, which no family knows of: a residual, alpha, and key planes."""
    seconds = RESIDUAL.seconds(raster.samples.size) if exact else 0.0
    n_planes += raster.alpha is not None
    return seconds + (PLANE.seconds(n_planes * raster.n_pixels) if n_planes else 0.0)


def share_of(seconds_left: float, needs: Sequence[float]) -> float:
    """The first one's part of the time that is left, if all get it by their needs."""
    return seconds_left if math.isinf(seconds_left) else seconds_left * needs[0] / sum(needs)


def announcement(plan: Plan, seconds_left: float, each: str = "") -> str:
    """What a plan takes, in words; empty if that is not worth a word.

    Args:
        seconds_left: in which it should be over.
        each: what is made several times, as "try"; empty for what is made once.
    """
    what, takes = f"each {each}" if each else "this", f"about {in_words(plan.seconds)}"
    if plan.seconds > seconds_left:
        return f"{what} would take {takes} at the quickest, so it is cut short"
    if plan.seconds < LONG_S:
        return ""
    return f"{what} will take {takes} and {plan.memory_bytes / 1e9:.1f} GB of memory"


def in_words(seconds: float) -> str:
    """About so long."""
    if seconds < SECONDS_BEFORE_MINUTES:
        return f"{max(1.0, seconds):.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < MINUTES_BEFORE_HOURS else f"{minutes / 60:.0f} hours"
