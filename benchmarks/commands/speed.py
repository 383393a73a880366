"""`python -m benchmarks speed`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import data_option, named_pictures, options, records_option, run_all, set_option
from benchmarks.data.datasets import Picture
from benchmarks.records.store import Row, Store
from benchmarks.speed.job import PARTS, Speed


@click.command()
@click.option("--part", "parts", type=click.Choice(PARTS), multiple=True, help="Repeatable; else all.")
@click.option(
    "--image",
    default="kodim05",
    show_default=True,
    metavar="NAME",
    help="The picture of the set that all parts but the recipe take.",
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--side", type=click.IntRange(8), default=128, show_default=True, help="Of the recipe's pictures.")
@click.option(
    "--images",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    metavar="N",
    help="Run the paper's recipe on the first N pictures.",
)
@click.option("--defaults", type=click.IntRange(1), metavar="N", help="Run ours on the first N; else on all.")
@click.option(
    "--cap",
    type=float,
    default=1000.0,
    show_default=True,
    metavar="TIMES",
    help="Stop the paper's recipe at so many times our steps.",
)
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="cuda: the engines there, at the paper's scale, instead of the parts.",
)
@options(records_option, data_option, set_option)
def speed(
    data: Path | None, name: str, image: str, path: Path | None, parts: Sequence[str], rounds: int, side: int,
    images: int, defaults: int | None, cap: float, device: str,
) -> None:  # fmt: skip
    """Speed as ratios taken in one run: engines, recipes, whole processes. All parts take about twenty minutes.

    \b
    steps   a step of the engines, of plain PyTorch, and of its matrix products
    recipe  steps and seconds to 50 dB: our settings against the paper's
    encode  whole processes, with their peak memory
    decode  the same

    Seconds depend on the machine and on what else it does; compare ratios.
    """
    pictures = named_pictures(name, data, image)
    jobs = [(_job(pictures[image], part, rounds, device), pictures[image]) for part in _parts(parts, device)]
    if device == "cpu" and (not parts or "recipe" in parts):
        for i, picture in enumerate(list(pictures.values())[:defaults]):
            names = (picture.dataset, picture.name, picture.sha256)
            jobs.append((Speed(*names, "recipe", side=side, cap=cap if i < images else 0.0), picture))
    run_all(jobs, Store(path), show=_show)


def _parts(parts: Sequence[str], device: str) -> Sequence[str]:
    """Those that are run on one picture."""
    return [part for part in parts or PARTS if part != "recipe"] if device == "cpu" else ["device"]


def _job(picture: Picture, part: str, rounds: int, device: str) -> Speed:
    rounds = 0 if part == "encode" else rounds
    return Speed(picture.dataset, picture.name, picture.sha256, part, rounds=rounds, device=device)


def _show(record: Row) -> None:
    for row in record["rows"]:
        cells = (f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items())
        click.echo(" | ".join((record["part"], record["image"], *cells)))
