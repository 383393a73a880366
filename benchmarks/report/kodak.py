"""Tables of results.md alone: files of single pictures, held against other files of the same picture."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.rates.codecs import OURS
from benchmarks.records.store import Row
from benchmarks.report.encode_groups import DEFAULT_EFFORT
from benchmarks.report.grouping import asked_field, used_family
from benchmarks.report.rate_curves import curves_of, datasets, seconds
from benchmarks.report.table import Cell, Table

SIREN_DB = 30.0
"""At which small SIRENs were run."""


def tables(rows: Sequence[Row]) -> list[Table]:
    """For each dataset: seconds by PSNR, small SIRENs, permuted pictures; those for which there are records."""
    found: list[Table | None] = []
    for dataset, group in datasets(rows).items():
        ours = [row for row in group if row["codec"] == OURS]
        plain = [row for row in ours if row["transform"] == "none"]
        found += [_seconds(dataset, plain), _sirens(dataset, group, plain), _permuted(dataset, ours)]
    return [table for table in found if table is not None]


def _seconds(dataset: str, rows: Iterable[Row]) -> Table | None:
    """Median seconds of an encode and a decode, by family and PSNR."""
    found: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        if row["effort"] == DEFAULT_EFFORT:
            found.setdefault((used_family(row), row["setting"]), []).append(row)
    lines: list[tuple[Cell, ...]] = [
        (family, f"{target_db:g} dB", len(mine), seconds(mine, "encode"), seconds(mine, "decode"))
        for (family, target_db), mine in sorted(found.items())
        if len(mine) > 1
    ]
    notes = (f"Medians over pictures, effort {DEFAULT_EFFORT}. The runs shared their machines with other work.",)
    columns = ("field", "to", "n", "encode s", "decode s")
    title = f"Seconds by PSNR: {dataset}"
    return Table(f"seconds-{dataset}", title, columns, tuple(lines), notes, digits=1) if lines else None


def _sirens(dataset: str, rows: Sequence[Row], ours: Iterable[Row]) -> Table | None:
    """Files of small SIRENs against those of other codecs and fields at the same PSNR."""
    sizes = {row["image"]: row["bpp"] for row in ours if _is_siren(row)}
    if not sizes:
        return None
    others = {
        codec: {image: curve.bpp_at(SIREN_DB) for image, curve in images.items() if image in sizes}
        for codec, images in curves_of([row for row in rows if asked_field(row) != "siren"], "psnr_db").items()
    }
    lines: list[tuple[Cell, ...]] = [("`siren`", *_spread(sizes.values()), None)]
    for codec, images in others.items():
        known = {image: bpp for image, bpp in images.items() if bpp is not None}
        if known:
            smaller = sum(sizes[image] < bpp for image, bpp in known.items())
            lines.append((codec, *_spread(known.values()), f"{smaller} of {len(known)}"))
    columns = ("files of", "n", "mean bpp", "median", "least", "most", "`siren` smaller on")
    notes = (
        f"At {SIREN_DB:g} dB on every picture; rates of others are read between their settings. Pictures that a codec"
        " has no such file of are left out.",
    )
    return Table(f"sirens-{dataset}", f"Small SIRENs: {dataset}", columns, tuple(lines), notes, digits=3)


def _is_siren(row: Row) -> bool:
    return (used_family(row), row["setting"], row["effort"]) == ("siren", SIREN_DB, DEFAULT_EFFORT)


def _spread(values: Iterable[float]) -> tuple[int, float, float, float, float]:
    found = list(values)
    return len(found), statistics.fmean(found), statistics.median(found), min(found), max(found)


def _permuted(dataset: str, rows: Iterable[Row]) -> Table | None:
    """Files of permuted pictures over those of the same pictures as they are."""
    found: dict[tuple[str, float], dict[str, dict[str, Row]]] = {}
    for row in rows:
        key = row["transform"] if row["transform"] != "none" else used_family(row)
        if row["effort"] == DEFAULT_EFFORT:
            found.setdefault((key, row["setting"]), {}).setdefault(row["image"], {})[row["transform"]] = row
    lines: list[tuple[Cell, ...]] = []
    for (transform, target_db), images in sorted(found.items()):
        plain = found.get(("wavelet", target_db), {})
        both = [
            arms[transform]["bytes"] / plain[image]["none"]["bytes"]
            for image, arms in images.items()
            if transform in arms and image in plain
        ]
        if both:
            spread = (statistics.geometric_mean(both), min(both), max(both))
            lines.append((transform, f"{target_db:g} dB", len(both), *spread))
    notes = ("Bytes of a permuted picture over those of the same picture by `wavelet`, at the same PSNR.",)
    columns = ("transform", "to", "n", "geometric mean", "least", "most")
    title = f"What a permutation costs in bytes: {dataset}"
    return Table(f"permuted-{dataset}", title, columns, tuple(lines), notes, digits=1) if lines else None
