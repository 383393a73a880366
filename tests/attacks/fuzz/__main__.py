"""Starts workers, follows them, and prints what became of the inputs; `python -m tests.attacks.fuzz --help`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
FINDS = Path(__file__).parents[1] / "finds"
BATCH = 10_000
"""Inputs that one worker examines before another takes its place."""
SILENT_S = 900.0
"""Without a word for so long, a worker waits for something that will not come."""
KEPT = 2
"""Finds of one class that are minimised and written."""
SHOWN = 10
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
WORKER = [sys.executable, "-m", "tests.attacks.fuzz.worker"]


def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": path}


def results_of(run: int, numbers: range, directory: Path) -> Iterator[dict[str, Any]]:
    """The outcomes of inputs; a worker that dies over one is replaced behind it."""
    while numbers:
        arguments = [str(each) for each in (run, numbers.start, numbers.stop, numbers.step, directory)]
        with subprocess.Popen(
            WORKER + arguments, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout
            watch = threading.Timer(SILENT_S, child.kill)
            watch.start()
            for line in child.stdout:
                watch.cancel()
                watch = threading.Timer(SILENT_S, child.kill)
                watch.start()
                result = json.loads(line)
                numbers = range(result["number"] + numbers.step, numbers.stop, numbers.step)
                yield result
            watch.cancel()
        if child.returncode and numbers:
            kind = f"FIND the process ended with {child.returncode}"
            yield {
                "number": numbers.start,
                "name": "?",
                "kind": kind,
                "passed": False,
                "seconds": 0.0,
                "grown_bytes": 0,
            }
            numbers = numbers[1:]


def line(result: dict[str, Any]) -> str:
    cost = f"{result['seconds']:>9.3f} s {result['grown_bytes'] / 2**20:>8.1f} MB"
    return f"{cost}  {result['number']} {result['kind']} ({result['name']})"


class Report:
    """What became of all inputs so far."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.finds: list[dict[str, Any]] = []
        self.slowest: list[dict[str, Any]] = []
        self.largest: list[dict[str, Any]] = []
        self.n_passed = 0
        self._lock = threading.Lock()

    def add(self, result: dict[str, Any]) -> bool:
        """Count a result; whether it is a find that is worth keeping."""
        with self._lock:
            self.kinds[result["kind"]] += 1
            self.n_passed += result["passed"]
            for best, key in ((self.slowest, "seconds"), (self.largest, "grown_bytes")):
                best.append(result)
                best.sort(key=lambda each, key=key: -each[key])
                del best[SHOWN:]
            is_new = result["kind"].startswith("FIND") and self.kinds[result["kind"]] <= KEPT
            self.finds += [result] * is_new
            return is_new

    @property
    def n(self) -> int:
        """How many inputs there were."""
        return sum(self.kinds.values())

    def text(self) -> str:
        total = self.n
        lines = [
            f"{total} inputs; {self.n_passed / max(total, 1):.1%} are files whose checksums and header are right",
            "",
        ]
        lines += [f"{n:>9} {kind}" for kind, n in self.kinds.most_common()]
        for title, found in (("slowest", self.slowest), ("largest", self.largest)):
            lines += ["", f"{title}:"]
            lines += [line(each) for each in found]
        return "\n".join(lines)


def follow(report: Report, run: int, numbers: range, directory: Path) -> None:
    """Examine a share of the inputs, a batch at a time."""
    for at in range(0, len(numbers), BATCH):
        for result in results_of(run, numbers[at : at + BATCH], directory):
            if report.add(result):
                print(f"{result['number']}: {result['kind']} ({result['name']})", flush=True)
        print(f"{report.n} inputs", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.fuzz", description=__doc__)
    parser.add_argument("n", type=int, help="how many inputs")
    parser.add_argument("--seed", type=int, default=0, help="of the run; the same one makes the same inputs")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes at a time")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--finds", type=Path, default=FINDS, help="where minimised finds are written")
    options = parser.parse_args()
    report, started = Report(), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        subprocess.run([*WORKER, name], cwd=ROOT, env=environment(), check=True)
        end = options.first + options.n
        shares = [range(options.first + job, end, options.jobs) for job in range(options.jobs)]
        each = {"target": follow, "daemon": True}
        threads = [threading.Thread(args=(report, options.seed, share, directory), **each) for share in shares]
        for thread in threads:
            thread.start()
        with contextlib.suppress(KeyboardInterrupt):  # what there is so far is printed
            for thread in threads:
                thread.join()
        print(report.text())
        print(f"\n{time.monotonic() - started:.0f} s")
        for find in report.finds:
            arguments = [str(each) for each in (options.seed, find["number"], directory, options.finds)]
            done = subprocess.run(
                WORKER + arguments, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True, check=False
            )
            print(f"{find['kind']}: {done.stdout.strip() or 'could not be minimised'}")
    return 1 if report.finds else 0


if __name__ == "__main__":
    sys.exit(main())
