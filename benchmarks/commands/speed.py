"""`python -m benchmarks speed`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.commands._shared import data_option, named_pictures, options, set_option
from benchmarks.records.store import Row, surroundings
from benchmarks.speed import device as on_device
from benchmarks.speed import processes, recipe, steps
from benchmarks.speed.workloads import picture

PARTS = ("steps", "recipe", "encode", "decode")


@click.command()
@click.option("--part", "parts", type=click.Choice(PARTS), multiple=True, help="Repeatable; else all.")
@click.option(
    "--image",
    default="kodim05",
    show_default=True,
    metavar="NAME",
    help="The picture of the set that all parts but the recipe take.",
)
@click.option("--large", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Encode this picture too.")
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
@click.option("--json", "path", type=click.Path(path_type=Path, dir_okay=False), help="Write machine and rows here.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="cuda: the engines there, at the paper's scale, instead of the parts.",
)
@options(data_option, set_option)
def speed(data: Path | None, name: str, image: str, path: Path | None, **settings: Any) -> None:
    """Speed as ratios taken in one run: engines, recipes, whole processes. All parts take about twenty minutes.

    \b
    steps   a step of the engines, of plain PyTorch, and of its matrix products
    recipe  steps and seconds to 50 dB: our settings against the paper's
    encode  whole processes, with their peak memory
    decode  the same

    Seconds depend on the machine and on what else it does; compare ratios.
    """
    machine = dict(surroundings())
    _show(machine)
    rows: list[Row] = []
    for row in _rows(named_pictures(name, data, image), image, **settings):
        _show(row)
        rows.append(row)
    if path:
        path.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def _rows(
    pictures: dict[str, Path], image: str, *, parts: Sequence[str], large: Path | None, rounds: int, device: str,
    **extent: Any,
) -> Iterator[Row]:  # fmt: skip
    path = pictures[image]
    if device != "cpu":
        yield from on_device.rows(picture(path, steps.SQUARE, gray=True), device, rounds)
        return
    for part in parts or PARTS:
        match part:
            case "steps":
                yield from steps.rows(path, rounds)
            case "recipe":
                yield from recipe.rows(list(pictures.values()), recipe.Extent(**extent))
            case "encode":
                yield from processes.encodes(path, large)
            case _:
                yield from processes.decodes(path, rounds)


def _show(row: Row) -> None:
    cells = (f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items())
    click.echo(" | ".join(cells))
