"""Signals at the worst moments: nothing is left behind, and what is said of the output is true."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nfcodec.images.files import image_bytes
from nfcodec.raster import Raster

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")

PNG = image_bytes(Raster.from_array(np.add.outer(np.arange(16), 5 * np.arange(16)).astype(np.uint8)))
ROOT = str(Path(__file__).parents[2])

AT = """
import os, signal, sys
import nfcodec.codec, nfcodec.cli._work
from nfcodec.cli import encode as verb, main, _console
from nfcodec.images import whole_files

def first(owner, name):
    function = getattr(owner, name)
    def wrapped(*arguments, **options):
        os.kill(os.getpid(), signal.{signal})
        return function(*arguments, **options)
    setattr(owner, name, wrapped)

def after(owner, name):
    function = getattr(owner, name)
    def wrapped(*arguments, **options):
        result = function(*arguments, **options)
        os.kill(os.getpid(), signal.{signal})
        return result
    setattr(owner, name, wrapped)

signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
{where}
sys.exit(main(sys.argv[1:]))
"""

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
WORDS = {"SIGINT": b"interrupted", "SIGTERM": b"terminated (SIGTERM)", "SIGHUP": b"terminated (SIGHUP)"}
BEFORE = {
    "while data is written": "after(whole_files, 'write_all')",
    "while data is synced": "first(os, 'fsync')",
    "while a PNG is made to compare": "first(verb, '_png_bytes')",
    "while the bound is computed": "first(nfcodec.codec, 'bound_bytes')",
}
AFTER = {
    "after a link": ("after(os, 'link')", ()),
    "after a move": ("after(os, 'replace')", ("-f",)),
    "while the directory is synced": ("first(whole_files, '_sync_directory')", ()),
    "before the report": ("first(_console, 'out_json')", ()),
    "at the end": ("after(nfcodec.cli._work, 'show')", ("-f",)),
}

each_signal = pytest.mark.parametrize("name", CODES)
usual_signals = pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])


@pytest.fixture
def here(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    return tmp_path


def run(here: Path, name: str, where: str, *arguments: str, **options) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": ROOT}
    line = [sys.executable, "-c", AT.format(signal=name, where=where), *arguments]
    return subprocess.run(line, cwd=here, env=environment, capture_output=True, timeout=120, check=False, **options)


@usual_signals
@pytest.mark.parametrize("where", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("old", [None, b"old"], ids=["new file", "old file"])
def test_before_the_output_has_its_name(here, name, where, old):
    if old is not None:
        (here / "a.nfc").write_bytes(old)
    child = run(here, name, where, "encode", "--fast", "-f", "a.png", "--transform", "rpp", "--psnr", "30")
    assert (child.returncode, child.stderr.splitlines()[-1]) == (CODES[name], b"nfcodec: " + WORDS[name])
    if old is None:
        assert os.listdir(here) == ["a.png"]
    else:
        assert sorted(os.listdir(here)) == ["a.nfc", "a.png"]
        assert (here / "a.nfc").read_bytes() == old


@usual_signals
@pytest.mark.parametrize(("where", "options"), AFTER.values(), ids=AFTER)
def test_after_the_output_has_its_name(here, name, where, options):
    """The output is there, so nobody may say that there is none."""
    if options:
        (here / "a.nfc").write_bytes(b"old")
    child = run(here, name, where, "encode", "--fast", *options, "a.png", "--json")
    assert child.returncode == 0, child.stderr
    assert b"interrupted" not in child.stderr
    assert b'"path": "a.nfc"' in child.stdout
    assert sorted(os.listdir(here)) == ["a.nfc", "a.png"]


@usual_signals
def test_while_the_interpreter_ends(here, name):
    program = f"""
import atexit, os, signal, sys
from nfcodec.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
atexit.register(lambda: os.kill(os.getpid(), signal.{name}))
sys.argv = ["nfcodec", "encode", "--fast", "-q", "a.png"]
sys.exit(main())
"""
    environment = {**os.environ, "PYTHONPATH": ROOT}
    line = [sys.executable, "-c", program]
    child = subprocess.run(line, cwd=here, env=environment, capture_output=True, timeout=120, check=False)
    assert (child.returncode, child.stderr) == (0, b"")
    assert sorted(os.listdir(here)) == ["a.nfc", "a.png"]


@each_signal
def test_said_as_json(here, name):
    child = run(here, name, "first(nfcodec.codec, 'encode')", "encode", "a.png", "--json")
    kind = "KeyboardInterrupt" if name == "SIGINT" else "Terminated"
    expected = f'{{"error": "{WORDS[name].decode()}", "code": {CODES[name]}, "kind": "{kind}", "reason": null}}\n'
    assert child.stdout.decode() == expected


def test_a_command_under_nohup_goes_on(here):
    where = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\nfirst(nfcodec.codec, 'encode')"
    child = run(here, "SIGHUP", where, "encode", "--fast", "a.png")
    assert child.returncode == 0, child.stderr
    assert sorted(os.listdir(here)) == ["a.nfc", "a.png"]


@pytest.mark.parametrize("code", ["main(['--version'])", "main(['info', 'missing.nfc'])"])
def test_a_caller_of_main_keeps_its_handlers(code):
    program = f"""
import signal
from nfcodec.cli import main
before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
{code}
assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
import threading
thread = threading.Thread(target=lambda: {code})
thread.start()
thread.join()
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    child = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, timeout=60, check=False
    )
    assert child.returncode == 0, child.stderr
    assert b"internal" not in child.stderr
