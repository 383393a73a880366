"""How far many files are, in one bar over all of them: how many are done, the share of the work, the seconds left."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable

from nfcodec.cli._bar import Line, left_in_words
from nfcodec.cli._work import Job


class Total:
    """Adds up files by their bytes, which tell about how long each takes beside the others.

    Args:
        jobs: all that are to be done.
    """

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._weights = {job: _weight(job) for job in jobs}
        self._all = sum(self._weights.values()) or 1.0
        self._n, self._done = len(self._weights), 0.0
        self._n_done = 0
        self._running: dict[Job, float] = {}
        self._began = time.monotonic()

    def tell(self, job: Job, share: float) -> None:
        """Take in what share of a file is done."""
        self._running[job] = share * self._weights[job]

    def end(self, job: Job) -> None:
        """Take in that a file is done, or has failed."""
        self._running.pop(job, None)
        self._done += self._weights[job]
        self._n_done += 1

    def line(self) -> Line:
        """What to show now."""
        share = min(1.0, (self._done + sum(self._running.values())) / self._all)
        seconds = time.monotonic() - self._began
        left = left_in_words(seconds / share - seconds) if share else ""
        return Line(f"{self._n_done} of {self._n} files", share, left)


def _weight(job: Job) -> float:
    with contextlib.suppress(OSError, ValueError):
        return 1.0 + os.stat(job.source).st_size
    return 1.0
