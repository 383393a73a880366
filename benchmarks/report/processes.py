"""The report on whole processes: bytes, seconds and memory of nfcodec, and of other codecs that are as good."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.rates.codecs import OURS
from benchmarks.records.store import Row
from benchmarks.report.encode_groups import SOLVED
from benchmarks.report.grouping import used_family
from benchmarks.report.machines import machines
from benchmarks.report.table import Cell, Table

COLUMNS = (
    "picture", "to", "codec", "PSNR in dB", "gradient steps", "bytes", "bpp", "times the bound", "encode s", "decode s",
    "encode MB", "decode MB",
)  # fmt: skip

NOTES = (
    "Whole processes, start-up included; peak memory of the process. The other codecs are at the lowest quality that"
    " reaches the PSNR, with the options of benchmarks/rates/codecs.py.",
    "The bound: no code can make a permuted picture smaller at that PSNR (it is the rate-distortion function of its"
    " colours).",
)


def tables(rows: Sequence[Row]) -> list[Table]:
    """One table, if there are records of the study "table"."""
    mine = [row for row in rows if row["study"] == "table"]
    lines = {line[:3]: line for row in mine for line in _lines(row)}  # other codecs stand once for all our files
    notes = (*NOTES, machines(mine))
    return [Table("table", "Whole processes", COLUMNS, tuple(lines.values()), notes)] if mine else []


def _lines(row: Row) -> list[tuple[Cell, ...]]:
    """One of ours, and one for each codec that gets as good."""
    pixels = 8 * row["bytes"] / row["bpp"]
    subject = (f"{row['image']}{_shape(row)}", row["target_db"])
    chain = "" if row["transform"] == "none" else f" {row['transform']}"
    name = f"{OURS} {used_family(row)}{chain}{''.join(f' {each}' for each in row['more'])}"
    measured = ("encode_seconds", "decode_seconds", "MB", "decode_MB")
    bound = row["bytes"] / row["bound_bytes"] if row["bound_bytes"] else None
    ours = (name, row["psnr_db"], row["steps"] or SOLVED, row["bytes"], row["bpp"], bound)
    lines: list[tuple[Cell, ...]] = [(*subject, *ours, *(row[key] for key in measured))]
    for codec, other in row["as_good"].items():
        if other is None:
            lines.append((*subject, f"{codec}: at no quality", *[None] * 9))
        else:
            theirs = (f"{codec}, quality {other['quality']}", other["psnr_db"], None, other["bytes"])
            each = (*theirs, 8 * other["bytes"] / pixels, None, *(other[key] for key in measured))
            lines.append((*subject, *each))
    return lines


def _shape(row: Row) -> str:
    size = f"{row['side']} x {row['side']}" if row["side"] else f"centre {row['crop']}" if row["crop"] else ""
    return "".join(f", {part}" for part in (size, "gray" if row["gray"] else "") if part)
