"""Whole fits in plain PyTorch, and what the searches see of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from benchmarks.paper.arms import arm
from benchmarks.paper.programs import Run
from benchmarks.plain import fields, protocol
from benchmarks.plain.field import Field
from benchmarks.plain.fields.siren import Siren
from benchmarks.plain.found import named, names
from benchmarks.plain.losses import LOSSES
from benchmarks.plain.optimisers.adam import Adam
from benchmarks.plain.optimisers.kfac import Kfac
from benchmarks.plain.program import (
    PlainProgram,
    field_names,
    first_log2_rate,
    log2_rates,
    optimiser_names,
    width_of,
)
from benchmarks.plain.protocol import PlainFit, Recipe, fit
from benchmarks.plain.stops import reached
from nfcodec.errors import UsageError

SIDE = 16
Y, X = np.mgrid[:SIDE, :SIDE]
PICTURE = (128 + 60 * np.sin(X / 3) + 50 * np.cos(Y / 4 + X / 9)).astype(np.uint8)


def test_a_fit_ends_where_its_stop_says() -> None:
    transformed = arm("sympower", PICTURE)
    found = fit(transformed, Siren, Kfac, rate=0.25, stop=reached(40.0, 100))
    assert found.curve[-1] >= 40 > max(found.curve[:-1])
    assert transformed.psnr_db(found.outputs) == pytest.approx(found.curve[-1], abs=1e-3)
    assert found.seconds > 0
    assert fit(transformed, Siren, Kfac, rate=0.25, stop=lambda curve: len(curve) == 4).steps == 3
    assert fit(transformed, Siren, Adam, rate=2.0**-9, stop=reached(99.0, 5)).steps == 5
    assert reached(50.0)([20.0, -np.inf])


def test_large_pictures_pass_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(Siren, Adam, LOSSES["relative-l2"], 8)
    whole = PlainFit(arm("rpp", PICTURE), recipe, 2.0**-9)
    monkeypatch.setattr(protocol, "CHUNK_FLOATS", 8 * 100)
    parts = PlainFit(arm("rpp", PICTURE), recipe, 2.0**-9)
    assert len(parts.field.places.split(parts._chunk)) == 3
    for _ in range(3):
        assert whole.psnr_db() == pytest.approx(parts.psnr_db(), abs=1e-3)
        whole.update()
        parts.update()
    for name, value in whole.parameters().items():
        np.testing.assert_allclose(value, parts.parameters()[name], atol=1e-5)


def test_losses_are_as_their_formulas_have_them() -> None:
    rng = np.random.default_rng(0)
    o, t = rng.normal(size=9), rng.normal(size=9)
    outputs, targets = torch.tensor(o, requires_grad=True), torch.tensor(t)
    expected = {
        "l2": (np.mean((o - t) ** 2), 2 * (o - t) / 9),
        "relative-l2": (np.mean((o - t) ** 2 / (o**2 + 0.01)), 2 * (o - t) / (o**2 + 0.01) / 9),
        "l1": (np.mean(np.abs(o - t)), np.sign(o - t) / 9),
    }
    assert set(expected) == set(LOSSES)
    for name, (value, slopes) in expected.items():
        loss = LOSSES[name](outputs, targets)
        assert loss.item() == pytest.approx(value)
        np.testing.assert_allclose(torch.autograd.grad(loss, outputs)[0].numpy(), slopes)


def test_a_program_holds_its_runs_apart() -> None:
    runs = [Run(arm(chain, PICTURE), 2.0**rate) for chain in ("none", "gamma:2") for rate in (-8, -10)]
    program = PlainProgram("siren", "adam", "l2", 8, runs)
    alone = PlainFit(runs[3].arm, Recipe(Siren, Adam, width=8), runs[3].rate)
    for alive in ([0, 1, 2, 3], [1, 3], [3]):
        assert program.psnrs(alive)[-1] == pytest.approx(alone.psnr_db())
        program.update(alive)
        alone.update()
    assert program.seconds[3] > 0
    start = program.parameters(3)
    outputs = program.outputs(3)
    program.restore(3, {name: 0 * value for name, value in start.items()})
    assert not np.any(program.outputs(3))
    program.restore(3, start)
    np.testing.assert_array_equal(program.outputs(3), outputs)


def test_every_combination_has_rates_to_search() -> None:
    assert {"ffn", "finer", "hash-grid", "siren", "wire"} <= set(field_names())
    assert {"adam", "kfac", "muon", "soap"} <= set(optimiser_names())
    for field in field_names():
        width = width_of(field, 64, None)
        for optimiser in optimiser_names():
            first = first_log2_rate(field, optimiser, width)
            assert first in log2_rates(first)[2:-2]
    assert width_of("siren", 64, None) == 64
    assert width_of("siren", 64, 7) == 7


def test_a_new_file_is_a_new_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "__path__", [*fields.__path__, str(tmp_path)])
    (tmp_path / "flat_one.py").write_text(
        "import torch\nfrom benchmarks.plain.field import Field\n"
        "class Flat(Field):\n    def forward(self, places):\n        return 0 * places[:, :1]\n"
    )
    try:
        assert "flat-one" in names(fields)
        assert named(fields, "flat-one", Field).__name__ == "Flat"
        with pytest.raises(UsageError, match="flat-one, hash-grid"):
            named(fields, "frog", Field)
        (tmp_path / "empty.py").write_text("from benchmarks.plain.field import Field\n")
        with pytest.raises(TypeError, match="must define one Field"):
            named(fields, "empty", Field)
    finally:
        for name in ("flat_one", "empty"):
            sys.modules.pop(f"benchmarks.plain.fields.{name}", None)
