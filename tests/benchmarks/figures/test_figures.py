"""The documents' figures and tables: made of the committed records, legible, and committed as they are made."""

from __future__ import annotations

import itertools
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib
import pytest
from click.testing import CliRunner
from PIL import ImageFont

from benchmarks.commands import main
from benchmarks.commands.figures import CHECKOUT, RECORDS, committed
from benchmarks.figures import figures
from benchmarks.figures.peers import PEER, mean_ratio, over_peer
from benchmarks.figures.rates import absolute, relative
from benchmarks.rates.curves import Curve, published_by_picture
from benchmarks.rates.peers import points_of
from benchmarks.records.store import REQUIRED, Row, read
from benchmarks.report.peer_files import by_name
from benchmarks.report.rate_curves import datasets, name_of
from benchmarks.svg import COLOURS

NAMES = ["acceleration.svg", "pipeline.svg", "rate-kodak.svg", "rate-kodak-relative.svg", "rate-kodak-peer.svg"]

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(read(RECORDS))


@pytest.fixture(scope="module")
def files(rows: list[Row]) -> dict[str, str]:
    return committed(rows)


def test_every_committed_record_says_what_made_it(rows: list[Row]) -> None:
    assert all(row.get(key) for row in rows for key in REQUIRED)
    assert {path.suffix for path in RECORDS.iterdir()} == {".jsonl", ".md"}


def test_the_committed_files_are_what_the_records_give(files: dict[str, str]) -> None:
    for name, content in files.items():
        assert (CHECKOUT / name).read_text(encoding="utf-8") == content, f"python -m benchmarks figures renews {name}"


