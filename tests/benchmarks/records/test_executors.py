"""The executors give the same results. Processes import this module, so it imports little; test_ray.py has Ray."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest

from benchmarks.records.executors import Processes, Ray, here
from nfcodec.errors import UsageError

CALLS = [(i,) for i in range(7)]


def square_and_threads(i: int) -> tuple[int, str | None]:
    return i * i, os.environ.get("OMP_NUM_THREADS")


def fail(i: int) -> int:
    raise ValueError(f"job {i}")


def test_here() -> None:
    assert [value for value, _ in here(square_and_threads, CALLS)] == [i * i for i in range(7)]


def test_processes_share_the_processors() -> None:
    found = list(Processes(2)(square_and_threads, CALLS))
    assert sorted(value for value, _ in found) == [i * i for i in range(7)]
    assert {threads for _, threads in found} == {str(max(1, (os.cpu_count() or 1) // 2))}


def test_processes_read_calls_as_they_need_them() -> None:
    read: list[int] = []

    def calls() -> Iterator[tuple[int]]:
        for i in range(40):
            read.append(i)
            yield (i,)

    results = Processes(2)(square_and_threads, calls())
    next(results)
    assert len(read) < 10
    results.close()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_failing_job_ends_the_run() -> None:
    with pytest.raises(ValueError, match="job"):
        list(Processes(2)(fail, CALLS))


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_there_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="ray"):
        Ray("auto")
