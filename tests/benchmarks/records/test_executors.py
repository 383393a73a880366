"""The executors give the same results. Processes import this module, so it imports little; test_ray.py has Ray."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.records import executors
from benchmarks.records.executors import Processes, Ray, here
from benchmarks.records.progress import SearchState, listening, tell
from nfcodec.errors import UsageError

CALLS = [(i,) for i in range(7)]


def square_and_threads(i: int) -> tuple[int, str | None]:
    return i * i, os.environ.get("OMP_NUM_THREADS")


def fail(i: int) -> int:
    raise ValueError(f"job {i}")


def fail_at_once_or_take_a_while(i: int) -> int:
    if i == 0:
        raise ValueError("job 0")
    time.sleep(1.0)
    return i


def be_killed(i: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tell_twice(i: int) -> int:
    tell(SearchState(f"job {i}", "30.0 dB", 1, 9))
    tell(SearchState(f"job {i}", "31.0 dB", 2, 9))  # too soon after the first one to be passed on
    return i


def work_for_long(begun: Path) -> None:
    begun.write_text(str(os.getpid()))
    time.sleep(60)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_here() -> None:
    assert [value for value, _ in here(square_and_threads, CALLS)] == [i * i for i in range(7)]


def test_processes_share_the_processors() -> None:
    from nfcodec.workers import n_threads

    found = list(Processes(2)(square_and_threads, CALLS))
    assert sorted(value for value, _ in found) == [i * i for i in range(7)]
    assert {threads for _, threads in found} == {str(max(1, n_threads() // 2))}


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


def test_after_a_failure_what_runs_is_kept_and_nothing_more_is_begun() -> None:
    read: list[int] = []
    kept: list[int] = []

    def calls() -> Iterator[tuple[int]]:
        for i in range(40):
            read.append(i)
            yield (i,)

    results = Processes(2)(fail_at_once_or_take_a_while, calls())
    with pytest.raises(ValueError, match="job 0"):
        kept.extend(results)
    assert 1 <= len(kept) <= len(read) <= 4


@pytest.mark.skipif(os.name == "nt", reason="has no such signal")
def test_a_worker_that_is_killed_is_an_error_with_advice() -> None:
    with pytest.raises(ChildProcessError, match="fewer --processes"):
        list(Processes(2)(be_killed, CALLS))


def test_what_workers_tell_is_told_here() -> None:
    told: list[SearchState] = []
    with listening(told.append):
        assert sorted(Processes(2)(tell_twice, CALLS[:3])) == [0, 1, 2]
    assert told
    assert all(state.runs == "30.0 dB" for state in told)


def test_an_interruption_ends_what_processes_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = [tmp_path / name for name in ("one", "two")]

    def interrupted(*arguments: object) -> None:
        while not all(path.exists() and path.read_text() for path in begun):
            time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(executors, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(Processes(2)(work_for_long, [(path,) for path in begun]))
    workers = [int(path.read_text()) for path in begun]
    end = time.monotonic() + 20
    while any(map(is_alive, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="ray is installed")
def test_without_ray_there_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="ray"):
        Ray("auto")


class FakeRay:
    """What the executor asks of ray, done here."""

    def __init__(self, **resources: float) -> None:
        self.resources, self.asked = resources, {}

    def init(self, **options: Any) -> None: ...

    def shutdown(self) -> None: ...

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **asked: Any) -> Any:
        self.asked = asked
        return lambda function: SimpleNamespace(remote=lambda *arguments: (function, arguments))

    def wait(self, pending: list[Any]) -> tuple[list[Any], list[Any]]:
        return pending[:1], pending[1:]

    def get(self, done: list[Any]) -> list[Any]:
        return [arguments[0](*arguments[1:]) for _, arguments in done]


@pytest.mark.parametrize(("gpus", "asked"), [(0, 0), (1, 1)])
def test_ray_is_asked_for_a_gpu_where_a_device_is(gpus: int, asked: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(CPU=4, GPU=2)
    monkeypatch.setattr(importlib, "import_module", lambda name: ray)
    assert list(Ray("auto", gpus)(abs, [(-1,), (-2,), (-3,)])) == [1, 2, 3]
    assert ray.asked == {"num_cpus": 1, "num_gpus": asked}


def test_a_ray_cluster_without_a_gpu_is_an_error_and_not_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib, "import_module", lambda name: FakeRay(CPU=4))
    with pytest.raises(UsageError, match="no GPU"):
        list(Ray("auto", 1)(abs, [(-1,)]))
