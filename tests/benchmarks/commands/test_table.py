from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch")

from benchmarks.commands import main
from benchmarks.rates.encode_table import AS_GOOD, COLUMNS
from benchmarks.records.store import REQUIRED, read
from benchmarks.report.tables import tables

PICTURE = np.random.default_rng(0).integers(100, 130, (24, 40, 3), dtype=np.uint8)


def test_a_row_of_whole_processes(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    Image.fromarray(PICTURE).save(tmp_path / "few" / "a.png")
    command = ["table", "a", "--set", "few", "--data", str(tmp_path), "--side", "16", "--gray", "--psnr", "35"]
    command += ["--more=--effort 1", "--records", str(tmp_path / "rows.jsonl")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    header, cells = result.stdout.splitlines()
    assert header.split(" | ") == [*COLUMNS, *AS_GOOD]
    assert cells.startswith("a | wavelet | none | 35.00 | ")
    (row,) = read(tmp_path / "rows.jsonl")
    assert all(row[key] for key in REQUIRED)
    assert (row["study"], row["field"], row["family"], row["side"]) == ("table", "auto", "wavelet", 16)
    assert row["verified"]
    assert row["psnr_db"] >= 35
    assert row["bpp"] == 8 * row["bytes"] / 256
    measured = ("bytes", "encode_seconds", "decode_seconds", "MB", "decode_MB")
    assert all(each[key] > 0 for each in (row, *row["as_good"].values()) for key in measured)
    assert all(each["psnr_db"] >= 35 for each in row["as_good"].values())
    assert "1 runs, 1 of them recorded already" in CliRunner().invoke(main, command).output

    (table,) = tables([row])
    assert next(line[2] for line in table.rows) == "nfcodec wavelet --effort 1"
    assert [line[2].partition(",")[0] for line in table.rows[1:]] == list(AS_GOOD)


def test_a_picture_that_is_not_there(tmp_path: Path) -> None:
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    result = CliRunner().invoke(main, ["table", "b", "--set", str(tmp_path)])
    assert result.exit_code == 1
    assert "has no picture b; it has a" in result.output
