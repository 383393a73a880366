"""`python -m benchmarks download`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from benchmarks.commands._shared import data_option, options
from benchmarks.data import datasets


@click.command()
@click.argument("names", nargs=-1, required=True)
@options(data_option)
def download(names: tuple[str, ...], data: Path | None) -> None:
    """Fetch datasets by name: kodak, div2k, clic. Interrupted downloads go on where they stopped."""
    for name in names:
        found = datasets.download(name, datasets.data_folder(data), progress=_show)
        click.echo(found.label)


def _show(name: str, n_bytes: int, size: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if n_bytes == size else ""
        click.echo(f"\r{name}: {n_bytes / 1e6:.1f} of {size / 1e6:.1f} MB{end}", nl=False, err=True)
