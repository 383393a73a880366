from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.speed import device
from nfcodec.fields import Geometry, Ngp, Siren


def test_rows_of_every_engine(monkeypatch):
    """On the CPU: the engines for it, a small picture, and those that are not there named with the reason."""
    monkeypatch.setattr(device, "MAX_STEPS", 3)
    monkeypatch.setattr(device, "BLOCK", 2)
    samples = np.random.default_rng(0).integers(0, 256, (16, 16, 1), np.uint8)
    rows = list(device.rows(samples, "cpu", 2, ("cuda", "torch", "numba")))
    assert [(row["part"], row.get("field"), row.get("engine")) for row in rows] == [
        ("limits", None, None),
        *(
            (part, field, engine)
            for field in ("siren", "ngp")
            for part, names in (("steps", ("cuda",)), ("steps", ("torch", "numba")), ("fit", ("torch", "numba")))
            for engine in names
        ),
        ("steps", "grid", "torch"),
    ]
    for row in rows:
        if row.get("engine") == "cuda":
            assert "CUDA devices only" in row["reason"]
        elif row["part"] == "steps":
            assert row["step_ms"] > 0
            assert math.isclose(row["steps_per_second"], 1e3 / row["step_ms"])
            if row["field"] == "grid":
                assert row["share_of_fp32_products"] > 0
            else:
                assert row["torch_over_this"] == 1 or row["engine"] != "torch"
        elif row["part"] == "fit":
            assert (row["steps"], row["reached"]) == (3, False)


def test_least_bytes():
    geometry = Geometry(2, 3, 1)
    assert device.least_bytes(Siren(8, hidden_layers=3), geometry) == 4 * 10 * 6 * 8 * 4
    assert device.least_bytes(Ngp.instant(64), geometry) == pytest.approx(4 * 6 * (5 * 32 + 12 * 32))
