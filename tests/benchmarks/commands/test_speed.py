from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks.commands import main
from benchmarks.speed import processes, recipe, steps

SIDE = 16


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "few").mkdir()
    y, x = np.mgrid[:24, :32]
    picture = np.stack([128 + 60 * np.sin(x / 3 + c) + 50 * np.cos(y / 4) for c in range(3)], 2)
    for name in ("a", "b"):
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "few" / f"{name}.png")
    return tmp_path / "few"


def test_steps_are_timed_against_each_other(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "PRODUCT_SIDE", 64)
    monkeypatch.setattr(steps, "PAUSE_S", 0.0)
    hashed, rated, siren = steps.rows(pictures / "a.png", 2, SIDE, (SIDE,))
    assert rated["workload"] == "pyramid, 32 x 24 RGB, with rate"
    for row in (hashed, rated, siren):
        assert row["numba_ms"] > 0
        assert row["torch_over_numba"] > 0
        assert row["numba_over_products"] > 0
    assert hashed["plain_over_numba"] > 0
    assert "plain_ms" not in siren


def test_the_verb_writes_what_it_shows(pictures: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(recipe, "GOAL_DB", 25.0)
    command = ["speed", "--set", str(pictures), "--image", "a", "--part", "recipe", "--side", str(SIDE)]
    command += ["--images", "1", "--json", str(tmp_path / "speed.json")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "speed.json").read_text())
    assert {"processor", "threads"} <= set(found["machine"])
    rows = found["rows"]
    assert [(row["image"], row["transform"]) for row in rows] == [
        ("a", "none"), ("a", "rpp"), ("b", "none"), ("b", "rpp"),
    ]  # fmt: skip
    assert all(row["default_reached"] for row in rows)
    assert rows[0]["steps_ratio"] == rows[0]["paper_steps"] / rows[0]["default_steps"]
    assert rows[0]["paper_steps_at_best_rate"] <= rows[0]["paper_steps"]
    assert "paper_steps" not in rows[2]
    assert len(result.output.splitlines()) == 1 + 1 + len(rows)  # and the set, and the machine


def test_a_recipe_that_takes_too_long_counts_as_not_having_arrived(pictures: Path) -> None:
    (none, _) = recipe.rows([pictures / "a.png"], recipe.Extent(SIDE, 1, None, 1.0))
    assert none["default_reached"]
    assert not none["paper_reached"]
    assert none["paper_steps"] == none["default_steps"]
    assert "paper_steps_at_best_rate" not in none


@pytest.mark.slow
def test_whole_processes(pictures: Path) -> None:
    encodes = list(processes.encodes(pictures / "a.png", pictures / "b.png", SIDE))
    assert [row["image"] for row in encodes[:4]] == ["a", "a", "a, 16 x 16 gray", "b"]
    assert encodes[4]["ratio"] == encodes[3]["seconds_per_megapixel"] / encodes[0]["seconds_per_megapixel"]
    assert all(row["psnr_db"] >= float(row["options"].split()[1]) for row in encodes[:4])
    decodes = list(processes.decodes(pictures / "a.png", 1, SIDE))
    assert [row["file"] for row in decodes] == ["a, default field", "16 x 16 gray, siren of width 16"]
    assert all(0 < row["fastest"] == row["seconds"] for row in decodes)
