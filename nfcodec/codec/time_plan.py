"""Time: how families share it, what a plan leaves out, and what people are told of it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

from nfcodec.fitting.cost import Work
from nfcodec.fitting.plans import Plan
from nfcodec.fitting.request import Request
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


class Need(NamedTuple):
    """The seconds that a file takes, about: of the least plan that is worth a try, and of the one asked for."""

    least: float
    most: float


def shares_of(seconds_left: float, needs: Sequence[Need]) -> list[float]:
    """The parts of the time that is left: first what each needs at least, then by what all need beyond that.

    By what they need at most where there is time for everything, and at least where there is not even that.
    """
    if math.isinf(seconds_left):
        return [seconds_left] * len(needs)
    least, most = (sum(each) for each in zip(*needs, strict=True))
    if seconds_left >= most:
        return [seconds_left * each.most / most for each in needs]
    if seconds_left <= least:
        return [seconds_left * each.least / least for each in needs]
    beyond = (seconds_left - least) / (most - least)
    return [each.least + beyond * (each.most - each.least) for each in needs]


class Announcer:
    """Tells listeners what is to follow: each plan to those who draw it, and in words once for all tries of an effort.

    A plan that was told as what comes after another one is not told again, so one bar goes over both.
    """

    def __init__(self) -> None:
        self._in_words = set[tuple[str, int]]()
        self._covered: Sequence[Plan] = ()

    def tell(self, plan: Plan, request: Request, coming: Sequence[Plan] = ()) -> None:
        """Announce what is about to be done for a request, and what comes after it."""
        if plan in self._covered:
            return
        self._covered, whole = coming, plan.before(coming)
        task = request.task.rstrip(" 0123456789")
        each, known = task if task != request.task else "", (task, plan.effort)
        left = request.deadline - time.monotonic()
        message = announcement(plan, left, each) if plan.seconds > left else announcement(whole, math.inf, each)
        request.announce(whole, "" if known in self._in_words else message)
        self._in_words.add(known)


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
