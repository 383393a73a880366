from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks.commands import main
from benchmarks.rates import rate_distortion
from benchmarks.rates.curves import Curve, bd_rate, mean_bpp_at, published
from benchmarks.rates.rate_distortion import CODECS, OURS, RatePoint
from benchmarks.records.store import read
from benchmarks.report import rates
from nfcodec.errors import UsageError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    y, x = np.mgrid[0:64, 0:80]
    for i in range(2):
        noise = np.random.default_rng(i).normal(0, 6, (64, 80, 3))
        smooth = np.stack([110 + 70 * np.sin(x / (5 + c + i)) * np.cos(y / 9) for c in range(3)], 2)
        folder = tmp_path / "few"
        folder.mkdir(exist_ok=True)
        Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "few"


@pytest.mark.parametrize("codec", list(CODECS))
def test_more_quality_takes_more_bytes(pictures: Path, codec: str) -> None:
    if codec == "jxl":
        pytest.importorskip("pillow_jxl")
    picture = RatePoint("few", "0", "", codec, 0).load(pictures / "0.png")
    settings = CODECS[codec].settings
    rows = [RatePoint("few", "0", "", codec, setting).run(picture) for setting in (settings[2], settings[-2])]
    assert rows[0]["bytes"] < rows[1]["bytes"]
    assert rows[0]["psnr_db"] < rows[1]["psnr_db"]
    assert rows[0]["ms_ssim"] < rows[1]["ms_ssim"] <= 1
    assert rows[0]["bpp"] == 8 * rows[0]["bytes"] / (64 * 80)


def test_from_pictures_to_a_report(pictures: Path, tmp_path: Path) -> None:
    records, out = tmp_path / "rate.jsonl", tmp_path / "out"
    command = ["rate-distortion", "--set", str(pictures), "--records", str(records), "--effort", "1", "--codec", OURS]
    command += ["--codec", "webp", "--codec", "avif", *(f"--psnr={target}" for target in (28, 32, 35, 40, 45))]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    rows = list(read(records))
    assert len(rows) == 2 * (5 + len(CODECS["webp"].settings) + len(CODECS["avif"].settings))
    ours = [row for row in rows if row["codec"] == OURS]
    assert all(row["psnr_db"] >= row["setting"] for row in ours)
    again = CliRunner().invoke(main, command)
    assert f"{len(rows)} runs, {len(rows)} of them recorded already" in again.output
    assert CliRunner().invoke(main, ["report", str(records), "--out", str(out)]).exit_code == 0
    table = (out / "tables.md").read_text(encoding="utf-8")
    assert "| nfcodec -e 1 | 2 |" in table
    assert "published" not in table  # these are not the Kodak pictures
    assert "rate-few.svg" in {path.name for path in (out / "plots").iterdir()}


def test_what_a_size_buys(pictures: Path, tmp_path: Path) -> None:
    records, out = tmp_path / "rate.jsonl", tmp_path / "out"
    command = ["rate-distortion", "--set", str(pictures), "--records", str(records), "--effort", "1", "--codec", OURS]
    result = CliRunner().invoke(main, [*command, "--bpp", "1.5"])
    assert result.exit_code == 0, result.output
    rows = list(read(records))
    assert len(rows) == 2
    assert all(row["target"] == "bpp" and 1.4 < row["bpp"] <= row["setting"] == 1.5 for row in rows)
    assert CliRunner().invoke(main, [*command, "--bpp", "1.5", "--psnr", "30"]).exit_code == 0
    (table, sizes) = rates.tables(list(read(records)))
    assert [line[:2] for line in table.rows] == [("nfcodec -e 1", 2)]  # without the rows made for a size
    ((codec, n, at_most, bpp, psnr, lowest, highest, *_),) = sizes.rows
    assert (codec, n, at_most) == ("nfcodec -e 1", 2, 1.5)
    assert bpp == pytest.approx(np.mean([row["bpp"] for row in rows]))
    assert lowest <= psnr <= highest
    assert psnr == pytest.approx(np.mean([row["psnr_db"] for row in rows]))
    assert CliRunner().invoke(main, ["report", str(records), "--out", str(out)]).exit_code == 0
    assert "Quality in a size: few" in (out / "tables.md").read_text(encoding="utf-8")


