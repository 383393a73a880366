"""`python -m benchmarks recheck`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import Finite, data_option, executor, named_pictures, options, place_options, run_calls
from benchmarks.data.pictures import Bytes
from benchmarks.paper.acceleration import Search, doubtful
from benchmarks.paper.race import EARLY
from benchmarks.records.store import Row, Store, commit, made_here, read
from nfcodec.errors import UsageError


@click.command()
@click.argument("path", metavar="RECORDS", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--early", type=Finite(0, 1), default=EARLY, show_default=True, metavar="SHARE",
              help="Rates that were given up before this share of the best one's steps run again; 1: all.")  # fmt: skip
@options(data_option, *place_options)
def recheck(path: Path, data: Path | None, early: float, processes: int, ray: str | None) -> None:
    """See whether searches gave a better learning rate up too early.

    RECORDS is a file of `acceleration`. A search gives a rate up that lags far behind the best one, and may be wrong.
    Here such rates run again and for longer, against the recorded curve of the best one, and where one of them arrives
    earlier the search goes on from there. A new record, which counts in place of the old one, is appended for each
    search.
    """
    found = (row for row in read(path) if row["study"] == Search.study and doubtful(row, early))
    rows = sorted(found, key=lambda row: len(doubtful(row, early)) * row["seconds"])
    sets = {name: named_pictures(name, data) for name in dict.fromkeys(row["dataset"] for row in rows)}
    for row in rows:
        picture = sets[row["dataset"]].get(row["image"])
        if picture is None or picture.sha256 != row["sha256"]:
            raise UsageError(f"the set {row['dataset']} has no picture {row['image']}, or another one of that name")
    searches = [Search.of(row) for row in rows]
    calls = (
        (search, row, search.load(sets[row["dataset"]][row["image"]].path), early, commit())
        for search, row in zip(searches, rows, strict=True)
    )
    click.echo(f"{len(rows)} searches gave a rate up before {early:g} of the best one's steps", err=True)
    better: list[Row] = []
    run_calls(
        again, calls, len(rows), Store(path), executor(processes, ray),
        lambda row: better.append(row) if row["steps"] < row["rechecks"][-1]["steps"] else None,
    )  # fmt: skip
    click.echo(f"{len(better)} of {len(rows)} searches found a better rate", err=True)


def again(search: Search, row: Row, picture: Bytes, early: float, commit: str) -> Sequence[Row]:
    """The record of a search once it is checked. Where the best rate stays the best, so do its seconds and machine.

    `rechecks` lists for each check the commit and share, how many runs it repeated, and the best one's steps before it.
    """
    check = {"commit": commit, "early": early, "runs": len(doubtful(row, early)), "steps": row["steps"]}
    result = search.rechecked(row, picture, early)
    made = made_here(commit) if "steps" in result else {}
    return [{**row, **result, **made, "rechecks": [*row.get("rechecks", ()), check]}]
