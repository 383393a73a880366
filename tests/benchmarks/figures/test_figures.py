"""The documents' figures and tables: made of the committed records, legible, and committed as they are made."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import pytest
from click.testing import CliRunner
from PIL import ImageFont

from benchmarks.commands import main
from benchmarks.commands.figures import CHECKOUT, RECORDS, committed
from benchmarks.figures import figures
from benchmarks.records.store import REQUIRED, Row, read
from benchmarks.svg import COLOURS

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


def test_the_command_writes_them(files: dict[str, str], tmp_path: Path) -> None:
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


@pytest.mark.parametrize("name", ["acceleration.svg", "pipeline.svg", "rate-kodak.svg", "rate-kodak-relative.svg"])
def test_figures_are_small_and_legible_in_both_modes(name: str, rows: list[Row]) -> None:
    svg = figures(rows)[name]
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
