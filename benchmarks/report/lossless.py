"""The report on bytes without loss: a table for each dataset."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.rates.codecs import OURS
from benchmarks.records.store import Row
from benchmarks.report.machines import machines
from benchmarks.report.table import Cell, Table

NOTES = ("Bytes of whole files, mean over pictures; every file gave the picture back bit for bit. Seconds: medians.",)


def tables(rows: Sequence[Row]) -> list[Table]:
    """One table for each dataset."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["study"] == "lossless":
            found.setdefault(row["dataset"], []).append(row)
    return [_table(dataset, group) for dataset, group in sorted(found.items())]


def _table(dataset: str, rows: Sequence[Row]) -> Table:
    by_codec: dict[str, list[Row]] = {}
    for row in rows:
        name = f"{row['codec']} -e {row['effort']}" if row["codec"] == OURS else row["codec"]
        by_codec.setdefault(name, []).append(row)
    ours = [name for name in by_codec if name.startswith(OURS)]
    lines: list[tuple[Cell, ...]] = []
    for name, mine in by_codec.items():
        smaller = [_share_smaller(by_codec[each], mine) if each != name else None for each in ours]
        means = [round(statistics.mean(row["bytes"] for row in mine)), statistics.mean(row["bpp"] for row in mine)]
        seconds = (statistics.median(row[key] for row in mine) for key in ("encode_seconds", "decode_seconds"))
        lines.append((name, len(mine), *means, *smaller, *seconds))
    columns = (
        "codec",
        "n",
        "bytes",
        "bpp",
        *(f"pictures smaller with {name}" for name in ours),
        "encode s",
        "decode s",
    )
    return Table(
        f"lossless-{dataset}", f"Bytes without loss: {dataset}", columns, tuple(lines), (*NOTES, machines(rows))
    )


def _share_smaller(ours: Sequence[Row], others: Sequence[Row]) -> str:
    """On how many of the pictures that both have ours are the smaller files: "n of m"."""
    their_bytes = {row["image"]: row["bytes"] for row in others}
    wins = [row["bytes"] < their_bytes[row["image"]] for row in ours if row["image"] in their_bytes]
    return f"{sum(wins)} of {len(wins)}"
