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
from nfcodec.fields import Geometry, Ngp, Pyramid, Siren, hash_levels

geometry, digest = Geometry(150, 140, 3), hashlib.sha256()
for field in (Siren(96, 2), Pyramid(3, 64), Ngp(hash_levels(4, 2, 10, 16, 1.533), (64, 64))):
    weights = {}
    for i, tensor in enumerate(field.layout(geometry)):
        symbols = (np.arange(tensor.size) * 2654435761 % 2**32 >> 9) % 401 - 200
        weights[tensor.name] = Quantized(symbols.reshape(tensor.shape), Step(150 + i, -15))
    digest.update(field.evaluate(geometry, weights).astype("<i8").tobytes())
print(digest.hexdigest())
"""
EVALUATION_SHA = "5760b2f62c1ecb24e0532e47af0575918d858f98272699ec7fb49290a9d6ccf6"


@pytest.mark.parametrize(
    "variables",
    [{"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "2"}, {"OPENBLAS_CORETYPE": "Haswell"}],
    ids=["one thread", "two threads", "other kernels"],
)
def test_evaluation_is_the_same_under_any_blas(variables):
    environment = {**os.environ, **variables}
    out = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == EVALUATION_SHA
