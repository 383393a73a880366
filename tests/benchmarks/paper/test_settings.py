"""Settings of the paper's protocol: other losses, other levels, 16 bits; and the keys of what is recorded."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from benchmarks.paper.acceleration import Search
from benchmarks.paper.arms import arm
from benchmarks.paper.losses import EngineWithLoss, RoundedLoss, slopes_of
from benchmarks.paper.programs import EngineProgram, RealProblem, Run
from benchmarks.paper.pyramids import UsedLevel, instant_ngp
from benchmarks.paper.settings import PRECISIONS, Settings, unusual
from benchmarks.plain.losses import LOSSES, relative_l2
from benchmarks.records.store import run_jobs
from nfcodec.exact.geometry import Geometry
from nfcodec.fields import Ngp
from nfcodec.fields.ngp.levels import hash_levels
from nfcodec.fitting import Objective, engines
from nfcodec.fitting.starts import rough_start

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
SETTINGS = Settings(precision="fp32")
RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"


def search(**settings: object) -> Search:
    return Search(
        "set", "image", "abc", side=16, field="ngp", width=0, transform="none", target_db=25.0, max_steps=60,
        log2_rates=(-5, -6, -7, -8), first_log2_rate=-6, **{"precision": "fp32", **settings},
    )  # fmt: skip


def test_the_keys_of_recorded_searches_are_those_of_the_same_settings_today() -> None:
    names = {field.name for field in fields(Search)} - {"log2_rate"}
    for name in ("acceleration-ngp-256", "acceleration-ngp-settings", "acceleration-siren-128"):
        for line in (RESULTS / f"{name}.jsonl").read_text().splitlines():
            row = json.loads(line)
            settings = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items() if k in names}
            assert Search(**settings).key == row["key"]


def test_settings_are_in_records_and_in_keys_where_they_are_not_usual() -> None:
    usual = search()
    others = [search(loss="relative-l2"), search(growth=1.5), search(table=15), search(adam="usual"),
              search(precision="fp16-all"), search(halvings=1), search(entries=0.1)]  # fmt: skip
    assert len({each.key for each in (usual, *others)}) == 8
    assert search(loss="l2", growth=0.0, table=24, entries=1e-4).key == usual.key
    row = run_jobs([search(loss="relative-l2", growth=1.5)], [PICTURE], "")[0]
    assert (row["loss"], row["growth"], row["table"]) == ("relative-l2", 1.5, 24)
    assert row["reached"]
    assert unusual(row) == ["loss relative-l2", "growth 1.5"]


def test_entries_begin_within_the_bound_and_networks_where_they_always_do() -> None:
    run = Run(arm("none", PICTURE), 2.0**-6)
    usual, wide = (search(**each).program([run]).parameters(0) for each in ({}, {"entries": 0.5}))
    for name, values in wide.items():
        if name.startswith("level"):
            assert 0.4 < np.abs(values).max() <= 0.5
        else:
            np.testing.assert_array_equal(values, usual[name])


@pytest.mark.parametrize("name", ["numba", "torch"])
def test_the_gradient_of_another_loss_is_that_of_automatic_differentiation(name: str) -> None:
    field, made = Ngp.instant(16), arm("standardize", PICTURE)
    problem = RealProblem.square(field, 16, made.targets)
    start = rough_start(field.layout(problem.geometry), 0)
    inner = engines.create(name, "cpu", problem, start, Objective(), 0)
    with_loss = EngineWithLoss(inner, problem, Objective(), RoundedLoss(slopes_of(relative_l2)))
    stats, outputs = with_loss.gradient(), with_loss.outputs()
    assert stats.mse == pytest.approx(float(np.mean((outputs[:, 0] - made.targets) ** 2)), rel=1e-5)

    plain = engines.create("torch", "cpu", problem, start, Objective(), 0)
    leaf = torch.from_numpy(start["weight2"].copy()).requires_grad_()
    hidden = _hidden(plain, start)
    out = hidden @ leaf.T
    np.testing.assert_allclose(out.detach().numpy(), outputs, atol=1e-4)
    targets = torch.from_numpy(made.targets.astype(np.float32))[:, None]
    ((out - targets) ** 2 / (out.detach() ** 2 + 0.01)).mean().backward()
    np.testing.assert_allclose(inner.gradients()["weight2"], leaf.grad.numpy(), rtol=2e-3, atol=1e-5)


def _hidden(engine: engines.Engine, start: dict) -> torch.Tensor:
    """What goes into the last layer: outputs with each row of the identity as the last matrix."""
    columns = []
    for i in range(64):
        engine.restore({**start, "weight2": np.eye(64, dtype=np.float32)[i : i + 1]})
        columns.append(torch.from_numpy(engine.outputs()[:, 0]))
    return torch.stack(columns, 1)


def test_the_squared_error_by_moved_targets_takes_the_steps_of_the_engine() -> None:
    made = arm("gamma:2", PICTURE)
    slopes = RoundedLoss(lambda outputs, targets: outputs - targets)
    usual, moved = (EngineProgram(Ngp.instant(16), 16, [Run(made, 2.0**-6)], loss=loss) for loss in (None, slopes))
    for _ in range(6):
        assert moved.psnrs([0])[0] == pytest.approx(usual.psnrs([0])[0], abs=2e-3)
        for each in (usual, moved):
            each.update([0])


def test_outputs_in_16_bits_are_those_that_are_judged() -> None:
    made = arm("none", PICTURE)
    program = EngineProgram(
        Ngp.instant(16), 16, [Run(made, 2.0**-6)], loss=replace(SETTINGS, precision="fp16-outputs").rounded_loss
    )
    for _ in range(5):
        psnr_db = program.psnrs([0])[0]
        program.update([0])
    program.psnrs([0])
    outputs = program.outputs(0)
    np.testing.assert_array_equal(outputs, outputs.astype(np.float16))
    assert program.psnrs([0])[0] == pytest.approx(made.psnr_db(outputs), abs=1e-6)
    assert psnr_db != program.psnrs([0])[0]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("loss", ["l2", "relative-l2"])
def test_slopes_in_16_bits_are_rounded_once(precision: str, loss: str) -> None:
    settings = replace(SETTINGS, precision=precision, loss=loss)
    wanted, rounded_loss = PRECISIONS[precision], settings.rounded_loss
    assert settings.objective.half == wanted.parameters
    rounded = [bool(settings.objective.error_quantum), rounded_loss is not None and rounded_loss.quantum > 0]
    assert sum(rounded) == wanted.gradients
    outputs, targets = np.float32([[0.30], [0.299]]), np.float32([[0.3], [0.3]])
    if rounded_loss is not None and wanted.gradients and loss == "l2":
        np.testing.assert_array_equal(rounded_loss.moved_targets(outputs, targets), outputs)


def test_the_largest_table_holds_what_a_picture_touches_alone() -> None:
    geometry = Geometry(32, 32, 1)
    held = instant_ngp(32, 1.5)
    fine = hash_levels(16, 2, 24, 16, float(np.float32(_growth(held))))
    assert [level.resolution for level in held.levels[:4]] == [level.resolution for level in fine[:4]]
    assert sum(isinstance(level, UsedLevel) for level in held.levels) == 12
    for level, whole in zip(held.levels, fine, strict=True):
        if not isinstance(level, UsedLevel):
            continue
        assert level.size <= 64 * 64
        assert level.is_dense
        for mine, its in zip(level.axes(geometry), whole.axes(geometry), strict=True):
            np.testing.assert_array_equal(mine.fraction, its.fraction)
            np.testing.assert_array_equal(mine.high, mine.low + 1)
            assert len(np.unique(mine.low)) == len(np.unique(its.low))
            same = mine.low[1:] == mine.low[:-1] + 1  # the next cell is also the next one of the fine level, or is not
            np.testing.assert_array_equal(same, its.low[1:] == its.low[:-1] + 1)


def _growth(field: Ngp) -> float:
    return (field.levels[1].scale + 1) / (field.levels[0].scale + 1)


def test_levels_of_the_vertices_touched_give_what_the_whole_table_gives() -> None:
    """With a table for the fine level whose entries are those of the level of touched vertices."""
    side = 16
    used = next(
        level for level in instant_ngp(side, 1.5).levels if level.size >= 30**2 and isinstance(level, UsedLevel)
    )
    fine = used.fine
    geometry, rng = Geometry(side, side, 1), np.random.default_rng(0)
    table = rng.normal(size=used.shape).astype(np.float32)
    whole = np.zeros(fine.shape, np.float32)
    for y_used, y_fine in _pairs(used, fine, side):
        for x_used, x_fine in _pairs(used, fine, side):
            whole[fine.index(np.int64(x_fine), np.int64(y_fine))] = table[
                used.index(np.int64(x_used), np.int64(y_used))
            ]
    outputs = []
    for level, values in ((used, table), (fine, whole)):
        field = Ngp((level,), (16,))
        problem = RealProblem.square(field, side, np.zeros(side * side))
        start = {**rough_start(field.layout(geometry), 0, 0.0), "level0": values}
        start |= {name: np.ones_like(value) for name, value in start.items() if name != "level0"}
        outputs.append(engines.create("numba", "cpu", problem, start, Objective(), 0).outputs())
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-6)
    assert np.ptp(outputs[0]) > 0


def _pairs(used: UsedLevel, fine: object, side: int) -> list[tuple[int, int]]:
    mine, its = used.axis(side, side), fine.axis(side, side)  # pyright: ignore[reportAttributeAccessIssue]
    return sorted(set(zip(mine.low, its.low, strict=True)) | set(zip(mine.high, its.high, strict=True)))


@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_are_half_the_derivative_of_each_outputs_loss(loss: str) -> None:
    rng = np.random.default_rng(0)
    outputs, targets = (rng.normal(size=(9, 1)).astype(np.float32) for _ in range(2))
    expected = {
        "l2": outputs - targets, "relative-l2": (outputs - targets) / (outputs**2 + 0.01),
        "l1": np.sign(outputs - targets) / 2,
    }  # fmt: skip
    np.testing.assert_allclose(slopes_of(LOSSES[loss])(outputs, targets), expected[loss], rtol=1e-5)
