"""The best PSNR in a given number of bytes: a search over PSNR targets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nfcodec.errors import TargetNotReachedError
from nfcodec.fitting import Request
from nfcodec.limits import MAX_PSNR_DB

LEAST_PSNR_DB = 3.0
CLOSE = 0.01
"""A file that leaves no more than this share of its budget unused will do."""

CLOSE_QUICKLY = 0.03
TRIES = 8
WORDS = 8
"""Sizes go by words; so many bytes unused are always close."""

LEAST_DB, MAX_MOVE_DB = 0.01, 12.0
BITS_PER_DB = 0.2
"""log2 of the size over the PSNR, until two files show what it is."""


@dataclass(frozen=True)
class Encoded:
    """A file's bytes and the report of how it came about (the keys of `nfcodec encode --json`)."""

    data: bytes
    report: dict[str, Any]

    @property
    def psnr_db(self) -> float:
        """Infinite for a file without loss."""
        return math.inf if self.report["psnr_db"] is None else self.report["psnr_db"]


def best_within(budget: int, n_pixels: int, request: Request, encode_at: Callable[[Request], Encoded]) -> Encoded:
    """The file with the highest PSNR found among those of at most `budget` bytes; the smallest found if none is.

    Args:
        encode_at: makes a file of about the PSNR asked for, or raises TargetNotReachedError where that is out of reach.
    """
    psnr_db = 34.0 + 6.0 * math.log2(8 * budget / n_pixels)
    search = _Search(budget, encode_at)
    if request.effort > 1:  # quick files tell about where to look
        psnr_db = search.run(replace(request, effort=1), psnr_db, CLOSE_QUICKLY)
    search.run(request, psnr_db, CLOSE)
    return search.best()


@dataclass(frozen=True)
class _Point:
    """A PSNR target and log2 of the size of its file; infinite if it is out of reach."""

    psnr_db: float
    log2_size: float


class _Search:
    """Files of one picture, and what they say about the PSNR that fits the budget."""

    def __init__(self, budget: int, encode_at: Callable[[Request], Encoded]) -> None:
        self._budget, self._encode_at = budget, encode_at
        self._found: list[Encoded] = []
        self._slope = BITS_PER_DB

    def best(self) -> Encoded:
        """See `best_within`."""
        if not self._found:
            raise TargetNotReachedError("no PSNR that was tried is within reach", -math.inf)
        fitting = [each for each in self._found if len(each.data) <= self._budget]
        if not fitting:
            return min(self._found, key=lambda each: len(each.data))
        return max(fitting, key=lambda each: (each.psnr_db, -len(each.data)))

    def run(self, request: Request, psnr_db: float, close: float) -> float:
        """Encode until a file is close to the budget; return the PSNR that should meet it."""
        goal = math.log2(self._budget * (1 - close / 2))
        low: _Point | None = None
        high: _Point | None = None
        for attempt in range(TRIES):
            psnr_db = min(MAX_PSNR_DB, max(LEAST_PSNR_DB, psnr_db))
            if attempt and request.expired():
                break
            request.note(f"trying {psnr_db:.2f} dB")
            point, unused = self._try(replace(request, psnr_db=psnr_db))
            enough = 0 <= unused <= max(WORDS, close * self._budget) or (unused > 0 and psnr_db == MAX_PSNR_DB)
            low, high = (point, high) if unused >= 0 else (low, point)
            if enough or (unused < 0 and psnr_db == LEAST_PSNR_DB):
                break
            if low and high and high.psnr_db - low.psnr_db < LEAST_DB:
                break
            psnr_db = self._next(point, low, high, goal)
        return psnr_db

    def _try(self, request: Request) -> tuple[_Point, float]:
        """Encode; also return how many bytes are unused, 0 for a file without loss within the budget."""
        try:
            encoded = self._encode_at(request)
        except TargetNotReachedError:
            return _Point(request.psnr_db, math.inf), -math.inf
        self._found.append(encoded)
        unused = self._budget - len(encoded.data)
        done = math.isinf(encoded.psnr_db) and unused > 0
        return _Point(request.psnr_db, math.log2(len(encoded.data))), 0 if done else unused

    def _next(self, latest: _Point, low: _Point | None, high: _Point | None, goal: float) -> float:
        """Where the line through the points on both sides meets the goal; from one point, with the slope so far."""
        if low is None or high is None:
            return latest.psnr_db + max(-MAX_MOVE_DB, min(MAX_MOVE_DB, (goal - latest.log2_size) / self._slope))
        width = high.psnr_db - low.psnr_db
        if math.isinf(high.log2_size) or high.log2_size <= low.log2_size:
            return low.psnr_db + width / 2
        self._slope = (high.log2_size - low.log2_size) / width
        share = (goal - low.log2_size) / (high.log2_size - low.log2_size)
        return low.psnr_db + width * max(0.05, min(0.95, share))
