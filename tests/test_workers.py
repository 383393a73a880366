from __future__ import annotations

import threading

import numpy as np
import pytest

from nfcodec.workers import Workers, n_threads, single_threaded_blas


@pytest.mark.parametrize("n", [1, 2, 7])
def test_every_task_runs_once(n):
    done, active = np.zeros(100, int), np.zeros(n, int)

    def task(worker: int, i: int) -> None:
        active[worker] += 1
        assert active[worker] == 1
        done[i] += 1
        active[worker] -= 1

    workers = Workers(n)
    workers.run(100, task)
    workers.run(0, task)
    workers.run(1, task)
    assert done.tolist() == [2] + [1] * 99


def test_errors_of_any_thread_arrive():
    barrier = threading.Barrier(2, timeout=10)

    def task(worker: int, i: int) -> None:
        barrier.wait()  # both threads have a task
        if worker == 1:
            raise ValueError("of the second thread")

    with pytest.raises(ValueError, match="of the second thread"):
        Workers(2).run(2, task)


@pytest.mark.parametrize(("setting", "expected"), [("1", 1), ("", None), ("zero", None), ("0", None), ("100000", None)])
def test_number_of_threads(monkeypatch, setting, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    available = n_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert n_threads() == (expected or available)


def test_products_are_the_same_on_one_thread():
    a = np.random.default_rng(0).integers(-1000, 1000, (200, 200)).astype(np.float64)
    with single_threaded_blas():
        single = a @ a
    assert np.array_equal(single, a @ a)
