"""`python -m benchmarks figures`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import options
from benchmarks.figures import figures as drawn
from benchmarks.records.store import Row, read
from benchmarks.report import as_text
from benchmarks.report.encodes import overview
from benchmarks.report.results import results
from benchmarks.report.table import markdown
from benchmarks.report.tables import tables

CHECKOUT = Path(__file__).parents[2]
RECORDS = CHECKOUT / "benchmarks" / "results"
TITLE = "All tables of the recorded runs"


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=CHECKOUT, help="Else the checkout's own."
)
@options()
def figures(out: Path) -> None:
    """Draw the documents' figures and write their tables anew, from committed records.

    The tables are docs/reference/results.md and benchmarks/results/tables.md. Prints the table of README that says
    what transforms change.
    """
    rows = list(read(RECORDS))
    for name, content in committed(rows).items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        click.echo(f"{name}: {len(content.encode()):,} bytes", err=True)
    table = overview(rows)
    click.echo(markdown(table) if table else "The records hold no whole encodes (acceleration --protocol codec).")


def committed(rows: Sequence[Row]) -> dict[str, str]:
    """The files that are made of the committed records and committed with them, by their paths in a checkout."""
    pictures = {f"docs/figures/{name}": svg for name, svg in drawn(rows).items()}
    written = {"docs/reference/results.md": results(rows), "benchmarks/results/tables.md": as_text(tables(rows), TITLE)}
    return {**pictures, **written}
