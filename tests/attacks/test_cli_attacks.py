"""What the command does with bad input, bad output and bad timing, as whole processes; tests/cli has the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import forge
import numpy as np
import pytest

from nfcodec.images.files import image_bytes
from nfcodec.raster import Raster

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX limits and signals")

pytest.importorskip("resource", reason="needs a system that limits and measures memory")

SECONDS, PEAK_BYTES = 1.0, 200 << 20
NOISE = Raster.from_array(np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8))
PNG = image_bytes(NOISE)

LIMITED = """
import contextlib, io, json, os, resource, sys, time
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
from workshop import ADDRESS_SPACE, peak_bytes
from nfcodec.cli import main

resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, resource.getrlimit(resource.RLIMIT_AS)[1]))
results, output, at = {}, sys.stdout, time.process_time
for name, directory, arguments, stdin in json.load(sys.stdin):
    os.chdir(directory)
    sys.stdin, sys.stdout = SimpleNamespace(buffer=io.BytesIO(bytes.fromhex(stdin))), io.TextIOWrapper(io.BytesIO())
    started = at() if results else 0.0  # the first pays for the imports
    with contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    out = sys.stdout.buffer.getvalue().hex()
    results[name] = {"code": code, "err": err.getvalue(), "out": out, "seconds": at() - started, "peak": peak_bytes()}
json.dump(results, output)
"""

WAITING = """
import contextlib, os, signal, sys
from nfcodec.cli import _console, main

@contextlib.contextmanager
def progress():
    yield lambda event: print("fitting", flush=True)

signal.signal(signal.SIGINT, signal.default_int_handler)
_console.progress = progress
sys.exit(main(sys.argv[1:]))
"""

KILLED_WHILE_WRITING = """
import os, signal, sys
from nfcodec.cli import main

os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Case:
    """A command line that must fail with `code` in a directory with `files`, and change nothing there."""

    arguments: tuple[str, ...]
    code: int
    files: dict[str, bytes] = field(default_factory=dict)
    stdin: bytes = b""
    prepare: Callable[[Path], object] = lambda here: None


