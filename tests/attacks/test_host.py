"""What a program around this package may do and set, and what it may find changed afterwards: nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import forge
import pytest

ROOT = Path(__file__).parents[2]
A_WHILE = 120.0
"""Seconds that nothing here takes unless it hangs."""

STRICT_NUMBERS = """
import warnings
import numpy as np
np.seterr(all="raise")
warnings.simplefilter("error")
import nfcodec
from nfcodec.images.files import raster_from_bytes

samples = np.random.default_rng(0).integers(0, 256, (24, 20, 3)).astype(np.uint8)
samples[:12] = 255
for options in ({"psnr": 40.0}, {"lossless": True}, {"psnr": 30.0, "transform": "gamma:2.2"},
                {"psnr": 25.0, "field": "table"}, {"psnr": 20.0, "field": "siren", "best_effort": True},
                {"psnr": 25.0, "field": "ngp", "best_effort": True}):
    data = nfcodec.encode(samples, effort=1, **options)
    assert nfcodec.decode_array(data).shape == samples.shape, options
for name in names:
    nfcodec.decode_array(open(name, "rb").read())
assert set(np.geterr().values()) == {"raise"}
assert [each[0] for each in warnings.filters[:1]] == ["error"]
"""


def run(script: str, **environment: str) -> str:
    """What a script prints that knows the names of the golden files; it must end well."""
    names = [str(path) for path in sorted(forge.GOLDEN.glob("*.nfc"))]
    command = [sys.executable, "-c", f"names = {names}\n{script}"]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    child = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=A_WHILE, check=False)
    assert child.returncode == 0, child.stderr[-2000:]
    return child.stdout


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_host_that_is_strict_with_numbers_and_warnings(threads):
    run(STRICT_NUMBERS, OMP_NUM_THREADS=threads)


FORKS = """
import multiprocessing, sys, threading, time
import nfcodec

files = [open(name, "rb").read() for name in names][:10]
expected = [nfcodec.decode_array(data).tobytes() for data in files]
stopped = threading.Event()

def decode_on_and_on():
    while not stopped.is_set():
        nfcodec.decode_array(files[0])

def child(results):
    same = all(nfcodec.decode_array(data).tobytes() == each for data, each in zip(files, expected))
    results.put(same)

threads = [threading.Thread(target=decode_on_and_on, daemon=True) for _ in range(12)]
for thread in threads:
    thread.start()
time.sleep(0.5)
context = multiprocessing.get_context("fork")
results, children = context.Queue(), []
for _ in range(10):
    children.append(context.Process(target=child, args=(results,), daemon=True))
    children[-1].start()
    time.sleep(0.05)
stopped.set()
for thread in threads:
    thread.join()
for each in children:
    each.join(30)
print(sum(each.is_alive() for each in children), "hang")
print(sum(results.get() for each in children if not each.is_alive()), "right")
for each in children:
    each.kill()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_children_decode_that_are_forked_while_others_decode(threads):
    assert run(FORKS, OMP_NUM_THREADS=threads).split() == ["0", "hang", "10", "right"]


FORK_WHILE_COMPILING = """
import os, sys, threading, time
from nfcodec.kernels import jit

@jit.kernel
def half(x):
    return x / 2

begun, held = threading.Event(), threading.Event()

def compile_for_a_while():
    with global_compiler_lock:
        begun.set()
        time.sleep(1)

from numba.core.compiler_lock import global_compiler_lock
thread = threading.Thread(target=compile_for_a_while)
thread.start()
begun.wait()
child = os.fork()
if child == 0:
    os._exit(0 if half(3.0) == 1.5 else 1)
until = time.monotonic() + 60
while (found := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < until:
    time.sleep(0.05)
print("done" if found == (child, 0) else "hangs")
if found[0] == 0:
    os.kill(child, 9)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_children_compile_that_are_forked_while_others_compile(tmp_path):
    pytest.importorskip("numba")
    script = tmp_path / "compiling.py"  # numba keeps what it compiles of files alone
    script.write_text(FORK_WHILE_COMPILING, encoding="ascii")
    assert run(f"import runpy; runpy.run_path({str(script)!r})").strip() == "done"
