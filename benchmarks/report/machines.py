"""What seconds in records were taken on, in words."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.records.store import Row

BUSY = 1.5
"""Times the threads of a run: a machine with more load than that did other work, too, such as other runs."""


def machines(rows: Sequence[Row]) -> str:
    """Sentences on processors, threads and commits, and on how busy the machine was."""
    kinds = sorted({f"{row.get('processor')} ({_threads(row)})" for row in rows})
    commits = sorted({row.get("commit") or "unknown" for row in rows})
    loads = [row["load"] / row["threads"] for row in rows if row.get("load") is not None]
    parts = [f"Taken on {'; '.join(kinds)}; commits {', '.join(commits)}."]
    if loads:
        n_busy = sum(load > BUSY for load in loads)
        parts.append(f"On {n_busy} of {len(loads)} runs other work made the load over {BUSY:g} times their threads.")
    if len(loads) < len(rows):
        parts.append(
            f"{len(rows) - len(loads)} of {len(rows)} records do not say what else the machine did meanwhile: trust"
            " their seconds as orders of magnitude only."
        )
    return " ".join(parts)


def _threads(row: Row) -> str:
    n = row.get("threads", 0)
    return f"{n} thread{'s' if n != 1 else ''}"
