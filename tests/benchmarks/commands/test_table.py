from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from benchmarks.commands import main
from benchmarks.rates.encode_table import COLUMNS

PICTURE = np.random.default_rng(0).integers(100, 130, (24, 40, 3), dtype=np.uint8)


def test_a_row_of_whole_processes(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    Image.fromarray(PICTURE).save(tmp_path / "few" / "a.png")
    command = ["table", "a", "--set", "few", "--data", str(tmp_path), "--side", "16", "--gray", "--psnr", "35"]
    result = CliRunner().invoke(main, [*command, "--more=--effort 1", "--json", str(tmp_path / "rows.jsonl")])
    assert result.exit_code == 0, result.output
    header, cells = result.output.splitlines()[-2:]
    assert header.split(" | ") == list(COLUMNS)
    assert cells.startswith("a | wavelet | none | 35.00 | ")
    row = json.loads((tmp_path / "rows.jsonl").read_text())
    assert row["verified"]
    assert row["psnr"] >= 35
    assert row["bpp"] == 8 * row["bytes"] / 256
    assert row["xWebP"] == row["webp"] / row["bytes"]
    assert all(row[column] > 0 for column in ("encode_s", "decode_s", "MB", "png", "jpeg_lossy", "avif_lossy"))


def test_a_picture_that_is_not_there(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    result = CliRunner().invoke(main, ["table", "b", "--set", str(tmp_path)])
    assert result.exit_code == 1
    assert "has no picture b; it has a" in result.output
