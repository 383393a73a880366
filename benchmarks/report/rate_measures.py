"""The report on measures beside PSNR: BD-rates by each of them, and bits at equal SSIMULACRA2."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import BD_METHOD, Curve, bd_rate
from benchmarks.rates.measures import MEASURES
from benchmarks.records.store import Row
from benchmarks.report.machines import machines
from benchmarks.report.rate_curves import Curves, curves_of, name_of, ours_first, rate_cell, seconds
from benchmarks.report.table import Cell, Table

REFERENCES = ("webp", "jxl", "avif", "avif-psnr", "avif-iq")
"""What BD-rates are over."""

SCORES = (30, 50, 60, 70, 80, 90)
"""Of SSIMULACRA2, at which bits are compared."""

BD_NOTES = (
    f"BD-rate: package bjontegaard, method {BD_METHOD}, for each picture over the common range of quality, then the"
    " mean over the pictures that are counted behind it; below 0 is better. Cells about different numbers of pictures"
    " must not be compared with each other.",
    "Over all qualities that both have, which can hide that two curves cross: the table by range has the parts.",
)
SCORE_NOTE = (
    "Bits a pixel of whole files, the mean over pictures of the rates at that score, interpolated by a monotone cubic"
    " in log rate, and medians of seconds. All rows are about the same pictures: {}. Codecs without records of the"
    " measure on some of them are left out. 90 is hardly ever to be told from the original, 70 is high quality, 50"
    " medium, 30 low."
)


def tables(dataset: str, rows: Sequence[Row]) -> list[Table]:
    """Those for which there are records."""
    curves = {measure: curves_of(rows, measure) for measure in MEASURES}
    found = (_bd_table(dataset, curves), _score_table(dataset, rows, curves["ssimulacra2"]))
    return [table for table in found if table is not None]


def _bd_table(dataset: str, curves: Mapping[str, Curves]) -> Table | None:
    """One row for each codec and measure."""
    lines: list[tuple[Cell, ...]] = []
    for codec in dict(sorted(curves["psnr_db"].items(), key=ours_first)):
        for measure, by_codec in curves.items():
            mine = by_codec.get(codec, {})
            cells = [None if codec == each else _bd_cell(by_codec.get(each, {}), mine) for each in REFERENCES]
            if any(cell is not None for cell in cells):
                lines.append((codec, MEASURES[measure], *cells))
    columns = ("codec", "by", *(f"over {each}" for each in REFERENCES))
    title = f"BD-rates by measure of quality: {dataset}"
    return Table(f"rate-bd-{dataset}", title, columns, tuple(lines), BD_NOTES) if lines else None


def _bd_cell(reference: Mapping[str, Curve], test: Mapping[str, Curve]) -> str | None:
    """Over the pictures that both have."""
    found = [bd_rate(reference[image], curve) for image, curve in test.items() if image in reference]
    known = [value for value in found if value is not None]
    return f"{statistics.fmean(known):+.1f} %, n = {len(known)}" if known else None


def shared_curves(by_codec: Curves) -> Curves:
    """Curves over the same pictures, ours first: those of which ours has at least two files with the measure.

    Without any of ours, they are those of the codec with the most. Codecs that lack some of them are left out.
    """
    curves = {
        codec: {image: curve for image, curve in sorted(images.items()) if len(curve.bpp) > 1}
        for codec, images in sorted(by_codec.items(), key=ours_first)
    }
    ours = [images for codec, images in curves.items() if codec.startswith(OURS)]
    shared = list(max(ours if any(ours) else curves.values(), key=len, default={}))
    have_all = {codec: images for codec, images in curves.items() if shared and set(shared) <= set(images)}
    return {codec: {image: images[image] for image in shared} for codec, images in have_all.items()}


def _score_table(dataset: str, rows: Sequence[Row], by_codec: Curves) -> Table | None:
    """Bits at equal SSIMULACRA2."""
    lines: list[tuple[Cell, ...]] = []
    used: list[Row] = []
    shared: list[str] = []
    for codec, images in shared_curves(by_codec).items():
        shared = list(images)
        mine = [row for row in rows if name_of(row) == codec and row["image"] in images and "ssimulacra2" in row]
        rates = (rate_cell(list(images.values()), score) for score in SCORES)
        lines.append((codec, len(shared), *rates, seconds(mine, "encode"), seconds(mine, "decode")))
        used += mine
    columns = ("codec", "n", *(f"bpp at {score}" for score in SCORES), "encode s", "decode s")
    notes = (SCORE_NOTE.format(", ".join(shared)), machines(used))
    title = f"Bytes against SSIMULACRA2: {dataset}"
    return Table(f"rate-ssimulacra2-{dataset}", title, columns, tuple(lines), notes, 3) if lines else None
