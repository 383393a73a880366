"""The report on bytes against quality: tables for each dataset."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import mean_bpp_at, published, published_by_picture
from benchmarks.rates.rate_distortion import TARGETS_DB
from benchmarks.records.store import Row
from benchmarks.report import rate_measures, rate_ranges
from benchmarks.report.estimates import Mean, Ratio
from benchmarks.report.machines import machines
from benchmarks.report.rate_curves import (
    cheaper_at_settings,
    curves_of,
    datasets,
    families,
    name_of,
    ours_first,
    rate_cell,
    seconds,
)
from benchmarks.report.table import Cell, Table

NOTES = (
    "Bits a pixel of whole files, RGB PSNR at 8 bits: mean over pictures of the rates at that PSNR, interpolated by"
    " a monotone cubic in log rate. Where some pictures are better than that at the lowest setting tried, or worse at"
    " the highest, there is no mean, and the table says of how many pictures that is so. AVIF, WebP and JPEG XL were"
    " tried at the lowest quality that they have, 0 or 1. Our files are made for a PSNR: those not run are named so.",
    "n: pictures. Rows about different numbers of them must not be compared with each other.",
    "Seconds: medians over the files at all settings, of processors where all records of a codec have them, else by the"
    " clock.",
)

PUBLISHED_NOTE = (
    "Published: most sources have means over the pictures at one setting only. At one setting hard pictures get less"
    " quality, so such a mean takes fewer bits than ours, at which every picture has that PSNR (with AVIF tuned for"
    " PSNR: {}). Where a source has every picture, the row says so, and compares with ours. A dash stands for what was"
    " not published."
)

SIZE_NOTES = (
    "Every picture in a file of at most that size: mean PSNR, and that of the picture with the lowest and the highest."
    " Published figures are such means over a configuration, too, read off their curves at the mean rate.",
)


def tables(rows: Sequence[Row]) -> list[Table]:
    """For each dataset: rates, BD-rates by range and by measure, and permuted pictures against their bound."""
    found: list[Table | None] = []
    for dataset, group in datasets(rows).items():
        found += [_table(dataset, group), rate_ranges.table(dataset, group)]
        found += [*rate_measures.tables(dataset, group), _bound_table(dataset, group)]
    found += [_size_table(dataset, group) for dataset, group in datasets(rows, "bpp").items()]
    return [table for table in found if table is not None]


def _table(dataset: str, rows: Sequence[Row]) -> Table:
    by_psnr = curves_of(rows, "psnr_db")
    lines: list[tuple[Cell, ...]] = []
    for codec, images in sorted(by_psnr.items(), key=ours_first):
        mine = [row for row in rows if name_of(row) == codec]
        ours = codec.startswith(OURS)
        rates = (rate_cell(list(images.values()), target, targets=ours) for target in TARGETS_DB)
        lines.append((codec, families(mine), len(images), *rates, seconds(mine, "encode"), seconds(mine, "decode")))
    notes = [*NOTES, machines(rows)]
    if dataset == "kodak":
        lines += _published_lines()
        if "avif-psnr" in by_psnr:
            notes.append(PUBLISHED_NOTE.format(cheaper_at_settings(rows, "avif-psnr")))
    columns = ("codec", "family used", "n", *(f"bpp at {target:g} dB" for target in TARGETS_DB), "encode s", "decode s")
    return Table(f"rate-{dataset}", f"Bytes against quality: {dataset}", columns, tuple(lines), tuple(notes), digits=3)


def _published_lines() -> list[tuple[Cell, ...]]:
    """The curves of others on Kodak; outside of them there is nothing to say, and a dash stands there."""
    lines: list[tuple[Cell, ...]] = [
        (f"{name}, published", "", 24, *(curve.bpp_at(target) for target in TARGETS_DB), None, None)
        for name, curve in published().items()
    ]
    for name, images in published_by_picture().items():
        rates = (mean_bpp_at(list(images.values()), target) for target in TARGETS_DB)
        lines.append((f"{name}, published, every picture", "", len(images), *rates, None, None))
    return lines


def _bound_table(dataset: str, rows: Sequence[Row]) -> Table | None:
    """Files of permuted pictures over the least that any code can take for them."""
    found: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        if "bound_bytes" in row:
            found.setdefault((name_of(row), row["setting"]), []).append(row)
    lines: list[tuple[Cell, ...]] = []
    for (codec, target_db), mine in sorted(found.items()):
        ratios = [row["bytes"] / row["bound_bytes"] for row in mine]
        sizes = (statistics.fmean(row[key] for row in mine) for key in ("bytes", "bound_bytes"))
        mean = Mean.of([Ratio(ratio, "exact") for ratio in ratios])
        cells = (families(mine), target_db, len(mine), *sizes, mean, min(ratios), max(ratios))
        lines.append((codec, *cells, seconds(mine, "encode"), seconds(mine, "decode")))
    columns = ("codec", "family used", "to, in dB", "n", "bytes", "lower bound", "bytes over the bound", "lowest",
               "highest", "encode s", "decode s")  # fmt: skip
    if not lines:
        return None
    notes = (
        "A permutation leaves nothing but the picture's colours to code; the bound is their rate-distortion function."
        " Means over pictures [95 % bootstrap interval]; seconds are medians.",
        machines([row for mine in found.values() for row in mine]),
    )
    return Table(f"bound-{dataset}", f"Permuted pictures and their bound: {dataset}", columns, tuple(lines), notes)


def _size_table(dataset: str, rows: Sequence[Row]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    for codec, setting in sorted({(name_of(row), row["setting"]) for row in rows}):
        mine = [row for row in rows if (name_of(row), row["setting"]) == (codec, setting)]
        psnrs_db, bpp = [row["psnr_db"] for row in mine], statistics.mean(row["bpp"] for row in mine)
        qualities = (statistics.mean(psnrs_db), min(psnrs_db), max(psnrs_db))
        lines.append((codec, len(mine), setting, bpp, *qualities, seconds(mine, "encode"), seconds(mine, "decode")))
        for name, curve in published().items() if dataset == "kodak" else ():
            if (psnr_db := curve.quality_at(bpp)) is not None:
                lines.append((f"{name}, published", 24, None, bpp, psnr_db, None, None, None, None))
    columns = ("codec", "n", "at most", "bpp", "PSNR in dB", "lowest", "highest", "encode s", "decode s")
    return Table(f"size-{dataset}", f"Quality in a size: {dataset}", columns, tuple(lines), SIZE_NOTES)
