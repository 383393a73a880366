"""What work takes on this machine: measured by a short probe, or reckoned from what it took on another machine.

Gradients are the better part of most fits, so a session computes one of a small part of its picture (`step_seconds`).
The rest, searches and coding above all, is reckoned from constants of the families, which hold for a core of the
machine that they were measured on; a fixed piece of work tells how much slower this machine is (`slowness`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from nfcodec.exact.geometry import Geometry, Place
from nfcodec.workers import n_threads, single_threaded_blas

REFERENCE_SECONDS = 0.00105
"""What `_fixed_work` takes on a core of the machine that all constants were measured on (273 GFLOP/s fp32 on two)."""

REPEATS = 3
"""Of any measurement: the quickest counts, as nothing but a disturbance makes work slower."""

BASE_BYTES, KERNEL_BYTES = 90e6, 110e6
"""Memory of an encode of next to nothing, and of what loads and compiles kernels."""


class Work(NamedTuple):
    """Seconds for a core of the reference machine: of one thread alone, and what all threads share out."""

    alone: float
    shared: float = 0.0

    def seconds(self, n: float = 1.0) -> float:
        """What this machine takes for so many of it."""
        return slowness() * n * (self.alone + self.shared / n_threads())


class Measured(NamedTuple):
    """Seconds that work took on two cores of the reference machine, by its size.

    What is not proportional to a size, as where threads wait for each other and small arrays are passed around, needs
    no formula so.

    Attributes:
        at: sizes in rising order, and the seconds of each; between two of them the logarithms lie on a line, before
            the first the seconds are its own, and behind the last they grow with the size.
        shared: of the seconds of one core, the part that all threads share out.
    """

    at: Sequence[tuple[float, float]]
    shared: float

    def seconds(self, n: float) -> float:
        """What this machine takes for work of a size."""
        sizes, seconds = ([math.log(each) for each in column] for column in zip(*self.at, strict=True))
        log = float(np.interp(math.log(n), sizes, seconds)) + max(0.0, math.log(n) - sizes[-1])
        alone = 1 - self.shared
        return slowness() * math.exp(log) * (alone + self.shared / n_threads()) / (alone + self.shared / 2)


@cache
def slowness() -> float:
    """Seconds that this machine takes for what takes the reference machine one, on one core."""
    return quickest(_fixed_work(), 2 * REPEATS) / REFERENCE_SECONDS


def quickest(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The seconds that a piece of work takes where nothing disturbs it."""
    seconds = math.inf
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds = min(seconds, time.perf_counter() - began)
    return seconds


def crop(geometry: Geometry, n_pixels: float) -> Place:
    """A square of about so many pixels in the middle of a picture, as far as it goes; all of it if it has no more."""
    width = max(1, min(geometry.width, round(max(math.sqrt(n_pixels), n_pixels / geometry.height))))
    height = max(1, min(geometry.height, round(n_pixels / width)))
    top, left = (geometry.height - height) // 2, (geometry.width - width) // 2
    return slice(top, top + height), slice(left, left + width)


def _fixed_work() -> Callable[[], None]:
    """A bit of what encodes do on one core, without allocations: passes over an array, and matrix products."""
    values = np.arange(1 << 17, dtype=np.float64)
    matrix, product = np.ones((2, 192, 192), np.float32)

    def work() -> None:
        for _ in range(4):
            np.multiply(values, 0.999, out=values)
            np.rint(values, out=values)
            np.add(values, 1.0, out=values)
        with single_threaded_blas():
            for _ in range(8):
                np.matmul(matrix, matrix, out=product)

    return work
