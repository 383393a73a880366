"""Exact evaluation gives the same integers everywhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

DIGEST = """
import hashlib
import numpy as np
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.fields import Geometry, Ngp, Pyramid, Siren, TiledSiren, Wavelet, hash_levels

geometry = Geometry(150, 140, 3)
for fields in (
    (Siren(96, 2), Pyramid(3, 64), Ngp(hash_levels(4, 2, 10, 16, 1.533), (64, 64))),
    (Wavelet(3, 64), TiledSiren(2, 3, (8, 40, 16, 96, 9, 24), 2, frequencies=5)),
):
    digest = hashlib.sha256()
    for field in fields:
        weights = {}
        for i, tensor in enumerate(field.layout(geometry)):
            symbols = (np.arange(tensor.size) * 2654435761 % 2**32 >> 9) % 401 - 200
            weights[tensor.name] = Quantized(symbols.reshape(tensor.shape), Step(150 + i, -15))
        digest.update(field.evaluate(geometry, weights).astype("<i8").tobytes())
    print(digest.hexdigest())
"""
EVALUATION_SHAS = [
    "6d81ce0ca8ad29d42109d71718e7a9826d4d1809ffd1552c685d2ed18e572ae0",
    "5a5f979d746357148635669aeb8a54bbf42857f836f3726eb858c044b72a33b5",
]


@pytest.mark.parametrize(
    ("threads", "kernels"),
    [("1", {}), ("2", {}), ("2", {"OPENBLAS_CORETYPE": "Haswell"})],
    ids=["one thread", "two threads", "other kernels"],
)
def test_evaluation_is_the_same_under_any_blas(threads, kernels):
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, **kernels}
    out = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.split() == EVALUATION_SHAS
