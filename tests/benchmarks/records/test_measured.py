"""Processes that are measured end with the program that measures them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.records.measured import process

SECONDS = 60
"""That a test waits at most."""


def test_measured() -> None:
    found = process("timeit", ["-n", "1", "-r", "1", "pass"])
    assert "1 loop" in found.out
    assert found.seconds > 0
    assert found.megabytes > 1
    assert found.cpu_seconds > 0


def test_a_failure_is_told() -> None:
    with pytest.raises(SystemExit, match=r"timeit .* ended with"):
        process("timeit", ["--no-such-option"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_what_is_measured(tmp_path: Path, number: signal.Signals) -> None:
    said = _end_while_it_measures(tmp_path, number)
    assert b"KeyboardInterrupt" in said


def test_a_kill_ends_what_is_measured(tmp_path: Path) -> None:
    _end_while_it_measures(tmp_path, signal.SIGKILL)


def _end_while_it_measures(folder: Path, number: signal.Signals) -> bytes:
    """Send a signal to a suite that measures a sleep, and see that the sleep ends; what the suite said."""
    lock = folder / "held by what is measured"
    lock.touch()
    hold = f"import fcntl; file = open({str(lock)!r}, 'r+'); fcntl.flock(file, fcntl.LOCK_EX)"
    setup = f"{hold}; print(file=file, flush=True)"
    arguments = ["-n", "1", "-r", "1", "-s", setup, f"import time; time.sleep({10 * SECONDS})"]
    program = f"""
import runpy
import signal
from benchmarks import commands
from benchmarks.records.measured import process
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where a shell runs tests in the background
commands.main = lambda: process("timeit", {arguments!r})
runpy.run_module("benchmarks", run_name="__main__")
"""
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE) as suite:
        _wait(lambda: lock.stat().st_size > 0)
        os.kill(suite.pid, number)
        _, said = suite.communicate(timeout=SECONDS)
    assert suite.returncode != 0
    with lock.open("r+") as file:
        _wait(lambda: _locked(file.fileno()))
    return said


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(done: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)
