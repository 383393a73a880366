"""What a GPU that is lent for some minutes is used for: steps in order of worth, each with a limit of its own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.records.measured import stop

SECONDS = 480
"""All steps together: a device that is lent for a quarter of an hour leaves room for its start and for a second try."""

LEAST_SECONDS = 5
"""A step that has less is not begun."""

TESTS = ("tests/fitting/engines", "tests/fields")
"""Where the tests are that need a GPU: to collect all others would take half a minute."""


@dataclass(frozen=True)
class Step:
    """A command of the project.

    Attributes:
        name: of its log in the folder of results.
        what: for people.
        command: arguments of Python.
        limit: seconds after which it is stopped; what it has recorded by then stays.
        background: whether it runs beside the others, and is waited for when the time is over or they are done.
    """

    name: str
    what: str
    command: tuple[str, ...]
    limit: int
    background: bool = False


@dataclass(frozen=True)
class Done:
    """How a step ended: its exit status, or None with the reason."""

    name: str
    status: int | None
    seconds: float
    reason: str = ""


def plan(out: Path, pictures: Sequence[str], image: str, tinycudann: Path | None) -> list[Step]:
    """The steps.

    Args:
        pictures: options that name a set of pictures; image: one of it.
        tinycudann: a checkout of tiny-cuda-nn with its submodules, if it is to be built.
    """
    searches = ("-m", "benchmarks", "acceleration", *pictures, "--images", "1", "--side", "512", "--transform", "rpp",
                "--device", "cuda", "--engine", "cuda", "--adam", "usual")  # fmt: skip
    siren = tuple(part for part in searches if part not in ("--adam", "usual"))
    steps = [
        Step("doctor", "which engines there are", ("-m", "nfcodec", "doctor"), 60),
        Step("tests", "the tests that need a GPU", ("-m", "pytest", "-q", "-m", "gpu", *TESTS), 120),
        Step(
            "ngp",
            "Table 1 of Instant-NGP at 512 x 512, none and rpp, with both losses and growths",
            (*searches, "--field", "ngp", "--loss", "relative-l2", "--loss", "l2", "--growth", "1.5", "--growth", "0",
             "--records", f"{out / 'acceleration-ngp-512.jsonl'}"),
            90,
        ),
        Step(
            "siren",
            "Table 1 of a SIREN 512 wide at 512 x 512, none and rpp",
            (*siren, "--field", "siren", "--records", f"{out / 'acceleration-siren-512.jsonl'}"),
            200,
        ),
        Step(
            "speed",
            "steps of the engines beside the limits of the device",
            ("-m", "benchmarks", "speed", "--device", "cuda", "--rounds", "3", *pictures, "--image", image,
             "--records", f"{out / 'speed-gpu.jsonl'}"),
            80,
        ),
    ]  # fmt: skip
    if tinycudann and importlib.util.find_spec("tinycudann") is None:
        build = ("-m", "pip", "install", "--no-build-isolation", "--no-deps", f"{tinycudann / 'bindings' / 'torch'}")
        tests = ("-m", "pytest", "-q", "-m", "gpu", "tests/fitting/engines/test_tinycudann.py")
        steps.insert(1, Step("tinycudann-build", "tiny-cuda-nn, built beside the others", build, SECONDS, True))
        steps.append(Step("tinycudann-tests", "the tests of its engine", tests, 60))
    return steps


def run(steps: Sequence[Step], out: Path, tell: Callable[[str], object], seconds: float = SECONDS) -> list[Done]:
    """Run the steps, one after the other but those in the background; logs and steps.json go to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    done: list[Done] = []
    beside = [(step, _begin(step, out), time.monotonic()) for step in steps if step.background]

    def note(each: Done) -> None:
        done.append(each)
        (out / "steps.json").write_text(json.dumps([asdict(one) for one in done], indent=1) + "\n", encoding="utf-8")
        tell(f"{each.name}: {each.reason or f'status {each.status}'} after {each.seconds:.0f} s")

    try:
        for step in steps:
            left = end - time.monotonic()
            if step.background:
                continue
            if left < LEAST_SECONDS:
                note(Done(step.name, None, 0.0, "not begun, the time is over"))
                continue
            if step.name == "tinycudann-tests":
                _wait(beside[0][1], left - step.limit)
            began = time.monotonic()
            note(_ended(step, _begin(step, out), began, min(step.limit, end - time.monotonic())))
    except BaseException:
        for _, process, _ in beside:
            stop(process)
        raise
    for step, process, began in beside:
        note(_ended(step, process, began, max(0.0, end - time.monotonic())))
    return done


def _begin(step: Step, out: Path) -> subprocess.Popen[bytes]:
    with (out / f"{step.name}.log").open("wb") as log:
        return subprocess.Popen([sys.executable, *step.command], stdout=log, stderr=log, start_new_session=True)


def _ended(step: Step, process: subprocess.Popen[bytes], began: float, limit: float) -> Done:
    """Wait for a step's end, and stop it when its time is over, or when this program is interrupted."""
    try:
        if _wait(process, limit):
            return Done(step.name, process.returncode, round(time.monotonic() - began, 1))
    finally:
        stop(process)
    return Done(step.name, None, round(time.monotonic() - began, 1), "stopped, its time was over")


def _wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    try:
        process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return False
    return True


def lacking(tinycudann: Path | None) -> str | None:
    """Why tiny-cuda-nn is not built, for people; None if it is, or is there already."""
    if importlib.util.find_spec("tinycudann") is not None:
        return None
    if tinycudann is None:
        return "tiny-cuda-nn is not installed, and --tinycudann names no checkout to build it from"
    if shutil.which("nvcc") is None:
        return "tiny-cuda-nn cannot be built without nvcc"
    return None
