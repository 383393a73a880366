"""The report on bytes against quality: tables for each dataset."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import (
    BD_METHOD,
    CLOSE,
    Curve,
    bd_rate,
    bd_rate_within,
    mean_bpp_at,
    published,
    published_by_picture,
)
from benchmarks.rates.rate_distortion import TARGETS_DB
from benchmarks.records.store import Row
from benchmarks.report.estimates import Mean, Ratio
from benchmarks.report.machines import machines
from benchmarks.report.rate_curves import cheaper_at_settings, curves_of, datasets, families, name_of
from benchmarks.report.table import Cell, Table

REFERENCES = ("webp", "avif", "avif-psnr")
"""What BD-rates are against."""

RANGES_DB = ((30, 33), (33, 36), (36, 40), (40, 44), (44, 50), (30, 40))
"""Between which BD-rates are taken apart, because a mean over all can hide that two curves cross."""

NOTES = (
    "Bits a pixel of whole files, RGB PSNR at 8 bits: mean over pictures of the rates at that PSNR, interpolated by"
    " a monotone cubic in log rate. Where some pictures are better than that at the lowest setting tried, or worse at"
    " the highest, there is no mean, and the table says of how many pictures that is so.",
    f"BD-rate: package bjontegaard, method {BD_METHOD}, for each picture over the common range of quality, then the"
    " mean; below 0 is better. Seconds: medians over files.",
)

PUBLISHED_NOTE = (
    "Published: most sources have means over the pictures at one setting only. At one setting hard pictures get less"
    " quality, so such a mean takes fewer bits than ours, at which every picture has that PSNR (with AVIF tuned for"
    " PSNR: {}). Where a source has every picture, the row says so, and compares with ours."
)


SIZE_NOTES = (
    "Every picture in a file of at most that size: mean PSNR, and that of the picture with the lowest and the highest."
    " Published figures are such means over a configuration, too, read off their curves at the mean rate.",
)


def tables(rows: Sequence[Row]) -> list[Table]:
    """For each dataset: rates, BD-rates by range, files made for a size, and permuted pictures against their bound."""
    found = [
        table
        for dataset, group in datasets(rows).items()
        for table in (_table(dataset, group), _range_table(dataset, group), _bound_table(dataset, group))
    ]
    found += [_size_table(dataset, group) for dataset, group in datasets(rows, "bpp").items()]
    return [table for table in found if table is not None]


def _table(dataset: str, rows: Sequence[Row]) -> Table:
    by_psnr, by_ssim = curves_of(rows, "psnr_db"), curves_of(rows, "ms_ssim")
    lines: list[tuple[Cell, ...]] = []
    for codec, images in sorted(by_psnr.items(), key=_ours_first):
        mine = [row for row in rows if name_of(row) == codec]
        rates = (rate_cell(list(images.values()), target) for target in TARGETS_DB)
        compared = (
            _mean_bd_rate(measured.get(reference, {}), measured.get(codec, {}))
            for measured in (by_psnr, by_ssim)
            for reference in REFERENCES
        )
        seconds = (statistics.median(row[key] for row in mine) for key in ("encode_seconds", "decode_seconds"))
        lines.append((codec, families(mine), len(images), *rates, *compared, *seconds))
    notes = [*NOTES, machines(rows)]
    if dataset == "kodak":
        lines += _published_lines()
        if "avif-psnr" in by_psnr:
            notes.append(PUBLISHED_NOTE.format(cheaper_at_settings(rows, "avif-psnr")))
    columns = ("codec", "family used", "n", *(f"bpp at {target:g} dB" for target in TARGETS_DB),
               *(f"BD-rate over {name}, %" for name in REFERENCES),
               *(f"by MS-SSIM over {name}, %" for name in REFERENCES), "encode s", "decode s")  # fmt: skip
    return Table(f"rate-{dataset}", f"Bytes against quality: {dataset}", columns, tuple(lines), tuple(notes), digits=3)


def _ours_first(named: tuple[str, object]) -> tuple[bool, int]:
    """Ours before others, the usual before the unusual."""
    ours = named[0].startswith(OURS)
    return not ours, len(named[0]) if ours else 0


def _published_lines() -> list[tuple[Cell, ...]]:
    """The curves of others on Kodak; outside of them there is nothing to say, and a dash stands there."""
    none = [None] * (2 * len(REFERENCES) + 2)
    lines: list[tuple[Cell, ...]] = [
        (f"{name}, published", "", 24, *(curve.bpp_at(target) for target in TARGETS_DB), *none)
        for name, curve in published().items()
    ]
    for name, images in published_by_picture().items():
        rates = (mean_bpp_at(list(images.values()), target) for target in TARGETS_DB)
        lines.append((f"{name}, published, every picture", "", len(images), *rates, *none))
    return lines


def rate_cell(curves: Sequence[Curve], quality: float) -> Cell:
    """The mean rate at a quality, or why there is none."""
    mean = mean_bpp_at(curves, quality)
    if mean is not None:
        return mean
    below = sum(quality < curve.quality[0] - CLOSE for curve in curves)
    n, what = (below, "below the lowest") if below else (len(curves), "above the highest")
    if not below:
        n = sum(quality > curve.quality[-1] for curve in curves)
    return f"{what} setting tried" + (f" on {n} of {len(curves)}" if n < len(curves) else "")


def _range_table(dataset: str, rows: Sequence[Row], reference: str = "avif-psnr") -> Table | None:
    """BD-rates by range, over one codec, and on how many pictures a codec takes fewer bits there."""
    by_codec = curves_of(rows, "psnr_db")
    base = by_codec.pop(reference, {})
    lines: list[tuple[Cell, ...]] = []
    for codec, images in sorted(by_codec.items(), key=_ours_first):
        pairs = [(base[image], curve) for image, curve in images.items() if image in base]
        found = [[bd_rate_within(*pair, *band) for pair in pairs] for band in RANGES_DB]
        if any(value is not None for values in found for value in values):
            lines.append((codec, *map(_range_cell, found)))
    columns = ("codec", *(f"{low} to {high} dB" for low, high in RANGES_DB))
    notes = (
        f"Per cent more bits than {reference} at equal PSNR, below 0 is better: for each picture over what both curves"
        " cover of the range, then the mean, and on how many pictures it is below 0. Pictures on which they cover less"
        " than half of the range are left out.",
        "Above 46 dB the comparison says little: with 8 bits a sample in YCbCr, AVIF ends near 49 dB, and spends more"
        " and more bits on the way there.",
    )
    title = f"BD-rate over {reference} by range of PSNR: {dataset}"
    return Table(f"rate-ranges-{dataset}", title, columns, tuple(lines), notes) if lines else None


def _range_cell(values: Sequence[float | None]) -> Cell:
    known = [value for value in values if value is not None]
    smaller = f"smaller on {sum(value < 0 for value in known)} of {len(known)}"
    return f"{statistics.fmean(known):+.1f} %, {smaller}" if known else None


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
        seconds = (statistics.median(row[key] for row in mine) for key in ("encode_seconds", "decode_seconds"))
        lines.append((codec, families(mine), target_db, len(mine), *sizes, mean, min(ratios), max(ratios), *seconds))
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
        seconds = (statistics.median(row[key] for row in mine) for key in ("encode_seconds", "decode_seconds"))
        lines.append(
            (codec, len(mine), setting, bpp, statistics.mean(psnrs_db), min(psnrs_db), max(psnrs_db), *seconds)
        )
        for name, curve in published().items() if dataset == "kodak" else ():
            if (psnr_db := curve.quality_at(bpp)) is not None:
                lines.append((f"{name}, published", 24, None, bpp, psnr_db, None, None, None, None))
    columns = ("codec", "n", "at most", "bpp", "PSNR in dB", "lowest", "highest", "encode s", "decode s")
    return Table(f"size-{dataset}", f"Quality in a size: {dataset}", columns, tuple(lines), SIZE_NOTES)


def _mean_bd_rate(reference: dict[str, Curve], test: dict[str, Curve]) -> float | None:
    """Over the pictures that both have."""
    found = [bd_rate(reference[image], test[image]) for image in test if image in reference]
    known = [value for value in found if value is not None]
    return statistics.fmean(known) if known and reference is not test else None
