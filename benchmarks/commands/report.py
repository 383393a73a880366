"""`python -m benchmarks report`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import options
from benchmarks.records.store import read
from benchmarks.report import write


@click.command()
@click.argument("paths", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True, metavar="RECORDS...")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("report"), show_default=True,
              help="Folder to write to.")  # fmt: skip
@click.option("--title", default="nfcodec benchmarks", show_default=True)
@options()
def report(paths: Sequence[Path], out: Path, title: str) -> None:
    """Make one self-contained page (report.html), tables (tables.md) and plots of records.

    RECORDS are files, or folders of them, such as benchmarks/results.
    """
    click.echo(write(list(read(*paths)), out, title))
