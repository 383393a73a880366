"""`python -m benchmarks sample`."""

from __future__ import annotations

from pathlib import Path

import click
from PIL import Image

from benchmarks.data.make_sample import SAMPLE, draw


@click.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=SAMPLE, help="Else the checkout's own.")
def sample(out: Path) -> None:
    """Draw the sample picture again."""
    Image.fromarray(draw()).save(out, optimize=True)
    click.echo(f"{out.name}: {out.stat().st_size} bytes")
