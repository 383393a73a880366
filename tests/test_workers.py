from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import nfcodec.workers
from nfcodec.workers import Stopped, Workers, check_stopped, n_threads, single_threaded_blas

A_WHILE = 20.0
"""Seconds that nothing here takes unless it hangs."""


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


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_on_any_thread_stops_all(failing):
    both, n_done = threading.Barrier(2, timeout=A_WHILE), [0, 0]

    def task(worker: int, i: int) -> None:
        if i < 2:
            both.wait()
            if worker == failing:
                raise ValueError(f"of thread {failing}")
        time.sleep(0.001)
        n_done[worker] += 1

    with pytest.raises(ValueError, match=f"of thread {failing}"):
        Workers(2).run(10**6, task)
    so_far = list(n_done)
    time.sleep(0.05)
    assert n_done == so_far, "a thread still works"
    assert sum(n_done) < 10**5


@pytest.mark.parametrize("failing", [0, 1])
def test_a_long_task_ends_where_it_asks(failing):
    both = threading.Barrier(2, timeout=A_WHILE)

    def task(worker: int, i: int) -> None:
        both.wait()
        if worker == failing:
            raise ValueError(f"of thread {failing}")
        until = time.monotonic() + A_WHILE
        while time.monotonic() < until:
            check_stopped()
        raise AssertionError("the task was not stopped")

    with pytest.raises(ValueError, match=f"of thread {failing}"):
        Workers(2).run(2, task)
    check_stopped()


def test_runs_inside_tasks_stop_too():
    both = threading.Barrier(2, timeout=A_WHILE)

    def inner(worker: int, i: int) -> None:
        time.sleep(0.001)

    def task(worker: int, i: int) -> None:
        both.wait()
        if worker == 1:
            raise ValueError("of the second thread")
        with pytest.raises(Stopped):
            Workers(2).run(10**6, inner)
        raise Stopped

    with pytest.raises(ValueError, match="of the second thread"):
        Workers(2).run(2, task)


def test_no_thread_is_left_after_an_error():
    """Not even while the error, and with it the object, is held; and the object works on."""
    before, both = set(threading.enumerate()), threading.Barrier(2, timeout=A_WHILE)
    workers, done = Workers(2), np.zeros(10, int)

    def fail(worker: int, i: int) -> None:
        both.wait()
        raise ValueError("of both threads")

    def mark(worker: int, i: int) -> None:
        done[i] += 1

    for _ in range(3):
        with pytest.raises(ValueError, match="of both threads"):
            workers.run(2, fail)
        assert set(threading.enumerate()) <= before
    workers.run(10, mark)
    assert done.tolist() == [1] * 10


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("interrupted", ["working", "waiting"])
def test_an_interrupt_stops_all(interrupted):
    before, started = set(threading.enumerate()), time.monotonic()

    def task(worker: int, i: int) -> None:
        if worker == 0 and interrupted == "waiting" and i < 2:
            time.sleep(0.1)  # so that the other thread has the other one
            return
        while time.monotonic() < started + A_WHILE:
            check_stopped()
            time.sleep(0.001)

    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Workers(2).run(2 if interrupted == "waiting" else 10**6, task)
    finally:
        signal.signal(signal.SIGINT, old)
        timer.join()
    assert time.monotonic() < started + A_WHILE / 2
    assert set(threading.enumerate()) <= before


def test_threads_treat_errors_of_numbers_as_whoever_asks():
    seen = {}
    both = threading.Barrier(2, timeout=A_WHILE)

    def task(worker: int, i: int) -> None:
        seen[worker] = np.geterr()
        both.wait()

    with np.errstate(divide="raise", over="ignore", under="print", invalid="warn"):
        Workers(2).run(2, task)
        assert seen == {0: np.geterr(), 1: np.geterr()}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("1", 1), ("", None), ("zero", None), ("0", None), ("100000", None), ("²", None), ("٢", None), ("-1", None),
     (" 1", None), ("9" * 5000, None)],
)  # fmt: skip
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


def blas_threads() -> list[int]:
    """Of each BLAS that was loaded when one was first limited; a test may have loaded another since, as torch's."""
    with single_threaded_blas():
        known = {library.filepath for library in nfcodec.workers._blas._libraries}
    libraries = ThreadpoolController().select(user_api="blas").info()
    return [library["num_threads"] for library in libraries if library["filepath"] in known]


@pytest.fixture
def two_blas_threads():
    """A BLAS that has two threads, and no thread that alone may change that, as inside `threadpool_limits`."""
    before = ThreadpoolController().limit(limits=None, user_api="blas")
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        numbers = blas_threads()
        release_blas()
        if any(n != 2 for n in numbers):
            pytest.skip("this BLAS does not take a number of threads")
        yield
    before.restore_original_limits()
    release_blas()


def release_blas() -> None:
    for library in ThreadpoolController().select(user_api="blas").lib_controllers:
        getattr(library, "clear_controlling_thread", lambda: None)()


def test_the_number_of_blas_threads_is_restored(two_blas_threads):
    with single_threaded_blas():
        with single_threaded_blas():
            assert set(blas_threads()) <= {1}
        assert set(blas_threads()) <= {1}
    assert set(blas_threads()) <= {2}


def test_the_number_of_blas_threads_is_restored_after_many_at_once(two_blas_threads):
    """The first thread to begin is not the first to end."""
    barrier = threading.Barrier(3, timeout=A_WHILE)

    def first() -> None:
        with single_threaded_blas():
            barrier.wait()
            barrier.wait()

    last = threading.Event()

    def second() -> None:
        barrier.wait()
        with single_threaded_blas():
            barrier.wait()
            last.wait(A_WHILE)

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    barrier.wait()
    barrier.wait()
    threads[0].join()
    assert set(blas_threads()) <= {1}, "one of the two still wants one thread"
    last.set()
    threads[1].join()
    assert set(blas_threads()) <= {2}
