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
    """What a script prints that knows the names of the golden files; it must end well, and soon."""
    names = [str(path) for path in sorted(forge.GOLDEN.glob("*.nfc"))]
    command = [sys.executable, "-c", f"names = {names}\n{script}"]
    settings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    child = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=A_WHILE, check=False)
    assert child.returncode == 0, child.stderr[-2000:]
    return child.stdout


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_host_that_is_strict_with_numbers_and_warnings(threads):
    run(STRICT_NUMBERS, OMP_NUM_THREADS=threads)