def cases() -> dict[str, Case]:
    hostile, found = forge.hostile(), dict[str, Case]()
    pickle = b"\x93NUMPY\1\0\x3a\0{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }\n\x80\x04."
    pictures = {
        "not an image": (b"this is no image\n" * 100, 3),
        "half a PNG": (PNG[: len(PNG) // 2], 3),
        "PNG without its end": (PNG[:-30], 3),
        "an .nfc file": (forge.golden(forge.PYRAMID), 3),
        "Flipper Zero": (forge.FLIPPER, 3),
        "a pickle for NumPy": (pickle, 3),
        "2^31 pixels": (b"P5 65536 32768 255\n", 6),
    }
    for name, (data, code) in pictures.items():
        found[f"encode {name}"] = Case(("encode", "a.png"), code, {"a.png": data})
    found["encode a missing file"] = Case(("encode", "a.png"), 3)
    bad_files = {name: hostile[name][0] for name in (
        "2^31 pixels", "65535 x 65535", "10^15 multiplications", "over 2^28 parameters, siren", "Flipper Zero", "PNG",
        "text", "unknown transform", "version 2", "zstd bomb of 20 MB", "stream of ones", "largest steps",
        "zstd cut short", "alpha of zeros", "wide layer, square")}  # fmt: skip
    flipped = bytearray(forge.golden(forge.SIREN))
    flipped[len(flipped) // 2] ^= 16
    bad_files |= {"flipped bit": bytes(flipped), "truncated": forge.golden(forge.SIREN)[:-1]}
    for name, data in bad_files.items():
        code = 6 if hostile.get(name, (data, ""))[1] == "LimitError" else 4
        found[f"decode {name}"] = Case(("decode", "a.nfc"), code, {"a.nfc": data})
        found[f"decode over a file {name}"] = Case(("decode", "a.nfc", "-f"), code, {"a.nfc": data, "a.png": PNG})
        found[f"decode to stdout {name}"] = Case(("decode", "-", "-"), code, stdin=data)
        found[f"compare {name}"] = Case(("compare", "a.nfc", "a.nfc"), code, {"a.nfc": data})
        if name not in LATE:
            found[f"info {name}"] = Case(("info", "a.nfc", "--json"), code, {"a.nfc": data})
        if name != "wide layer, square":  # the digest: verify prints what it found
            found[f"verify {name}"] = Case(("verify", "a.nfc", "--json"), code, {"a.nfc": data})
    options = [("--psnr", "nan"), ("--psnr", "-1"), ("--psnr", "200"), ("--transform", "rot13"), ("--transform", ""),
               ("--transform", "rpp+"), ("--transform", "+".join(["inversion"] * 9)), ("--transform", "gamma:0"),
               ("--transform", "gamma:1e9"), ("--transform", "rpp:3")]  # fmt: skip
    for pair in options:
        found[f"encode {' '.join(pair)[:30]}"] = Case(("encode", "a.png", *pair), 2, {"a.png": PNG})
    targets: dict[str, Callable[[Path], object]] = {
        "missing/a.out": lambda here: None,
        "folder.out": lambda here: (here / "folder.out").mkdir(),
        "file/a.out": lambda here: (here / "file").write_bytes(b""),
        "exists.out": lambda here: (here / "exists.out").write_bytes(b"old"),
        "loop.out": lambda here: (here / "loop.out").symlink_to("loop.out"),
        "n" * 300: lambda here: None,
    }
    if os.name == "posix" and os.geteuid():  # root may write everywhere
        targets["locked/a.out"] = lambda here: (here / "locked").mkdir(mode=0o500)
    for target, prepare in targets.items():
        name = target[:20]
        found[f"encode to {name}"] = Case(("encode", "-", target), 7, stdin=PNG, prepare=prepare)
        decode = ("decode", "-", target, "--format", "png")
        found[f"decode to {name}"] = Case(decode, 7, stdin=forge.golden(forge.PYRAMID), prepare=prepare)
    return found


LATE = {"zstd bomb of 20 MB", "stream of ones", "largest steps", "zstd cut short", "alpha of zeros",
        "wide layer, square"}  # fmt: skip
CASES = cases()


def snapshot(directory: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(directory.rglob("*"))}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What became of all cases, run one after the other in one process that is limited in memory."""
    orders, before = [], {}
    for name, case in CASES.items():
        directory = tmp_path_factory.mktemp("case")
        for file, data in case.files.items():
            (directory / file).write_bytes(data)
        case.prepare(directory)
        before[name] = directory, snapshot(directory)
        orders.append((name, str(directory), case.arguments, case.stdin.hex()))
    command = [sys.executable, "-c", LIMITED, os.path.dirname(__file__)]
    environment = {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}}
    child = subprocess.run(
        command, input=json.dumps(orders).encode(), env=environment, capture_output=True, timeout=300, check=False
    )
    assert child.returncode == 0, child.stderr.decode()[-2000:]
    results = json.loads(child.stdout)
    for name, (directory, files) in before.items():
        results[name]["unchanged"] = snapshot(directory) == files
    return results


@pytest.mark.parametrize("name", CASES)
def test_bad_command(outcomes, name):
    outcome = outcomes[name]
    assert outcome["code"] == CASES[name].code, outcome["err"]
    lines = [line for line in outcome["err"].splitlines() if not line.startswith("Try ")]
    assert len(lines) == 1, outcome["err"]
    assert lines[0].startswith("nfcodec: error: ")
    assert "Traceback" not in outcome["err"]
    assert "internal error" not in outcome["err"]
    if "--json" in CASES[name].arguments:
        said = json.loads(bytes.fromhex(outcome["out"]))
        assert said == {
            "error": lines[0].removeprefix("nfcodec: error: "),
            "code": outcome["code"],
            "kind": said["kind"],
            "reason": said["reason"],
        }
    else:
        assert outcome["out"] == ""
    assert outcome["unchanged"]
    assert outcome["seconds"] < SECONDS
    assert outcome["peak"] < PEAK_BYTES


@pytest.mark.parametrize(
    "name", ["encode not an image", "decode 2^31 pixels", "decode flipped bit", "encode --psnr nan"]
)
def test_bad_command_as_a_process(tmp_path, name):
    case = CASES[name]
    for file, data in case.files.items():
        (tmp_path / file).write_bytes(data)
    command = [sys.executable, "-m", "nfcodec", *case.arguments]
    child = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert child.returncode == case.code
    assert child.stderr.startswith(b"nfcodec: error: ")
    assert child.stdout == b""
    assert sorted(os.listdir(tmp_path)) == sorted(case.files)


def start_fit(directory, *arguments):
    """An encode of noise that would take long; returns once it fits."""
    (directory / "a.png").write_bytes(PNG)
    command = [sys.executable, "-c", WAITING, "encode", "a.png", "--field", "siren", "--psnr", "90", *arguments]
    child = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"fitting\n"
    return child


def test_interrupted_fit(tmp_path):
    with start_fit(tmp_path) as child:
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert err.strip() == b"nfcodec: interrupted"
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_killed_fit_leaves_the_old_file(tmp_path, number):
    (tmp_path / "a.nfc").write_bytes(b"old")
    with start_fit(tmp_path, "-f") as child:
        child.send_signal(number)
        child.communicate(timeout=60)
    assert child.returncode in (128 + number, -number)
    assert (tmp_path / "a.nfc").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["a.nfc", "a.png"]


def test_killed_while_writing_leaves_the_old_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"old")
    (tmp_path / "a.nfc").write_bytes(forge.golden(forge.PYRAMID))
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, "decode", "a.nfc", "-f"]
    child = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGKILL
    assert (tmp_path / "a.png").read_bytes() == b"old"
