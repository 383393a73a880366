"""`python -m benchmarks train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.commands._shared import options
from benchmarks.training import contexts as context_networks
from benchmarks.training import filters as shipped_filters
from benchmarks.training import starts as shipped_starts
from benchmarks.training.crops import install

folder_arguments = (
    click.argument("folders", type=click.Path(path_type=Path, exists=True, file_okay=False), nargs=-1, required=True),
    click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File of weights."),
)


@click.group()
def train() -> None:
    """Train what ships with the package.

    It is trained on random crops of the PNG files in some folders (never Kodak).
    """


@train.command()
@click.option("--crops", "n_crops", type=click.IntRange(1), default=280, show_default=True)
@click.option("--held-out", type=click.IntRange(1), default=40, show_default=True, help="Crops not trained on.")
@click.option("--side", type=click.IntRange(8), default=256, show_default=True, help="Of the crops.")
@click.option("--share", type=float, default=0.5, show_default=True, help="Of the coefficients, to train on.")
@click.option("--hidden", type=click.IntRange(1), default=32, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=8000, show_default=True)
@click.option("--batch", type=click.IntRange(1), default=2048, show_default=True)
@click.option("--rate", type=float, default=5e-3, show_default=True)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="With OMP_NUM_THREADS=1 for each to have one thread.",
)
@options(*folder_arguments)
def contexts(folders: Sequence[Path], out: Path, n_crops: int, side: int, **settings: Any) -> None:
    """The context networks."""
    blob, score = context_networks.trained(folders, n_crops, side, context_networks.Recipe(**settings))
    written = install(blob, out)
    click.echo(f"held out: {score:.4f} bits a symbol in integers")
    click.echo(written)


@train.command()
@click.option("--crops", "n_crops", type=click.IntRange(1), default=400, show_default=True)
@click.option("--side", type=click.IntRange(8), default=128, show_default=True, help="Of the crops.")
@click.option("--steps", type=click.IntRange(1), default=1500, show_default=True)
@click.option("--rate", type=float, default=5e-3, show_default=True)
@options(*folder_arguments)
def filters(folders: Sequence[Path], out: Path, n_crops: int, side: int, steps: int, rate: float) -> None:
    """The filters behind the wavelets."""
    click.echo(install(shipped_filters.trained(folders, n_crops, side, steps, rate), out))


@train.command()
@click.option("--seeds", "n_seeds", type=click.IntRange(2), default=28, show_default=True)
@click.option("--crops", "n_crops", type=click.IntRange(1), default=10, show_default=True)
@click.option("--side", type=click.IntRange(8), default=256, show_default=True, help="Of the crops.")
@click.option("--steps", type=click.IntRange(1), default=250, show_default=True)
@click.option("--price", type=float, default=1e-3, show_default=True, help="Lambda, of bits a pixel.")
@click.option("--gray", is_flag=True, help="Fit the mean of the channels.")
@options(folder_arguments[0])
def starts(
    folders: Sequence[Path], n_seeds: int, n_crops: int, side: int, steps: int, price: float, *, gray: bool
) -> None:
    """Rank the random starts of the field of grids; the best ones are named in nfcodec/fields/grid/start.py."""
    for each in shipped_starts.ranked(folders, n_seeds, n_crops, side, steps, price, gray=gray):
        click.echo(f"seed {each.seed}: {each.excess:+.4f} +- {each.error:.4f}")
