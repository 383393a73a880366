"""Files fitted by the engines for GPUs, on the CPU where there is none: they are what was promised."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import nfcodec
from nfcodec.fields.ngp import cuda as flat_ngp
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import hash_levels
from nfcodec.fields.siren.field import Siren
from nfcodec.fitting.engines import registry
from nfcodec.metrics import psnr_db
from tests.fitting.engines import fake_tinycudann

HASHED = Ngp(hash_levels(3, 2, 8, 8, 2.0), hidden=(16, 16))


@pytest.fixture
def on_the_cpu(monkeypatch):
    """The engines as they are, but for the device; that of our own kernels only where it is missing."""
    monkeypatch.setitem(sys.modules, "tinycudann", fake_tinycudann)
    monkeypatch.setitem(registry.ENGINES, "tinycudann", "tests.fitting.engines.on_the_cpu:tinycudann")
    if torch.cuda.is_available():
        return
    monkeypatch.setitem(registry.ENGINES, "cuda", "tests.fitting.engines.on_the_cpu:cuda")
    for name in ("ENCODE_PIXELS", "NETWORK_PIXELS"):  # Triton's interpreter takes as long for few pixels as for many
        monkeypatch.setattr(flat_ngp, name, 512)


@pytest.mark.parametrize(
    ("engine", "field", "target_db"), [("cuda", Siren(24), 30.0), ("cuda", HASHED, 20.0), ("tinycudann", HASHED, 20.0)]
)
def test_the_promise_is_kept(on_the_cpu, engine, field, target_db):
    if field is HASHED and engine == "cuda":
        pytest.importorskip("triton")
    y, x = np.mgrid[0:20, 0:24]
    picture = (120 + 80 * np.sin(x / 3.0) * np.cos(y / 4.0)).astype(np.uint8)
    data = nfcodec.encode(picture, psnr=target_db, field=field, engine=engine, max_steps=60, effort=1)
    assert psnr_db(picture, np.asarray(nfcodec.decode(data)), 255) >= target_db
