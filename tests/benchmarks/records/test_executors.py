"""The executors give the same results; Ray on a real local cluster."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed (extra: ray)")
def test_a_search_on_a_local_ray_cluster_gives_the_same_records(tmp_path: Path) -> None:
    """In processes of their own: ray starts servers, and leaves warnings behind."""
    rng_free = [
        "acceleration",
        "--set",
        str(Path("benchmarks/data").resolve()),
        "--side",
        "16",
        "--width",
        "12",
        "--psnr",
        "30",
    ]
    options = [*rng_free, "--transform", "rpp", "--transform", "inversion", "--max-steps", "200"]
    rows: dict[str, list[dict[str, object]]] = {}
    for name, where in {"here": [], "ray": ["--ray", "local"]}.items():
        path = tmp_path / f"{name}.jsonl"
        command = [sys.executable, "-m", "benchmarks", *options, *where, "--records", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        rows[name] = sorted((json.loads(line) for line in path.read_text().splitlines()), key=lambda row: row["key"])
    assert [row["key"] for row in rows["here"]] == [row["key"] for row in rows["ray"]]
    assert len(rows["here"]) == 3
    for ours, theirs in zip(rows["here"], rows["ray"], strict=True):
        assert ours["steps"] == theirs["steps"]
        assert ours["curve"] == theirs["curve"]
