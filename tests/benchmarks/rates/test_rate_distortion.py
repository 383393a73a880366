"""Bytes against quality, from pictures to a report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch")

from benchmarks.commands import main
from benchmarks.rates.codecs import LOSSY, OURS
from benchmarks.rates.curves import published_by_picture
from benchmarks.rates.rate_distortion import RatePoint
from benchmarks.records.store import Row, read
from benchmarks.report import rate_curves, rates
from benchmarks.report.estimates import Mean


def invoke(*command: str) -> str:
    result = CliRunner().invoke(main, list(command))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    y, x = np.mgrid[0:24, 0:32]
    folder = tmp_path / "few"
    folder.mkdir()
    for i in range(2):
        noise = np.random.default_rng(i).normal(0, 6, (24, 32, 3))
        smooth = np.stack([110 + 70 * np.sin(x / (5 + c + i)) * np.cos(y / 9) for c in range(3)], 2)
        Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


def test_from_pictures_to_a_report(pictures: Path, tmp_path: Path) -> None:
    records, out = tmp_path / "rate.jsonl", tmp_path / "out"
    command = ["rate-distortion", "--set", str(pictures), "--records", str(records), "--effort", "1", "--images", "1"]
    codecs = ["--codec", OURS, "--codec", "webp", "--codec", "jpeg"]
    invoke(*command, *codecs, *(f"--psnr={target}" for target in (28, 32, 35, 40)))
    rows = list(read(records))
    assert len(rows) == 4 + len(LOSSY["webp"].settings) + len(LOSSY["jpeg"].settings)
    made = [row for row in rows if row["codec"] == OURS]
    assert all(row["psnr_db"] >= row["setting"] for row in made)
    assert {(row["field"], row["family"]) for row in made} == {("auto", "wavelet")}
    assert all(0 < row["ms_ssim"] <= 1 for row in rows)
    assert all(row["ssimulacra2"] <= 100 for row in rows)
    made_of = {table.name: table for table in rates.tables(rows)}
    assert set(made_of) == {"rate-few", "rate-bd-few", "rate-ssimulacra2-few"}
    compared = {line[:2]: line[2:] for line in made_of["rate-bd-few"].rows}
    for measure in ("PSNR", "MS-SSIM", "SSIMULACRA2"):
        over_webp, *over_others = compared["nfcodec -e 1", measure]
        assert str(over_webp).endswith(" %, n = 1")
        assert set(over_others) == {None}

    assert f"{len(rows)} runs, {len(rows)} of them recorded already" in invoke(
        *command, *codecs, *(f"--psnr={target}" for target in (28, 32, 35, 40))
    )
    invoke("report", str(records), "--out", str(out))
    text = (out / "tables.md").read_text(encoding="utf-8")
    assert "| nfcodec -e 1 | wavelet | 1 |" in text
    assert "published" not in text  # these are not the Kodak pictures
    assert {"rate-few.svg", "rate-ssimulacra2-few.svg"} <= {path.name for path in (out / "plots").iterdir()}


def test_what_a_size_buys(pictures: Path, tmp_path: Path) -> None:
    records = tmp_path / "rate.jsonl"
    command = ["rate-distortion", "--set", str(pictures), "--records", str(records), "--effort", "1", "--codec", OURS]
    invoke(*command, "--images", "1", "--bpp", "4", "--psnr", "30")
    for_a_psnr, row = sorted(read(records), key=lambda row: row["target"], reverse=True)
    assert (for_a_psnr["target"], row["target"]) == ("psnr", "bpp")
    assert 3.5 < row["bpp"] <= row["setting"] == 4
    other = {**row, "image": "1", "bpp": 3.6, "psnr_db": row["psnr_db"] + 2}
    (table, sizes) = rates.tables([for_a_psnr, row, other])
    assert [line[:3] for line in table.rows] == [("nfcodec -e 1", "wavelet", 1)]  # without the rows made for a size
    ((codec, n, at_most, bpp, psnr, lowest, highest, *_),) = sizes.rows
    assert (codec, n, at_most) == ("nfcodec -e 1", 2, 4)
    assert bpp == pytest.approx((row["bpp"] + 3.6) / 2)
    assert (lowest, highest) == (row["psnr_db"], row["psnr_db"] + 2)
    assert psnr == pytest.approx(row["psnr_db"] + 1)
    assert sizes.title == "Quality in a size: few"


def point(codec: str, setting: float, bpp: float, psnr_db: float, image: str = "a", **more: object) -> Row:
    """A record of one file."""
    ours = {"effort": 5, "field": "auto", "family": "wavelet"} if codec == OURS else {"effort": 0, "field": ""}
    results = {"bpp": bpp, "psnr_db": psnr_db, "ms_ssim": None, "encode_seconds": 1.0, "decode_seconds": 1.0}
    names = {"study": "rate", "dataset": "few", "image": image, "codec": codec, "setting": setting, "transform": "none"}
    return {**names, **ours, **results, **more}


def test_where_a_codec_was_not_tried_the_table_says_so() -> None:
    rows = [point("webp", q, q / 10, 30 + q + i, image) for q in (1, 5, 8) for i, image in enumerate("ab")]
    (table,) = rates.tables(rows)
    cells = dict(zip(table.columns, table.rows[0], strict=True))
    assert cells["bpp at 30 dB"] == "below the lowest setting tried"
    assert 0.1 < cells["bpp at 32 dB"] < 0.2  # pyright: ignore
    assert cells["bpp at 40 dB"] == "above the highest setting tried"
    (table,) = rates.tables([*rows, point("webp", 9, 0.9, 41, "a")])
    assert (
        dict(zip(table.columns, table.rows[0], strict=True))["bpp at 40 dB"]
        == "above the highest setting tried on 1 of 2"
    )


def test_where_ours_was_not_run_the_table_says_so() -> None:
    rows = [point(OURS, q, q / 10, q + 0.01, image, seed=0) for q in (30, 35) for image in "ab"]
    (table,) = rates.tables([*rows, point(OURS, 40, 4.0, 40.01, "a", seed=0)])
    cells = dict(zip(table.columns, table.rows[0], strict=True))
    assert (cells["bpp at 28 dB"], cells["bpp at 30 dB"]) == ("not run", pytest.approx(3.0))
    assert cells["bpp at 40 dB"] == "not run on 1 of 2"


@pytest.mark.parametrize(("n_again", "seconds"), [(2, 9.0), (3, 3.0)])
def test_of_files_alike_the_last_counts_and_seconds_are_of_processors_where_all_are_known(
    n_again: int, seconds: float
) -> None:
    settings, clock = (1, 2, 3), {"encode_seconds": 9.0, "decode_seconds": 0.9}
    rows = [point("webp", q, 1.0 + q, 30.0 + q, **clock) for q in settings]
    rows += [point("webp", q, 0.5 + q, 30.0 + q, **clock, encode_cpu_seconds=3.0) for q in settings[:n_again]]
    (table,) = rates.tables(rows)
    cells = dict(zip(table.columns, table.rows[0], strict=True))
    assert cells["bpp at 32 dB"] == pytest.approx(2.5)
    assert (cells["encode s"], cells["decode s"]) == (seconds, 0.9)


def scored(codec: str, factor: float, images: str) -> list[Row]:
    """Four files of each picture, with SSIMULACRA2."""
    settings = list(enumerate((20.0, 55.0, 75.0, 95.0)))
    return [
        point(codec, q, factor * 2**q, 30.0 + q, image, ssimulacra2=score, seed=0)
        for image in images
        for q, score in settings
    ]


def test_bits_at_equal_ssimulacra2_are_about_our_pictures_and_codecs_that_have_them_all() -> None:
    rows = [
        *scored("webp", 1.0, "cba"),
        *scored("avif", 0.5, "ac"),
        *scored("jxl", 0.5, "ab"),
        *scored(OURS, 2.0, "ca"),
    ]
    rows += [
        point(OURS, 9, 1e3, 45.0, "d", ssimulacra2=99.0, seed=0),
        point("jpeg", 9, 1e3, 45.0, "a"),
    ]  # too few, none
    found = next(table for table in rates.tables(rows) if table.name == "rate-ssimulacra2-few")
    by_codec = {str(line[0]): dict(zip(found.columns, line, strict=True)) for line in found.rows}
    assert {codec: cells["n"] for codec, cells in by_codec.items()} == {"nfcodec -e 5": 2, "webp": 2, "avif": 2}
    ours, webp, avif = (cells["bpp at 60"] for cells in by_codec.values())
    assert 2 < webp < 4  # pyright: ignore
    assert (ours, avif) == pytest.approx((2 * webp, webp / 2))  # pyright: ignore
    assert "the same pictures: a, c. Codecs" in found.notes[0]


def test_without_ours_bits_at_equal_ssimulacra2_are_about_all_pictures() -> None:
    rows = [*scored("webp", 1.0, "abc"), *scored("avif", 0.5, "ab")]
    found = next(table for table in rates.tables(rows) if table.name == "rate-ssimulacra2-few")
    assert [line[:2] for line in found.rows] == [("webp", 3)]


def test_bd_rates_by_measure() -> None:
    rows = [
        point(codec, q, factor * 2 ** (q / 6), q, image, ms_ssim=None, ssimulacra2=2.0 * q)
        for codec, factor in (("webp", 1.0), ("avif", 0.5))
        for q in range(28, 48, 4)
        for image in "ab"
    ]
    found = next(table for table in rates.tables(rows) if table.name == "rate-bd-few")
    lines = {line[:2]: dict(zip(found.columns, line, strict=True)) for line in found.rows}
    assert set(lines) == {(codec, by) for codec in ("webp", "avif") for by in ("PSNR", "SSIMULACRA2")}
    assert lines["avif", "SSIMULACRA2"]["over webp"] == "-50.0 %, n = 2"
    assert lines["avif", "PSNR"]["over avif"] is None


def test_published_curves_stand_in_the_ranges_of_kodak() -> None:
    known = published_by_picture()["Cool-chic 5"]["kodim05"]
    rows = [
        point("avif-psnr", q, 2 * bpp, psnr_db, "kodim05", dataset="kodak")
        for q, (bpp, psnr_db) in enumerate(zip(known.bpp, known.quality, strict=True))
    ]
    found = next(table for table in rates.tables(rows) if table.name == "rate-ranges-kodak")
    cells = {str(line[0]): dict(zip(found.columns, line, strict=True)) for line in found.rows}
    assert cells["Cool-chic 5, published, every picture"]["30 to 40 dB"] == "-50.0 %, smaller on 1 of 1"
    assert str(cells["VTM, published, means"]["30 to 33 dB"]).startswith("-")


def test_bd_rates_are_taken_apart_by_range() -> None:
    psnr_db = range(28, 53, 2)
    rows = [point("avif-psnr", q, 2 ** (q / 6), q, image) for q in psnr_db for image in "ab"]
    rows += [point(OURS, q, 2 ** (q / 6) * (0.8 if q > 40 else 1.25), q, image) for q in psnr_db for image in "ab"]
    table = next(table for table in rates.tables(rows) if table.name == "rate-ranges-few")
    (ours,) = table.rows
    cells = dict(zip(table.columns, ours, strict=True))
    assert cells["30 to 33 dB"] == "+25.0 %, smaller on 0 of 2"
    assert cells["44 to 50 dB"] == "-20.0 %, smaller on 2 of 2"


def test_permuted_pictures_stand_beside_their_bound() -> None:
    rows = [
        point(OURS, 40.0, 8.0, 40.0, image, transform="rpp", family="table", bytes=size, bound_bytes=1000)
        for image, size in (("a", 1100), ("b", 1300))
    ]
    table = next(table for table in rates.tables(rows) if table.name == "bound-few")
    assert table.rows[0][:6] == ("nfcodec table rpp -e 5", "table", 40.0, 2, 1200, 1000)
    assert [cell.value if isinstance(cell, Mean) else cell for cell in table.rows[0][6:9]] == pytest.approx(
        [1.2, 1.1, 1.3]
    )


def test_pictures_too_small_for_ms_ssim() -> None:
    row = RatePoint("", "", "", "jpeg", 50).run(np.zeros((8, 8, 3), np.uint8))
    assert row["ms_ssim"] is None


def test_the_bound_of_a_permuted_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    row = RatePoint("", "", "", OURS, 40.0, effort=1, field="table", transform="rpp").run(picture)
    assert 0 < row["bound_bytes"] <= row["bytes"]
    assert "bound_bytes" not in RatePoint("", "", "", OURS, 30.0, effort=1, field="table").run(picture)


def test_published_figures_at_a_size() -> None:
    row = {"study": "rate", "dataset": "kodak", "image": "0", "codec": OURS, "setting": 0.3, "effort": 5, "bpp": 0.3,
           "field": "siren", "transform": "none", "target": "bpp", "psnr_db": 30.0, "ms_ssim": 0.9,
           "encode_seconds": 1.0, "decode_seconds": 1.0}  # fmt: skip
    (table,) = rates.tables([row])
    found = {line[0]: line[4] for line in table.rows}
    assert found["nfcodec siren -e 5"] == 30.0
    assert 29.5 < found["NIF25, published"] < 30.3


def test_what_auto_led_to_before_there_were_grids() -> None:
    """Records of then have no seed, and the oldest of them no family and another name for `auto`."""
    row = {"codec": OURS, "field": "ngp", "transform": "none", "effort": 5}
    later = {**row, "field": "auto", "family": "wavelet"}
    assert rate_curves.name_of(row) == rate_curves.name_of(later) == "nfcodec wavelet -e 5"
    assert rate_curves.name_of({**later, "seed": 0}) == "nfcodec -e 5"
    assert rate_curves.name_of({**row, "field": "siren"}) == "nfcodec siren -e 5"


def test_codecs_are_named_with_what_is_unusual() -> None:
    row = {"codec": OURS, "field": "siren", "family": "siren", "transform": "rpp", "effort": 5}
    assert rate_curves.name_of(row) == "nfcodec siren rpp -e 5"
    assert rate_curves.name_of({**row, "field": "auto", "family": "table", "seed": 0}) == "nfcodec rpp -e 5"
    assert rate_curves.name_of({**row, "field": "ngp", "family": "ngp", "transform": "none"}) == "nfcodec ngp -e 5"
    assert rate_curves.name_of({**row, "codec": "webp", "field": "", "transform": "none"}) == "webp"
