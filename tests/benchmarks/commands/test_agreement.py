"""Which setting comes nearest to the paper."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")

from benchmarks.commands import main
from benchmarks.commands.agreement import rows
from benchmarks.paper.published import ACCELERATION
from benchmarks.records.store import Row

PAPERS = ACCELERATION["ngp", "kodak"]


def runs(accelerations: dict[str, float], image: str = "kodim01", **settings: object) -> list[Row]:
    usual = {"study": "paper", "dataset": "kodak", "image": image, "sha256": image, "commit": "", "processor": ""}
    usual |= {"field": "ngp", "side": 128, "width": 0, "precision": "fp32", "target_db": 50.0, "max_steps": 10_000}
    usual |= {"seed": 0, "reached": True, **settings}
    steps = {"none": 10_000.0, **{name: 10_000 / value for name, value in accelerations.items()}}
    return [{**usual, "key": f"{name}{image}{settings}", "transform": name, "steps": n} for name, n in steps.items()]


def test_settings_are_listed_the_nearest_first_and_incomplete_pictures_are_left_out(tmp_path: Path) -> None:
    near, far = ({name: value * factor for name, value in PAPERS.items()} for factor in (1.1, 3.0))
    records = runs(far) + runs(near, loss="relative-l2", growth=1.5) + runs({"rpp": 9.0}, "kodim02")
    found = rows(records)
    assert [row[0] for row in found[:1]] == ["the paper, ngp"]
    assert "relative L2" in str(found[1][0])
    assert [row[2] for row in found] == [None, 1, 1]
    assert [row[-2] for row in found[1:]] == [pytest.approx(1.1), pytest.approx(3.0)]
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in records))
    result = CliRunner().invoke(main, ["agreement", str(path)])
    assert result.exit_code == 0, result.output
    assert "| the paper, ngp | kodak | - | 1.50 | 0.86 |" in result.output
    path.write_text("".join(json.dumps(row) + "\n" for row in runs({"rpp": 9.0})))
    assert "all ten transforms" in CliRunner().invoke(main, ["agreement", str(path)]).output
