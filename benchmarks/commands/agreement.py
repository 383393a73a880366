"""`python -m benchmarks agreement`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import options
from benchmarks.paper import published
from benchmarks.paper.agreement import Agreement
from benchmarks.paper.arms import ARMS, TABLE_1
from benchmarks.records.store import Row, read
from benchmarks.report.estimates import Mean
from benchmarks.report.grouping import Arms, Setup, accelerations, by_dataset, by_image, setups
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
    found: dict[tuple[str, str], list[tuple[Agreement, tuple[Cell, ...]]]] = {}
    for setup, group in setups(records).items():
        for dataset, images in by_dataset(by_image(group)).items():
            each = _compared(setup, dataset, [arms for arms in images if all(name in arms for name in ARMS)])
            if each:
                found.setdefault((setup.field, published.dataset(dataset) or ""), []).append(each)
    lines: list[tuple[Cell, ...]] = []
    for (field, dataset), each in sorted(found.items()):
        papers = published.ACCELERATION[field, dataset]
        lines.append((f"the paper, {field}", dataset, None, *papers.values(), None, None, None))
        lines += [line for _, line in sorted(each, key=lambda pair: (pair[0].factor, -pair[0].same))]
    return lines


def _compared(setup: Setup, dataset: str, images: Sequence[Arms]) -> tuple[Agreement, tuple[Cell, ...]] | None:
    papers = published.ACCELERATION.get((setup.field, published.dataset(dataset) or ""))
    means = {name: Mean.of(accelerations(images, name)) for name in TABLE_1}
    known = {name: mean for name, mean in means.items() if mean is not None}
    if papers is None or len(known) < len(TABLE_1):
        return None
    found = Agreement.of({name: mean.value for name, mean in known.items()}, papers)
    n = max(mean.n for mean in known.values())
    tail = (f"{found.same} of {found.n}", found.factor, found.farthest)
    return found, (setup.title, dataset, n, *known.values(), *tail)
