"""Files at the PSNRs that a peer has published, from pictures to records and tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch")

from benchmarks.commands import main
from benchmarks.rates.peers import LOWEST_DB, PeerPoint, jobs_at, peers, points_of
from benchmarks.records.store import REQUIRED, Row, read
from benchmarks.report import peers as report
from benchmarks.report.table import Table, markdown

PEER = "cool-chic-5"
N_POINTS = 5


def test_the_published_points() -> None:
    assert peers()[PEER] == "Cool-chic 5"
    points = points_of(PEER)
    assert len(points) == 24
    first = points["kodim15"][0]
    assert (first.number, first.setting, first.bpp, first.psnr_db) == (1, "lambda 0.02", 0.057625, 29.228431)
    for each in points.values():
        assert [point.number for point in each] == list(range(1, N_POINTS + 1))
        assert [point.psnr_db for point in each] == sorted(point.psnr_db for point in each)


def test_jobs_go_for_the_very_psnrs() -> None:
    usual = {"points": (), "lowest_db": LOWEST_DB, "field": "grid", "effort": 5}
    jobs = jobs_at(PEER, "kodak", "kodim13", "abc", **usual)  # pyright: ignore
    assert [(job.point, job.target_db) for job in jobs] == [(3, 31.118466), (4, 34.859921), (5, 40.04012)]
    low = jobs_at(PEER, "kodak", "kodim13", "abc", **{**usual, "lowest_db": 26.0})  # pyright: ignore
    assert [job.point for job in low] == [2, 3, 4, 5]
    (one,) = jobs_at(PEER, "kodak", "kodim13", "abc", **{**usual, "points": (3,)})  # pyright: ignore
    assert one == jobs[0]
    assert jobs_at(PEER, "kodak", "kodim13", "abc", **{**usual, "points": (1,)}) == []  # pyright: ignore


def test_keys_are_of_picture_target_field_effort_and_seed() -> None:
    job = PeerPoint("kodak", "kodim01", "abc", PEER, 3, 32.0, "grid", 5)
    keys = {job.key}
    for change in ({"sha256": "d"}, {"target_db": 33.0}, {"field": "wavelet"}, {"effort": 9}, {"seed": 1}):
        keys.add(PeerPoint(**{**vars(job), **change}).key)
    assert len(keys) == 6


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with two tiny pictures under names that the peer knows."""
    folder = tmp_path / "few"
    folder.mkdir()
    for i, name in enumerate(("kodim03", "kodim15")):
        noise = np.random.default_rng(i).integers(100, 130, (16, 24, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{name}.png")
    return folder


def invoke(*command: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, list(command))
    assert result.exit_code == code, result.output
    return result.output


def test_from_pictures_to_records(pictures: Path, tmp_path: Path) -> None:
    records = tmp_path / "peer.jsonl"
    command = ["rate-distortion", "--set", str(pictures), "--targets", PEER, "--field", "wavelet", "--effort", "1"]
    command += ["--point", "2", "--records", str(records)]
    invoke(*command, "--picture", "kodim15")
    (row,) = read(records)
    assert all(row[key] for key in REQUIRED)
    assert (row["study"], row["image"], row["point"], row["target_db"]) == ("peer", "kodim15", 2, 32.129582)
    assert row["reached"]
    assert 32.129582 <= row["psnr_db"] < 33
    assert row["bpp"] == 8 * row["bytes"] / (16 * 24)
    assert row["over_peer"] == pytest.approx(row["bpp"] / row["peer_bpp"], abs=1e-4)
    assert (row["ms_ssim"] is not None, row["ssimulacra2"] is not None) == (True, True)
    assert all(row[key] > 0 for key in ("encode_seconds", "encode_cpu_seconds", "decode_seconds", "MB", "decode_MB"))

    assert "2 runs, 1 of them recorded already" in invoke(*command, "--processes", "2")
    assert {row["image"] for row in read(records)} == {"kodim03", "kodim15"}
    out = tmp_path / "out"
    invoke("report", str(records), "--out", str(out))
    assert "Bits over Cool-chic 5 at its own PSNRs: few" in (out / "tables.md").read_text(encoding="utf-8")


def test_what_cannot_be_asked_for(pictures: Path, tmp_path: Path) -> None:
    command = ["rate-distortion", "--set", str(pictures), "--records", str(tmp_path / "r.jsonl")]
    targets = ["--targets", PEER]
    assert "--targets is about nfcodec" in invoke(*command, *targets, "--codec", "webp", code=2)
    assert "no point 6" in invoke(*command, *targets, "--point", "6", code=1)
    assert "--point needs --targets" in invoke(*command, "--point", "1", code=2)
    assert "has no picture kodim01" in invoke(*command, *targets, "--picture", "kodim01", code=1)
    (pictures / "kodim03.png").rename(pictures / "other.png")
    assert "no points of few other" in invoke(*command, *targets, code=1)
    assert not (tmp_path / "r.jsonl").exists()


def record(image: str, point: int, ratio: float, **more: object) -> Row:
    """A record of a file with `ratio` times the bits of the peer."""
    known = points_of(PEER)[image][point - 1]
    ours = {"field": "grid", "family": "grid", "effort": 5, "transform": "none", "seed": 0}
    sizes = {"bpp": ratio * known.bpp, "peer_bpp": known.bpp, "target_db": known.psnr_db, "reached": True}
    measured = {"psnr_db": known.psnr_db + 0.02, "encode_seconds": 60.0 + point, "decode_seconds": 1.0, "MB": 900.4}
    surroundings = {"processor": "P", "threads": 2, "load": 1.0, "commit": "c0ffee"}
    names = {"study": "peer", "dataset": "kodak", "image": image, "peer": PEER, "point": point}
    return {**names, **ours, **sizes, **measured, **surroundings, **more}


def avif(image: str, ratio: float, first: int = 1) -> list[Row]:
    """AVIF with `ratio` times the bits of the peer, at the PSNRs of our files from one of its points on."""
    usual = {
        "study": "rate",
        "dataset": "kodak",
        "image": image,
        "codec": "avif-psnr",
        "transform": "none",
        "effort": 0,
    }
    more = {"field": "", "encode_seconds": 1.0, "decode_seconds": 1.0, "ms_ssim": None}
    return [
        {**usual, **more, "setting": point.number, "bpp": ratio * point.bpp, "psnr_db": point.psnr_db + 0.02}
        for point in points_of(PEER)[image][first - 1 :]
    ]


def table(name: str, rows: list[Row]) -> Table:
    return next(table for table in report.tables(rows) if table.name.startswith(name))


def cells(table: Table, *first: object) -> Mapping[str, object]:
    """The line that begins so."""
    line = next(line for line in table.rows if set(first) <= set(line))
    return dict(zip(table.columns[:8], line, strict=False))


def test_means_are_geometric_by_point_and_over_complete_pictures() -> None:
    rows = [record("kodim03", point, ratio) for point, ratio in enumerate((2.0, 0.5, 1.0, 1.0, 1.0), 1)]
    rows += [record("kodim15", 2, 2.0), record("kodim13", 2, 100.0)]  # of kodim13 that is below 27 dB
    found = table(f"peer-{PEER}", rows)
    assert [line[2] for line in found.rows] == [
        "1, lambda 0.02", "2, lambda 0.004", "3, lambda 0.001", "4, lambda 0.0004", "5, lambda 0.0001",
        "1, 2, 3, 4, 5 together",
    ]  # fmt: skip
    second = cells(found, "2, lambda 0.004")
    assert second["pictures"] == "2 of 23"  # of kodim13 it is below 27 dB
    assert second["bits over Cool-chic 5"] == "+0.0 %"  # two pictures are too few for an interval
    assert (second["least"], second["most"]) == ("-50.0 % (kodim03)", "+100.0 % (kodim15)")
    whole = cells(found, "1, 2, 3, 4, 5 together")
    assert (whole["pictures"], whole["files"]) == ("1 of 24", 5)
    assert whole["bits over Cool-chic 5"] == "+0.0 %"
    text = markdown(found)
    assert "nfcodec grid -e 5: 7 recorded, of only kodim03, kodim13, kodim15; commits c0ffee." in text
    assert "| 5 of 5 | 0.020 |" in text


def test_one_point_of_some_pictures_gives_no_row_of_all_points() -> None:
    found = table(f"peer-{PEER}", [record(image, 3, 1.1) for image in ("kodim03", "kodim15")])
    (line,) = found.rows
    assert (line[2], line[3], line[5]) == ("3, lambda 0.001", "2 of 24", "+10.0 %")


def test_points_that_were_run_on_every_picture_stand_together() -> None:
    rows = [record(image, point, 1.1) for image in ("kodim03", "kodim15", "kodim13") for point in (2, 3)]
    found = cells(table(f"peer-{PEER}", rows), "2, 3 together")
    assert (found["pictures"], found["files"]) == ("3 of 24", 5)  # the second of kodim13 is below 27 dB


def test_a_promise_that_was_not_kept_is_counted() -> None:
    rows = [record("kodim03", 3, 1.1), record("kodim15", 3, 1.1, reached=False)]
    assert "1 of 2" in table(f"peer-{PEER}", rows).rows[0]


def test_over_avif() -> None:
    rows = [record("kodim03", point, 1.0) for point in range(1, 6)] + avif("kodim03", 1.25)
    rows += [record("kodim15", point, 1.0) for point in range(1, 6)] + avif("kodim15", 0.8)
    rows += [record("kodim13", point, 1.0) for point in range(3, 6)] + avif("kodim13", 2.0, 3)  # too few for a BD-rate
    found = table("peer-avif", rows)
    (line,) = found.rows
    name, recorded, n, mean, least, most, smaller, n_at, at, at_least, at_most, smaller_at = line
    assert (name, recorded, n, smaller, n_at, smaller_at) == ("nfcodec grid -e 5", 3, 2, "1 of 2", 3, "2 of 3")
    assert str(mean).startswith("+2.5 %")
    assert (least, most) == ("-20.0 % (kodim03)", "+25.0 % (kodim15)")
    assert (at_least, at_most) == ("-50.0 % (kodim13)", "+25.0 % (kodim15)")
    assert str(at).startswith(f"{100 * ((1 / 1.25 / 0.8 / 2.0) ** (1 / 3) - 1):+.1f} %")
    by_point = table(f"peer-{PEER}", rows)
    assert by_point.rows[2][9:11] == ("-50.0 % (kodim13)", "+25.0 % (kodim15)")


def test_without_avif_there_is_no_table_of_it() -> None:
    rows = [record("kodim03", 3, 1.0)]
    assert not [each for each in report.tables(rows) if each.name.startswith("peer-avif")]
    assert table(f"peer-{PEER}", rows).rows[0][8] is None


def test_by_measure_over_other_codecs() -> None:
    ours = [record("kodim03", point, 1.0, ms_ssim=0.9, ssimulacra2=20.0 * point) for point in (2, 3)]
    ours += [record("kodim15", 3, 1.0, ms_ssim=0.9), record("kodim15", 4, 1.0, ssimulacra2=10.0)]
    others = [{**row, "ssimulacra2": 20.0 * point} for point, row in enumerate(avif("kodim03", 1.25), 1)]
    others += [{**row, "ssimulacra2": 20.0 * point} for point, row in enumerate(avif("kodim15", 2.0), 1)]
    found = table("peer-measures", ours + others)
    assert {line[1:4] for line in found.rows} == {("avif-psnr", "PSNR", 2), ("avif-psnr", "SSIMULACRA2", 1)}
    (line,) = (line for line in found.rows if line[2] == "SSIMULACRA2")
    assert line[4:] == ("-20.0 %", "-20.0 % (kodim03)", "-20.0 % (kodim03)")  # the score of 10 is below all of AVIF's


def test_our_own_files_over_each_other_where_both_are() -> None:
    rows = [record("kodim03", point, 1.2) for point in (2, 3)] + [record("kodim15", 3, 9.0)]
    rows += [record("kodim03", 3, 1.0, effort=9)]
    (line,) = table("peer-ours", rows).rows
    assert line[:5] == ("nfcodec grid -e 5", "nfcodec grid -e 9", 1, 1, "+20.0 %")


def test_every_picture() -> None:
    rows = [record("kodim03", point, 1.0 + point / 10) for point in range(1, 6)] + [record("kodim15", 3, 1.1)]
    found = table("peer-pictures", rows)
    first, second = found.rows
    assert first[:2] == ("nfcodec grid -e 5", "kodim03")
    assert first[2:7] == pytest.approx((10, 20, 30, 40, 50))
    assert first[7] == pytest.approx(100 * (np.prod([1.1, 1.2, 1.3, 1.4, 1.5]) ** 0.2 - 1))
    assert second[:8] == ("nfcodec grid -e 5", "kodim15", None, None, pytest.approx(10), None, None, None)


def test_no_records_no_tables() -> None:
    assert report.tables(avif("kodim03", 1.0)) == []
