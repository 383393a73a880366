from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch")

from benchmarks.commands import main
from benchmarks.data import mosaic
from benchmarks.data.pictures import Bytes
from benchmarks.records.store import REQUIRED, read
from benchmarks.report.table import markdown
from benchmarks.report.tables import tables
from benchmarks.speed import grids, recipe, steps, wide_siren, workloads

SIDE = 16


Y, X = np.mgrid[:24, :32]
PICTURE: Bytes = np.stack([128 + 60 * np.sin(X / 3 + c) + 50 * np.cos(Y / 4) for c in range(3)], 2).astype(np.uint8)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "few").mkdir()
    for name in ("a", "b"):
        Image.fromarray(PICTURE + ord(name) - ord("a")).save(tmp_path / "few" / f"{name}.png")
    return tmp_path / "few"


@pytest.mark.parametrize("device", ["frog", "mps", "cuda:9"])
def test_a_device_that_is_not_there_is_an_error(device: str, pictures: Path) -> None:
    result = CliRunner().invoke(main, ["speed", "--set", str(pictures), "--image", "a", "--device", device])
    assert result.exit_code == 1
    assert f"there is no device {device!r} that PyTorch can use: " in result.output


def test_steps_are_timed_against_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "PRODUCT_SIDE", 64)
    monkeypatch.setattr(steps, "PAUSE_S", 0.0)
    hashed, rated, siren = steps.rows(PICTURE, 2, SIDE, (SIDE,))
    assert rated["workload"] == "pyramid, 32 x 24 RGB, with rate"
    for row in (hashed, rated, siren):
        assert row["numba_ms"] > 0
        assert row["torch_over_numba"] > 0
        assert row["numba_over_products"] > 0
    assert hashed["plain_over_numba"] > 0
    assert "plain_ms" not in siren


def test_the_verb_records_what_it_shows(pictures: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recipe, "GOAL_DB", 25.0)
    command = ["speed", "--set", str(pictures), "--image", "a", "--part", "recipe", "--side", str(SIDE)]
    command += ["--images", "1", "--records", str(tmp_path / "speed.jsonl")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    first, second = records = list(read(tmp_path / "speed.jsonl"))
    assert all(record[key] for record in records for key in REQUIRED)
    assert [(record["study"], record["part"], record["image"]) for record in records] == [
        ("speed", "recipe", "a"), ("speed", "recipe", "b"),
    ]  # fmt: skip
    assert [row["transform"] for row in first["rows"]] == ["none", "rpp"]
    assert all(row["default_reached"] for record in records for row in record["rows"])
    with_paper, _ = first["rows"]
    assert with_paper["steps_ratio"] == with_paper["paper_steps"] / with_paper["default_steps"]
    assert with_paper["paper_steps_at_best_rate"] <= with_paper["paper_steps"]
    assert "paper_steps" not in second["rows"][0]
    assert len(result.stdout.splitlines()) == 4
    assert "2 runs, 2 of them recorded already" in CliRunner().invoke(main, command).output
    (table,) = tables(records)
    assert [line[:2] for line in table.rows] == [("none", 2), ("rpp", 2)]


def test_a_recipe_that_takes_too_long_counts_as_not_having_arrived() -> None:
    (none, _) = recipe.rows(PICTURE, SIDE, 1.0)
    assert none["default_reached"]
    assert not none["paper_reached"]
    assert none["paper_steps"] == none["default_steps"]
    assert "paper_steps_at_best_rate" not in none


def test_a_wide_siren_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads, "PRODUCT_SIDE", 64)
    (row,) = wide_siren.rows(PICTURE, 1, SIDE)
    assert row["file"] == "16 x 16 gray, siren of width 16"
    assert row["over_fp64_products"] == row["seconds"] / row["fp64_products_seconds"] > 0
    assert row["cpu_seconds"] > 0


def test_the_fit_of_grids_is_recorded(pictures: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(grids, "PAUSE_S", 0.0)
    command = ["speed", "--part", "grid", "--set", str(pictures), "--image", "a", "--rounds", "1"]
    result = CliRunner().invoke(main, [*command, "--records", str(tmp_path / "speed.jsonl")])
    assert result.exit_code == 0, result.output
    (record,) = records = list(read(tmp_path / "speed.jsonl"))
    assert all(record[key] for key in REQUIRED)
    workloads = list(dict.fromkeys(row["workload"] for row in record["rows"]))
    assert workloads == ["14 + 6 inputs, 48 neurons, 32 x 24 RGB", "10 + 4 inputs, 16 neurons, 32 x 24 RGB"]
    assert len(result.stdout.splitlines()) == len(record["rows"])
    (table,) = tables(records)
    assert table.title == "Speed: grid"


def test_whole_processes_take_turns(pictures: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(workloads, "PRODUCT_SIDE", 64)
    monkeypatch.setattr(mosaic, "SIZE", (40, 30))
    command = ["speed", "--part", "codec", "--rounds", "1", "--effort", "1", "--psnr", "35"]
    command += ["--picture", f"{pictures}/a", "--picture", f"{pictures}/mosaic", "--rival", "webp", "--rival", "avif-8"]
    command += ["--records", str(tmp_path / "speed.jsonl")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    single, _ = records = list(read(tmp_path / "speed.jsonl"))
    assert all(record[key] for record in records for key in REQUIRED)
    assert all("blas" in record["blas"] for record in records)
    assert [(record["image"], record["megapixels"]) for record in records] == [("a", 0.000768), ("mosaic", 0.0012)]
    for unit, row in ((record["unit_seconds"], row) for record in records for row in record["rows"]):
        assert abs(row["psnr_db"] - 35) < 3
        assert row["bytes"] > 0
        for verb in ("encode", "decode"):
            assert row[f"{verb}_units"] == row[f"{verb}_seconds"] / unit > 0
            assert row[f"{verb}_MB"] > 0
            assert row[f"{verb}_busy"] > 0
    assert [row["contestant"] for row in single["rows"]] == ["nfcodec wavelet, effort 1", "webp", "avif-8"]
    assert single["rows"][0]["psnr_db"] >= 35
    (table,) = tables(records)
    assert len(table.rows) == 6
    assert markdown(table) in result.stdout
    again = CliRunner().invoke(main, command)
    assert "2 runs, 2 of them recorded already" in again.output
    assert markdown(table) in again.stdout
