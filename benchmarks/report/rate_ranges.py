"""The report on BD-rates by range of quality, because one over all qualities can hide that two curves cross."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.rates.curves import Curve, bd_rate_within, mean_at_settings, published, published_by_picture
from benchmarks.records.store import Row
from benchmarks.report.rate_curves import curves_of, ours_first, points_by_setting
from benchmarks.report.table import Cell, Table

REFERENCE = "avif-psnr"
RANGES_DB = ((25, 30), (30, 33), (33, 36), (36, 40), (40, 44), (44, 50), (30, 40))

NOTES = (
    f"Per cent more bits than {REFERENCE} at equal PSNR, below 0 is better: for each picture over what both curves"
    " cover of the range, then the mean, and on how many pictures it is below 0. Pictures on which they cover less"
    " than half of the range are left out.",
    "Above 46 dB the comparison says little: with 8 bits a sample in YCbCr, AVIF ends near 49 dB, and spends more"
    " and more bits on the way there.",
)
PUBLISHED_NOTE = (
    "Published curves of every picture are compared as ours are. Where a source has means over the pictures at each of"
    f" its settings only, they are compared with such means of {REFERENCE}."
)


def table(dataset: str, rows: Sequence[Row]) -> Table | None:
    """BD-rates by range over one codec, and on how many pictures a codec takes fewer bits there."""
    by_codec = curves_of(rows, "psnr_db")
    base = by_codec.pop(REFERENCE, {})
    compared: dict[str, Mapping[str, Curve]] = dict(sorted(by_codec.items(), key=ours_first))
    lines: list[tuple[Cell, ...]] = []
    notes = list(NOTES)
    if dataset == "kodak" and base:
        compared |= {f"{name}, published, every picture": images for name, images in published_by_picture().items()}
        notes.append(PUBLISHED_NOTE)
    for codec, images in compared.items():
        pairs = [(base[image], curve) for image, curve in images.items() if image in base]
        lines.append((codec, *(_cell([bd_rate_within(*pair, *band) for pair in pairs]) for band in RANGES_DB)))
    if dataset == "kodak" and base:
        lines += _published_means(mean_at_settings(points_by_setting(rows, REFERENCE)))
    lines = [line for line in lines if any(cell is not None for cell in line[1:])]
    columns = ("codec", *(f"{low} to {high} dB" for low, high in RANGES_DB))
    title = f"BD-rate over {REFERENCE} by range of PSNR: {dataset}"
    return Table(f"rate-ranges-{dataset}", title, columns, tuple(lines), tuple(notes)) if lines else None


def _cell(values: Sequence[float | None]) -> Cell:
    known = [value for value in values if value is not None]
    smaller = f"smaller on {sum(value < 0 for value in known)} of {len(known)}"
    return f"{statistics.fmean(known):+.1f} %, {smaller}" if known else None


def _published_means(base: Curve) -> list[tuple[Cell, ...]]:
    """Curves of means over pictures at each setting, over the same of the reference."""
    found: list[tuple[Cell, ...]] = []
    for name, curve in published().items():
        rates = [bd_rate_within(base, curve, *band) for band in RANGES_DB]
        found.append((f"{name}, published, means", *(None if rate is None else f"{rate:+.1f} %" for rate in rates)))
    return found
