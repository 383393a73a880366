"""The report on speed: what the parts of `python -m benchmarks speed` measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from benchmarks.records.store import Row
from benchmarks.report.machines import machines
from benchmarks.report.table import Cell, Table

RECIPE = (
    ("steps", "default_steps"), ("seconds", "default_seconds"),
    ("steps with Adam at 2^-10", "paper_steps"), ("at the best of four rates", "paper_steps_at_best_rate"),
    ("Adam's steps over ours", "steps_ratio"), ("Adam's seconds over ours", "seconds_ratio"),
)  # fmt: skip
"""Columns of the recipe's table, and the results they are medians of."""

CODEC = (
    ("codec", "contestant"), ("quality", "quality"), ("PSNR in dB", "psnr_db"), ("bytes", "bytes"),
    ("encode s", "encode_seconds"), ("units", "encode_units"), ("busy", "encode_busy"), ("MB", "encode_MB"),
    ("decode s", "decode_seconds"), ("units", "decode_units"), ("busy", "decode_busy"), ("MB", "decode_MB"),
)  # fmt: skip
"""Columns of the table of contestants, and the results they show."""


def tables(rows: Sequence[Row]) -> list[Table]:
    """A table for each part that was run: the recipe's over pictures, of the others every row as it was measured."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        if row["study"] == "speed":
            part = f"recipe, {row['side']} x {row['side']}" if row["part"] == "recipe" else row["part"]
            parts.setdefault(part, []).append(row)
    return [_table(name, records) for name, records in sorted(parts.items())]


def _table(name: str, records: Sequence[Row]) -> Table:
    if name == "codec":
        return codec(records)
    return (_recipe if name.startswith("recipe") else _measured)(name, records)


def codec(records: Sequence[Row]) -> Table:
    """The table of `benchmarks.speed.processes`: a line for each contestant on each picture."""
    lines = tuple(
        (f"{record['image']}, {record['megapixels']:.2g} MP", *(row[key] for _, key in CODEC))
        for record in records
        for row in record["rows"]
    )
    units = ", ".join(f"{record['unit_seconds']:.2f}" for record in records)
    notes = (
        "Whole processes, start-up included, which read a PNG or write one: nfcodec's command line, and a program in"
        " Python with Pillow. Medians over rounds in which all take turns.",
        f"A unit is the time of 1 TFLOP of fp32 matrix products on all cores, measured between the turns: {units} s."
        " Busy: CPU seconds over seconds times cores. MB: the most memory of the process.",
        "Targets: " + ", ".join(sorted({f"{record['target_db']:g} dB" for record in records})) + "; the others are at"
        " the quality whose PSNR is nearest to it.",
        machines(records),
    )
    return Table("speed-codec", "Speed: codec", ("picture", *(column for column, _ in CODEC)), lines, notes, digits=3)


def _recipe(name: str, records: Sequence[Row]) -> Table:
    lines: list[tuple[Cell, ...]] = []
    for transform in ("none", "rpp"):
        mine = [row for record in records for row in record["rows"] if row["transform"] == transform]
        reached = f"{sum(row['default_reached'] for row in mine)} of {len(mine)}"
        tried = [row for row in mine if "paper_steps" in row]
        paper = f"{sum(row['paper_reached'] for row in tried)} of {len(tried)}"
        medians = (_median(row[key] for row in mine if key in row) for _, key in RECIPE)
        lines.append((transform, len(mine), reached, paper, *medians))
    columns = ("transform", "n", "reached 50 dB", "with Adam at 2^-10", *(column for column, _ in RECIPE))
    notes = (
        "A SIREN as wide as the picture: our settings against Adam at 2^-10, medians over pictures of"
        " what was measured in one run. Where Adam was stopped, its steps are those it was allowed.",
        machines(records),
    )
    return Table(f"speed-{name}".replace(", ", "-").replace(" ", ""), f"Speed: {name}", columns, tuple(lines), notes)


def _measured(name: str, records: Sequence[Row]) -> Table:
    rows = [(record["image"], row) for record in records for row in record["rows"]]
    columns = tuple(dict.fromkeys(key for _, row in rows for key in row))
    lines = tuple((image, *(row.get(column) for column in columns)) for image, row in rows)
    notes = ("As measured by `python -m benchmarks speed`; compare ratios within a row only.", machines(records))
    return Table(f"speed-{name}", f"Speed: {name}", ("picture", *columns), lines, notes)


def _median(values: Iterable[float]) -> Cell:
    found = list(values)
    return float(statistics.median(found)) if found else None