def test_published_figures_at_a_size() -> None:
    row = {"study": "rate", "dataset": "kodak", "image": "0", "codec": OURS, "setting": 0.3, "effort": 5, "bpp": 0.3,
           "field": "siren", "transform": "none", "target": "bpp", "psnr_db": 30.0, "ms_ssim": 0.9,
           "encode_seconds": 1.0, "decode_seconds": 1.0}  # fmt: skip
    (table,) = rates.tables([row])
    found = {line[0]: line[4] for line in table.rows}
    assert found["nfcodec siren -e 5"] == 30.0
    assert 29.5 < found["NIF25, published"] < 30.3


def test_a_codec_that_pillow_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_distortion.features, "check", lambda name: False)
    rate_distortion.prepare.cache_clear()
    with pytest.raises(UsageError, match="cannot write webp"):
        RatePoint("", "", "", "webp", 50).run(np.zeros((8, 8, 3), np.uint8))
    rate_distortion.prepare.cache_clear()


def test_curves_leave_out_what_is_beaten() -> None:
    curve = Curve.of([(1.0, 30.0), (2.0, 36.0), (1.5, 29.0), (2.0, 35.0), (4.0, 42.0)])
    assert curve == Curve((1.0, 2.0, 4.0), (30.0, 36.0, 42.0))
    assert curve.bpp_at(33.0) == pytest.approx(2**0.5)
    assert curve.bpp_at(36.0) == pytest.approx(2.0)
    assert curve.quality_at(2**0.5) == pytest.approx(33.0)
    assert curve.quality_at(0.9) is curve.quality_at(4.1) is None
    assert curve.bpp_at(29.9) is None
    assert curve.bpp_at(29.96) == curve.bpp_at(30.0)
    assert curve.bpp_at(42.1) is None


def test_means_need_all_pictures() -> None:
    a, b = Curve((1.0, 2.0), (30.0, 40.0)), Curve((3.0, 4.0), (30.0, 35.0))
    assert mean_bpp_at([a, b], 30.0) == pytest.approx(2.0)
    assert mean_bpp_at([a, b], 38.0) is None
    assert mean_bpp_at([], 30.0) is None


def test_bd_rates() -> None:
    reference = Curve((0.5, 1.0, 2.0, 4.0, 8.0), (28.0, 32.0, 36.0, 40.0, 44.0))
    smaller = Curve(tuple(0.75 * bpp for bpp in reference.bpp), reference.quality)
    assert bd_rate(reference, smaller) == pytest.approx(-25.0, abs=0.5)
    assert bd_rate(smaller, reference) == pytest.approx(100 / 3, abs=0.7)
    assert bd_rate(reference, Curve((1.0, 2.0, 3.0), (30.0, 31.0, 32.0))) is None
    assert bd_rate(reference, Curve(reference.bpp, tuple(q + 50 for q in reference.quality))) is None


def test_published_curves_increase() -> None:
    curves = published()
    assert {"AVIF", "WebP", "C3", "Cool-chic 5"} <= set(curves)
    for name, curve in curves.items():
        assert list(curve.bpp) == sorted(curve.bpp), name
        assert list(curve.quality) == sorted(curve.quality), name
    assert curves["AVIF"].bpp_at(32.0) == pytest.approx(0.367, abs=0.005)
    assert curves["WebP"].bpp_at(40.0) == pytest.approx(2.17, abs=0.02)


def test_codecs_are_named_with_what_is_unusual() -> None:
    row = {"codec": OURS, "field": "siren", "transform": "rpp", "effort": 5}
    assert rates.name_of(row) == "nfcodec siren rpp -e 5"
    assert rates.name_of({**row, "field": "ngp", "transform": "none"}) == "nfcodec -e 5"
    assert rates.name_of({**row, "codec": "webp", "field": "", "transform": "none"}) == "webp"
