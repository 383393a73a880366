from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch")

import nfcodec
from benchmarks.commands import main
from benchmarks.rates.codecs import LOSSLESS, OURS, Rival
from benchmarks.rates.lossless import LosslessFile
from benchmarks.records.store import read


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "few").mkdir()
    y, x = np.mgrid[0:24, 0:32]
    for i in range(2):
        planes = np.stack([110 + 70 * np.sin(x / (5 + c + i)) * np.cos(y / 9) for c in range(3)], 2)
        noisy = planes + np.random.default_rng(i).normal(0, 3, planes.shape)
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(tmp_path / "few" / f"{i}.png")
    return tmp_path / "few"


def test_from_pictures_to_a_table(pictures: Path, tmp_path: Path) -> None:
    records, out = tmp_path / "lossless.jsonl", tmp_path / "out"
    command = ["lossless", "--set", str(pictures), "--records", str(records), "--effort", "1"]
    command += ["--codec", OURS, "--codec", "png", "--codec", "webp"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    rows = list(read(records))
    assert [row["codec"] for row in rows].count(OURS) == 2
    assert all(row["bpp"] == 8 * row["bytes"] / (24 * 32) for row in rows)
    assert "6 runs, 6 of them recorded already" in CliRunner().invoke(main, command).output
    assert CliRunner().invoke(main, ["report", str(records), "--out", str(out)]).exit_code == 0
    table = (out / "tables.md").read_text(encoding="utf-8")
    smaller = sum(
        ours["bytes"] < png["bytes"]
        for ours in rows for png in rows
        if (ours["codec"], png["codec"]) == (OURS, "png") and ours["image"] == png["image"]
    )  # fmt: skip
    assert "| nfcodec -e 1 | 2 |" in table
    assert f"| {smaller} of 2 |" in next(line for line in table.splitlines() if line.startswith("| png "))


@pytest.mark.parametrize("codec", [OURS, "png"])
def test_what_comes_back_is_compared(pictures: Path, monkeypatch: pytest.MonkeyPatch, codec: str) -> None:
    job = LosslessFile("few", "0", "", codec, 1)
    picture = job.load(pictures / "0.png")
    changed, encode = np.array(picture), nfcodec.encode_with_report
    changed[0, 0, 0] ^= 1
    monkeypatch.setattr(nfcodec, "encode_with_report", lambda _, **options: encode(changed, **options))
    monkeypatch.setitem(LOSSLESS, "png", Rival({"format": "JPEG"}, ""))
    with pytest.raises(RuntimeError, match="not lossless"):
        job.run(picture)
