"""Ctrl-C while several threads decode what takes minutes: the command ends soon, and so do its threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import forge
import pytest

from nfcodec.fields import HashLevel, Ngp, Siren

resource = pytest.importorskip("resource", reason="needs POSIX signals and a measure of time")
pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs to see a process's time")

CPU_SECONDS = 2.0
"""After the interrupt, of two threads: a second each. These files would take minutes."""

DECODING = """
import signal, sys, threading, time
from nfcodec.cli import main
from nfcodec.exact.field import Field

signal.signal(signal.SIGINT, signal.default_int_handler)
evaluate = Field.evaluate_tiles

def told(*arguments):
    threading.Timer(1.0, lambda: print("decoding", flush=True)).start()
    evaluate(*arguments)

Field.evaluate_tiles = told
sys.exit(main(sys.argv[1:]))
"""

LEVELS = tuple(HashLevel(1000.0 + i, 1001 + i, 1 << 12, 8) for i in range(32))
HEAVY = {
    "one wide network": forge.build(Siren(1024, 8), 512, 512),
    "many large levels": forge.build(Ngp(LEVELS), 2048, 2048),
}


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, on all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", HEAVY)
def test_an_interrupt_ends_a_decode_on_all_threads(tmp_path, name):
    (tmp_path / "a.nfc").write_bytes(HEAVY[name])
    before = cpu_seconds_of_children()
    command = [sys.executable, "-c", DECODING, "decode", "a.nfc"]
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == b"decoding\n"
        used = cpu_seconds(child.pid)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=300)
    assert child.returncode == 130
    assert err.strip() == b"nfcodec: interrupted"
    assert cpu_seconds_of_children() - before - used < CPU_SECONDS
    assert os.listdir(tmp_path) == ["a.nfc"]