def test_the_command_writes_them(files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["benchmarks.commands.figures"]  # in its package, the command has this name
    monkeypatch.setattr(module, "committed", lambda rows: files if rows else {})
    result = CliRunner().invoke(main, ["figures", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(files)


def text_width(content: str, kinds: str) -> float:
    """In DejaVu Sans, the widest of the fonts that the figures ask for."""
    sizes = {"title": 19, "panel-title": 17, "fine": 14, "soft": 15, "small": 15, "tick": 16, "mono": 16}
    size = next((sizes[kind] for kind in kinds.split() if kind in sizes), 17)
    bold = "-Bold" if {"title", "panel-title", "bold"} & set(kinds.split()) else ""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVuSans{bold}.ttf"
    return ImageFont.truetype(str(path), size).getlength(content)


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_small_and_legible_in_both_modes(name: str, files: dict[str, str]) -> None:
    svg = files[f"docs/figures/{name}"]
    assert len(svg) < (150_000 if name == "acceleration.svg" else 60_000)  # it grows with the settings that are tried
    root = ElementTree.fromstring(svg)
    assert not re.findall(r"https?://(?!www\.w3\.org/)|url\(|@import", svg)
    assert "prefers-color-scheme: dark" in svg
    assert min(int(size) for size in re.findall(r"(?:font|font-size): (\d+)px", svg)) >= 14
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert width == 700
    for element in root.iter(f"{SVG}text"):
        x, y, content = float(element.attrib["x"]), float(element.attrib["y"]), "".join(element.itertext())
        wide = text_width(content, element.attrib.get("class", ""))
        left = x - wide * {"middle": 0.5, "end": 1}.get(element.attrib.get("text-anchor", ""), 0)
        assert left >= 2, content
        assert left + wide <= width - 2, content
        assert 0 < y < height - 5


def test_colours_stand_out_from_their_ground() -> None:
    """At least 4.5 to 1, as WCAG asks of text; the ground, edges and the grid aside."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for name in ("ink", "soft", "ours", "avif", "webp", "jxl", "kodak", "div2k", "clic"):
        for mode in (0, 1):
            for ground in ("ground", "box"):
                low, high = sorted((luminance(COLOURS[name][mode]), luminance(COLOURS[ground][mode])))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (name, mode, ground)


def test_a_codec_without_all_pictures_is_named(rows: list[Row]) -> None:
    fewer = [
        row for row in rows if not (row["study"] == "rate" and row["codec"] == "webp" and row["image"] == "kodim07")
    ]
    with pytest.raises(ValueError, match="have 23 Kodak pictures of webp, not 24"):
        figures(fewer)


def grids_of(image: str, ratios: dict[int, float], field: str = "grid") -> list[Row]:
    """Files with so many times the bits of the peer, by point."""
    known = points_of(PEER)[image]
    ours = {"family": field, "field": field, "effort": 5, "transform": "none", "seed": 0}
    return [
        {
            "study": "peer", "dataset": "kodak", "image": image, "peer": PEER, "point": number, **ours,
            "target_db": known[number - 1].psnr_db, "psnr_db": known[number - 1].psnr_db + 0.01,
            "bpp": ratio * known[number - 1].bpp, "peer_bpp": known[number - 1].bpp,
        }
        for number, ratio in ratios.items()
    ]  # fmt: skip


def marks(svg: str, kind: str, colour: str) -> int:
    return len(re.findall(rf'<{kind} [^>]*style="fill: var\(--ground\); stroke: var\(--{colour}\)"', svg))


@pytest.mark.parametrize("figure", [absolute, relative])
def test_rates_are_of_kodak_alone(figure: Callable[[Sequence[Row]], str], rows: list[Row]) -> None:
    of_kodak = [row for row in rows if row["dataset"] == "kodak"]
    elsewhere = [{**row, "dataset": "elsewhere", "bpp": 2 * row["bpp"]} for row in of_kodak if row["study"] == "rate"]
    assert figure([*of_kodak, *elsewhere]) == figure(of_kodak)


def test_over_a_peer_only_pictures_with_grids_at_all_its_points_are_shown(rows: list[Row]) -> None:
    rates = [row for row in rows if row["study"] == "rate"]
    some = grids_of("kodim05", {2: 1.1, 3: 1.2, 4: 1.1}) + grids_of("kodim23", {3: 1.2})
    some += grids_of("kodim13", {2: 1.1, 3: 1.2, 4: 1.1})  # its second point is too low to count
    svg = over_peer([*rates, *some])
    assert "Kodak 5 and 13. At each point" in svg
    assert re.findall(r'class="soft" text-anchor="middle">([^<]*)', svg) == ["1", "2", "2"]
    assert marks(svg, "rect", "ours") == 3  # grids
    assert marks(svg, "circle", "soft") == 3  # the peer itself
    assert "nfcodec, wavelet" in svg  # read between its files
    assert "nfcodec, auto" not in svg
    with_auto = over_peer([*rates, *some, *grids_of("kodim05", {2: 1.0, 3: 1.0}, "auto")])
    assert "nfcodec, auto" in with_auto  # at the second point, where it has all pictures
    every = [row for image in points_of(PEER) for row in grids_of(image, {4: 1.1})]
    assert "All 24 Kodak pictures. At each point" in over_peer([*rates, *every])


def test_labels_over_a_peer_stand_apart_and_above_the_ticks(rows: list[Row]) -> None:
    rates = [row for row in rows if row["study"] == "rate"]
    alike = (grids_of("kodim05", {3: ratio, 4: ratio}, field) for field, ratio in (("grid", 1.0), ("auto", 1.01)))
    svg = over_peer(
        [*rates, *grids_of("kodim05", {3: 1.0, 4: 1.02}, "wavelet"), *(row for each in alike for row in each)]
    )
    labels = re.findall(r'y="([\d.]+)" class="label[^>]*>([^<]*)', svg)
    baselines = [float(y) for y, _ in labels]
    assert {"nfcodec, grid", "nfcodec, auto", "nfcodec, wavelet", "Cool-chic 5 (published)"} <= {
        text for _, text in labels
    }
    assert all(after - before >= 16.9 for before, after in itertools.pairwise(sorted(baselines)))
    assert max(baselines) <= 425


def test_over_a_peer_the_mean_is_geometric() -> None:
    grids = by_name(grids_of("kodim05", {3: 2.0}) + grids_of("kodim23", {3: 0.5}))[0]
    assert mean_ratio(grids, {}, 3, ["kodim05", "kodim23"]) == pytest.approx(1.0)
    assert mean_ratio(grids, {}, 3, ["kodim05", "kodim15"]) is None
    known = published_by_picture()["Cool-chic 5"]["kodim15"]
    dense = {"kodim15": Curve(tuple(3 * bpp for bpp in known.bpp), known.quality)}
    assert mean_ratio(None, dense, 3, ["kodim15"]) == pytest.approx(3.0)
    few = {"kodim15": Curve(dense["kodim15"].bpp[1:4], known.quality[1:4])}
    assert mean_ratio(None, few, 3, ["kodim15"]) is None


def test_without_grids_there_is_no_figure_over_a_peer(rows: list[Row]) -> None:
    with pytest.raises(ValueError, match="no picture has files of nfcodec grid -e 5"):
        over_peer([row for row in rows if row["study"] != "peer"])


def test_curves_of_all_pictures_are_drawn_once_they_are_there(rows: list[Row], files: dict[str, str]) -> None:
    grids = [
        {**row, "field": "grid", "family": "grid", "seed": 0, "bpp": 0.9 * row["bpp"]}
        for row in datasets(rows)["kodak"]
        if name_of(row) == "nfcodec wavelet -e 5"
    ]
    assert "nfcodec, grid" not in files["docs/figures/rate-kodak.svg"]
    for draw in (absolute, relative):
        assert "nfcodec, grid" in draw([*rows, *grids])
