"""`python -m benchmarks agreement`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import options
from benchmarks.paper import published
from benchmarks.paper.arms import TABLE_1
from benchmarks.records.store import Row, read
from benchmarks.report.evidence import nearness_by_dataset, settings
from benchmarks.report.table import Cell, Table, markdown


@click.command()
@click.argument("records", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@options()
def agreement(records: Sequence[Path]) -> None:
    """Which setting's accelerations come nearest to the paper's Table 1.

    RECORDS are those of `acceleration`. Of each setting and dataset it takes the pictures that were fitted with all
    ten transforms.
    """
    found = rows(read(*records))
    if not found:
        raise click.UsageError("no setting in these records has a picture with all ten transforms of the paper")
    columns = ("setting", "pictures", "n", *TABLE_1, "on the paper's side of 1", "off by a factor", "farthest off")
    click.echo(markdown(Table("agreement", "How near settings come to the paper's Table 1", columns, tuple(found))))


def rows(records: Iterable[Row]) -> list[tuple[Cell, ...]]:
    """For each field and dataset of the paper, its row and then our settings, the nearest first."""
    lines: list[tuple[Cell, ...]] = []
    for (field, dataset), group in nearness_by_dataset(settings(records)).items():
        papers = published.ACCELERATION[field, dataset].values()
        lines.append((f"the paper, {field}", dataset, None, *papers, None, None, None))
        for each in group:
            same = f"{len(each.same_side)} of {len(each.ours)}"
            tail = (same, each.distance, next(iter(each.factors)))
            lines.append((each.setting.title, each.dataset, each.n, *each.ours.values(), *tail))
    return lines
