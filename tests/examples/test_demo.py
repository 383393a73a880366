"""The demo does what it prints, shown on two quick encodes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import nfcodec


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The demo, on a table of a small picture and a SIREN of a smaller one, in an empty folder."""
    spec = importlib.util.spec_from_file_location("demo", Path(__file__).parents[2] / "examples" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "demo", module)
    spec.loader.exec_module(module)
    samples = np.random.default_rng(0).integers(0, 256, (10, 12, 3), np.uint8)
    Image.fromarray(samples).save(tmp_path / "sample.png")
    monkeypatch.setattr(module, "SAMPLE", tmp_path / "sample.png")
    monkeypatch.setattr(module, "SMALL_SIDE", 8)
    monkeypatch.setattr(module, "ENCODES", ((False, "table", "rpp"), (True, "siren", "none")))
    monkeypatch.chdir(tmp_path)
    return module


def test_the_table_and_the_sheet(demo: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main() == 0
    table = capsys.readouterr().out.partition("\n\n")[2].splitlines()
    assert table[0].split() == [
        "picture", "field", "transform", "PSNR/dB", "bytes", "of", "PNG", "encode/s", "decode/s", "fitted",
    ]  # fmt: skip
    assert table[1].split()[:4] == ["12x10", "RGB", "table", "rpp"]
    assert table[1].endswith("in closed form, without gradient steps")
    assert table[2].split()[:4] == ["8x8", "gray", "siren", "none"]
    assert table[2].endswith("gradient steps")
    for row, name, shape in ((table[1], "table-rpp", (10, 12, 3)), (table[2], "siren-none", (8, 8))):
        data = Path("demo-output", f"{name}.nfc").read_bytes()
        assert row.split()[5] == str(len(data))
        assert float(row.split()[4]) >= demo.PSNR_DB
        assert nfcodec.decode_array(data).shape == shape
    with Image.open("demo-output/pictures.png") as sheet:
        assert sheet.width > 3 * demo.COLUMN
        assert len(sheet.getcolors(1 << 16) or ()) > 100


def test_what_is_fitted_is_the_picture_permuted(demo: ModuleType) -> None:
    picture = Image.open(demo.SAMPLE)
    assert np.array_equal(demo.permuted(picture, "none"), picture)
    moved = np.asarray(demo.permuted(picture, "rpp"))
    assert not np.array_equal(moved, picture)
    assert sorted(map(tuple, moved.reshape(-1, 3))) == sorted(map(tuple, np.asarray(picture).reshape(-1, 3)))
