"""Whole processes: what they print, their seconds, start-up included, those of processors, and their peak memory.

A child's peak memory counts from its parent's. So this module is also a small program, run in a process of its own,
which starts the command and measures it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, Any, NamedTuple, cast

PATIENCE = 5.0
"""Seconds that a process has to end before it is killed."""


class Measured(NamedTuple):
    """What a process printed, how long it took, the most memory that it held, and what processors spent on it.

    Attributes:
        seconds: by the clock.
        megabytes: of 2^20 bytes; the largest resident set.
        cpu_seconds: of all its threads and of its own child processes, in the system, too.
    """

    out: str
    seconds: float
    megabytes: float
    cpu_seconds: float


def nfcodec_process(arguments: list[str]) -> Measured:
    """Run nfcodec with these arguments; its failure ends this program with a message."""
    return process("nfcodec", arguments)


def process(module: str, arguments: list[str]) -> Measured:
    """Run `python -m MODULE` with these arguments; its failure ends this program with a message."""
    command = [sys.executable, "-m", __name__, sys.executable, "-m", module, *arguments]
    row = json.loads(_output_of(command))
    if row["status"]:
        raise SystemExit(f"{module} {' '.join(arguments)} ended with {row['status']}")
    return Measured(row["out"], row["seconds"], row["MB"], row["cpu_seconds"])


def stop(process: subprocess.Popen[Any]) -> None:
    """End a process that runs in a session of its own, with all that it has started: Ctrl-C does not reach it.

    It is asked to end first, so that it can end sessions that it has begun itself.
    """
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _output_of(command: list[str]) -> str:
    """What a command prints. However this program ends, the command and all that it has started end with it."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as helper:
        try:
            out = cast("IO[str]", helper.stdout).read()  # `communicate` would close the other pipe, which tells the end
            helper.wait()
        except BaseException:
            stop(helper)
            raise
    if helper.returncode:
        raise subprocess.CalledProcessError(helper.returncode, command)
    return out


def _end_with_the_program_that_measures() -> None:
    """Its end of the pipe closes however it ends, even where it is killed and cannot do anything about it."""
    os.read(sys.stdin.fileno(), 1)
    os.killpg(os.getpid(), signal.SIGTERM)


def _measure(command: list[str]) -> dict[str, object]:
    threading.Thread(target=_end_with_the_program_that_measures, daemon=True).start()
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        maxrss = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        row = {"seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "MB": maxrss / 2**20}
        return {**row, "status": child.returncode, "out": out.read()}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1:])))
