"""Ctrl-C while several threads decode what takes minutes: the command ends soon, and so do its threads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import forge
import pytest

from nfcodec.fields import HashLevel, Ngp, Siren

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")

SECONDS = 10.0
"""Far more than it takes on an idle machine, and far less than these files would."""

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
    "one wide network": forge.build(Siren(2048, 8), 512, 512),
    "many large levels": forge.build(Ngp(LEVELS), 4096, 4096),
}


@pytest.mark.parametrize("name", HEAVY)
def test_an_interrupt_ends_a_decode_on_all_threads(tmp_path, name):
    (tmp_path / "a.nfc").write_bytes(HEAVY[name])
    command = [sys.executable, "-c", DECODING, "decode", "a.nfc"]
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == b"decoding\n"
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=300)
    assert child.returncode == 130
    assert err.strip() == b"nfcodec: interrupted"
    assert time.monotonic() - started < SECONDS
    assert os.listdir(tmp_path) == ["a.nfc"]
