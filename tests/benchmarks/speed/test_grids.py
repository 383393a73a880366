from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.speed import grids
from nfcodec.fields import Geometry, Grid

FIELD = Grid(n_levels=4, n_hyper=1, n_neighbours=6, n_mapped=2, n_hidden=8)
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
PARTS = {
    "Adam", "SOAP", "entropy model, there and back", "first 3 x 3 and hidden layer, back", "first 3 x 3 layer",
    "hidden layer", "maps of coarser grids", "maps, back", "second 3 x 3 layer, back", "second 3 x 3 layer, error",
    "smoothing of the finest grid, back", "soft rounding, noise", "upsampling to half the size",
    "upsampling to half the size, back", "upsampling to the whole size", "upsampling to the whole size, back",
}  # fmt: skip


def test_an_iteration_is_compared_and_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "PAUSE_S", 0.0)
    whole, *parts = rows = list(grids.rows(PICTURE, 2, [FIELD]))
    assert {row["workload"] for row in rows} == {"6 + 2 inputs, 8 neurons, 32 x 24 RGB"}
    assert whole["part"] == "iteration"
    for key in ("numba_ms", "torch_ms", "products_ms", "torch_over_numba", "numba_over_products", "products_gflops"):
        assert whole[key] > 0
    assert {row["part"] for row in parts} == PARTS
    assert len(parts) == len(PARTS)
    assert all(row["thread_ms"] > 0 for row in parts)


def test_plain_pytorch_takes_the_same_iteration() -> None:
    """It makes the loss smaller."""
    targets = np.ascontiguousarray(np.divide(PICTURE.transpose(2, 0, 1), 255), np.float32)
    geometry = Geometry(24, 32, 3)
    plain = grids.PlainFit(FIELD, geometry, targets, grids.begun(FIELD, geometry, targets))
    losses = [plain.step() for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]
