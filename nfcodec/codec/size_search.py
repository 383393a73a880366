"""The best PSNR in a given number of bytes: a search over PSNR targets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nfcodec.codec.report import Encoded
from nfcodec.errors import TargetNotReachedError
from nfcodec.fitting.family import Session
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import Bracket, Tried
from nfcodec.limits import MAX_PSNR_DB

LEAST_PSNR_DB = 3.0
TRIES = 12
WORDS = 8
"""Sizes go by words; so many bytes unused are always close."""

MAX_MOVE_DB, HIGHEST_START_DB = 12.0, 60.0
LEAST_SLOPE = 0.01
GUESSES, GUESS_DB, MAX_GUESS_MOVE_DB = 6, 0.3, 6.0
"""Of a search in estimates: how many, the move after which it ends, and the largest move."""

START_DB, DB_PER_DOUBLING = 37.0, 5.0
"""What Kodak pictures reach with one bit a pixel, and with twice the bits."""

BITS_PER_DB, SLOPE_DEPENDENCE = 0.2, -0.25
"""log2 of the size over the PSNR, until two files show what it is: at one bit a pixel, over the bits to that power."""


@dataclass(frozen=True)
class Precision:
    """When a search may end.

    Attributes:
        unused: a file that leaves no more than this share of its budget unused will do.
        psnr_db: so will the best there is, if a PSNR so much higher takes too much.
    """

    unused: float
    psnr_db: float


JUMP = 0.05
"""The share of the budget that is worth to look for over a PSNR at which sizes jump."""

CLOSE, ROUGHLY = Precision(0.01, 0.01), Precision(0.03, 0.2)


def best_within(
    budget: int,
    n_pixels: int,
    request: Request,
    encode_at: Callable[[Request], Encoded],
    session: Session,
) -> Encoded:
    """The file with the highest PSNR found among those of at most `budget` bytes; the smallest found if none is.

    Args:
        encode_at: makes a file of about the PSNR asked for, or raises TargetNotReachedError where that is out of reach.
        session: may tell about how many bytes such a file takes without making it.
    """
    request.note(f"searching for the best PSNR in {budget:,} bytes")
    psnr_db, bits_per_pixel = first_guess_db(budget, n_pixels), 8 * max(1, budget) / n_pixels
    search = _Search(budget, encode_at, BITS_PER_DB * bits_per_pixel**SLOPE_DEPENDENCE)
    guess_db = search.guess(request, psnr_db, session.estimated_bytes)
    if guess_db is not None:
        psnr_db = guess_db
    elif request.effort > 1:  # quick files tell about where to look
        psnr_db = search.run(replace(request, effort=1), psnr_db, ROUGHLY, "quick try")
    search.run(request, psnr_db, CLOSE, "try")
    return search.best()


def first_guess_db(budget: int, n_pixels: int) -> float:
    """The PSNR at which a search in so many bytes begins."""
    psnr_db = START_DB + DB_PER_DOUBLING * math.log2(8 * max(1, budget) / n_pixels)
    return min(HIGHEST_START_DB, max(LEAST_PSNR_DB, psnr_db))


@dataclass(frozen=True)
class _Point:
    """A PSNR target, log2 of the size of its file (infinite if it is out of reach), and whether the budget holds it."""

    psnr_db: float
    log2_size: float
    fits: bool


class _Search:
    """Files of one picture, and what they say about the PSNR that fits the budget."""

    def __init__(self, budget: int, encode_at: Callable[[Request], Encoded], slope: float) -> None:
        self._budget, self._encode_at = budget, encode_at
        self._found: list[Encoded] = []
        self._slope, self._tries = slope, 0

    def best(self) -> Encoded:
        """See `best_within`."""
        if not self._found:
            raise TargetNotReachedError("no PSNR that was tried is within reach", -math.inf)
        fitting = [each for each in self._found if len(each.data) <= self._budget]
        if not fitting:
            return min(self._found, key=lambda each: len(each.data))
        return max(fitting, key=lambda each: (each.psnr_db, -len(each.data)))

    def guess(self, request: Request, psnr_db: float, bytes_at: Callable[[Request], float | None]) -> float | None:
        """The PSNR at which an estimate meets the budget, about; looks for it from one that is known to be near.

        None where there is no estimate.
        """
        moved, before = 0.0, 0.0
        for _ in range(GUESSES):
            size = bytes_at(request.at(psnr_db))
            if size is None:
                return None
            if not 0 < size < math.inf or request.expired():
                break
            if moved:
                self._slope = max(LEAST_SLOPE, (math.log2(size) - before) / moved)
            before = math.log2(size)
            moved = (math.log2(max(1, self._budget)) - before) / self._slope
            moved = max(-MAX_GUESS_MOVE_DB, min(MAX_GUESS_MOVE_DB, moved))
            psnr_db = min(MAX_PSNR_DB, max(LEAST_PSNR_DB, psnr_db + moved))
            if abs(moved) < GUESS_DB:
                break
        return psnr_db

    def run(self, request: Request, psnr_db: float, precision: Precision, task: str) -> float:
        """Encode until a file is close to the budget; return the PSNR that should meet it.

        Args:
            task: what each of these encodes is called; a number follows.
        """
        goal = math.log2(max(1.0, self._budget * (1 - precision.unused / 2)))
        points: list[_Point] = []
        bracket, took = Bracket(), 0.0
        for attempt in range(TRIES):
            psnr_db = min(MAX_PSNR_DB, max(LEAST_PSNR_DB, psnr_db))
            if attempt and time.monotonic() + took > request.deadline:  # not enough for another one
                break
            self._tries, began = self._tries + 1, time.monotonic()
            point, unused = self._try(request.at(psnr_db, f"{task} {self._tries}"))
            took = time.monotonic() - began
            points.append(point)
            bracket.add(psnr_db, point.log2_size, reached=point.fits)
            enough = 0 <= unused <= max(WORDS, precision.unused * self._budget)
            at_the_end = psnr_db == (MAX_PSNR_DB if point.fits else LEAST_PSNR_DB)
            if enough or at_the_end:
                break
            if bracket.width < precision.psnr_db and not self._reopened(bracket, points):
                break
            if math.isinf(bracket.width):
                psnr_db += self._onward(points, goal)
            else:
                repeated = point.fits == points[-2].fits
                psnr_db = self._between(bracket, goal, halfway=repeated and attempt % 2 == 1)
        return psnr_db

    def _reopened(self, bracket: Bracket, points: Sequence[_Point]) -> bool:
        """Whether to go on over a PSNR at which sizes jump, up to the next one that takes too much.

        Of pictures with few colours, files of a higher PSNR may be smaller again.
        """
        assert bracket.beyond is not None
        over = [each for each in points if not each.fits and each.psnr_db > bracket.beyond.x]
        left = max((len(each.data) for each in self._found if len(each.data) <= self._budget), default=0)
        if not over or self._budget - left <= max(WORDS, JUMP * self._budget):
            return False
        following = min(over, key=lambda each: each.psnr_db)
        bracket.beyond = Tried(following.psnr_db, following.log2_size)
        return True

    def _try(self, request: Request) -> tuple[_Point, float]:
        """Encode; also return how many bytes are unused, 0 for a file without loss within the budget."""
        try:
            encoded = self._encode_at(request)
        except TargetNotReachedError:
            request.note(f"{request.task}: {request.psnr_db:.2f} dB is out of reach")
            return _Point(request.psnr_db, math.inf, False), -math.inf
        self._found.append(encoded)
        unused = self._budget - len(encoded.data)
        room = f"of {self._budget:,} bytes" if unused >= 0 else f"bytes, more than {self._budget:,}"
        request.note(f"{request.task}: {request.psnr_db:.2f} dB gives {len(encoded.data):,} {room}")
        done = math.isinf(encoded.psnr_db) and unused > 0
        return _Point(request.psnr_db, math.log2(len(encoded.data)), unused >= 0), 0 if done else unused

    def _onward(self, points: Sequence[_Point], goal: float) -> float:
        """The next move while all files are on the same side of the goal."""
        latest, moved, least = points[-1], 0.0, 0.0
        if len(points) > 1:
            moved = latest.psnr_db - points[-2].psnr_db
            slope = (latest.log2_size - points[-2].log2_size) / moved
            if not LEAST_SLOPE < slope < math.inf:  # the sizes say nothing
                return max(-MAX_MOVE_DB, min(MAX_MOVE_DB, 2 * moved))
            self._slope, least = slope, abs(moved) / 2
        move = (goal - latest.log2_size) / self._slope
        return math.copysign(min(MAX_MOVE_DB, max(least, abs(move))), 1 if latest.fits else -1)

    def _between(self, bracket: Bracket, goal: float, *, halfway: bool) -> float:
        """Where the line through the files on both sides of the goal meets it, or halfway between them."""
        assert bracket.enough is not None
        assert bracket.beyond is not None
        rise = bracket.beyond.value - bracket.enough.value
        if halfway or not 0 < rise < math.inf:
            return bracket.halfway()
        self._slope = max(LEAST_SLOPE, rise / bracket.width)
        return bracket.secant(goal)
