"""From a picture to a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch")

from benchmarks.commands import main
from benchmarks.commands.figures import RECORDS
from benchmarks.records.store import read

SIDE = 20
Y, X = np.mgrid[:SIDE, :SIDE]
PICTURE = (128 + 60 * np.sin(X / 3) + 50 * np.cos(Y / 4 + X / 9)).astype(np.uint8)


@pytest.mark.slow
def test_analyze_goes_from_a_picture_to_a_page_and_resumes(tmp_path: Path) -> None:
    Image.fromarray(np.stack([PICTURE, PICTURE[::-1], 255 - PICTURE], 2)).save(tmp_path / "picture.png")
    command = ["analyze", str(tmp_path / "picture.png"), "--out", str(tmp_path / "out"), "--side", str(SIDE)]
    command += ["--width", "24", "--transform", "scale:2", "--max-steps", "2000"]
    first = CliRunner().invoke(main, command)
    assert first.exit_code == 0, first.output
    rows = list(read(tmp_path / "out" / "records.jsonl"))
    assert sorted(row["study"] for row in rows) == ["codec"] * 2 + ["dynamics"] * 3 + ["gallery"] + ["paper"] * 3
    assert "At 40 dB, rpp took " in first.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Table 1" in page
    assert "scale:2" in page
    assert (tmp_path / "out" / "tables.md").read_text().count("###") >= 5
    assert list((tmp_path / "out" / "plots").glob("*.svg"))
    again = CliRunner().invoke(main, command)
    assert again.output.count(" of them recorded already") == 4
    assert len(list(read(tmp_path / "out" / "records.jsonl"))) == len(rows)


@pytest.mark.slow
def test_where_no_fit_arrives_the_page_is_about_the_rest(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "picture.png")
    command = ["analyze", str(tmp_path / "picture.png"), "--out", str(tmp_path / "out"), "--side", "8"]
    result = CliRunner().invoke(main, [*command, "--transform", "rpp", "--max-steps", "1"])
    assert result.exit_code == 0, result.output
    rows = list(read(tmp_path / "out" / "records.jsonl"))
    assert sorted(row["study"] for row in rows) == ["codec"] * 2 + ["gallery"] + ["paper"] * 2
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.slow
def test_the_page_is_about_one_picture_also_where_the_folder_has_records_of_others(tmp_path: Path) -> None:
    for name, picture in (("one", PICTURE), ("two", PICTURE[::-1])):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
        command = ["analyze", str(tmp_path / f"{name}.png"), "--out", str(tmp_path / "out"), "--side", "8"]
        result = CliRunner().invoke(main, [*command, "--transform", "rpp", "--max-steps", "1"])
        assert result.exit_code == 0, result.output
    assert len(list(read(tmp_path / "out" / "records.jsonl"))) == 10
    page = (tmp_path / "out" / "report.html").read_text()
    assert "two.png" in page
    assert "one" not in (tmp_path / "out" / "tables.md").read_text().split()


@pytest.mark.slow
def test_a_report_of_all_that_is_recorded(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["report", str(RECORDS), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    text = (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert "Instant-NGP, whole pictures" not in text
    assert "### BD-rate over avif-psnr by range of PSNR: kodak" in text
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_a_report_without_records_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("")
    result = CliRunner().invoke(main, ["report", str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "nothing to report" in result.output
