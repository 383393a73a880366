"""The suite's command line."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from benchmarks import datasets, records
from benchmarks.acceleration import ARMS_ON_TRIAL, RATES, Encode, Search, first_rate
from benchmarks.arms import ARMS
from benchmarks.datasets import Picture
from benchmarks.executors import Executor, Processes, Ray, here
from benchmarks.records import Job, Store
from nfcodec.errors import NfcError
from nfcodec.transforms import parse_chain

F = TypeVar("F", bound=Callable[..., Any])


@click.group(context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]})
def main() -> None:
    """Benchmarks of nfcodec. Records go to JSONL files, which `report` turns into tables, plots and a page.

    Every run has a key; started again with the same options, a command only does what is missing.
    """


def _options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several decorators as one, and library errors as messages."""

    def decorate(function: F) -> F:
        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except NfcError as error:
                raise click.ClickException(str(error)) from error

        for option in reversed(options):
            guarded = option(guarded)  # pyright: ignore
        return guarded  # pyright: ignore

    return decorate


_data = click.option(
    "--data", type=click.Path(path_type=Path), help="Folder with the datasets; else $NFCODEC_DATA, else the cache."
)
_pictures = (
    _data,
    click.option("--set", "sets", multiple=True, default=["kodak"], show_default=True, metavar="NAME",
                 help="A dataset, or any folder of pictures. Repeatable."),
    click.option("--images", type=click.IntRange(1), metavar="N", help="The first N pictures of each set only."),
    click.option("--records", "path", type=click.Path(path_type=Path, dir_okay=False), required=True,
                 help="JSONL file to append to; what it holds already is not run again."),
)  # fmt: skip
_where = (
    click.option("--processes", type=click.IntRange(1), default=1, show_default=True, help="Local processes."),
    click.option("--ray", "ray", metavar="ADDRESS", help='Run on a Ray cluster; "auto" and "local" work, too.'),
)


@main.command()
@click.argument("names", nargs=-1, required=True)
@_options(_data)
def download(names: tuple[str, ...], data: Path | None) -> None:
    """Fetch datasets by name: kodak, div2k, clic. Interrupted downloads go on where they stopped."""
    for name in names:
        found = datasets.download(name, datasets.data_folder(data), progress=_progress_bar())
        click.echo(f"\r{found.label}")


def _progress_bar() -> Callable[[str, int, int], object]:
    def show(name: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{name}: {done / 1e6:.1f} of {total / 1e6:.1f} MB", nl=False, err=True)

    return show


@main.command()
@click.option(
    "--protocol",
    type=click.Choice(["paper", "codec"]),
    default="paper",
    show_default=True,
    help="paper: linear light, gray, Adam at the best of a grid of rates. codec: whole runs of nfcodec encode.",
)
@click.option("--field", type=click.Choice(["siren", "ngp"]), default="siren", show_default=True)
@click.option(
    "--side",
    type=click.IntRange(0),
    default=512,
    show_default=True,
    help="Of the square that pictures become; 0, for --protocol codec only: pictures as they are.",
)
@click.option("--width", type=click.IntRange(1), help="Of a SIREN; by default the side, 3 parameters a pixel.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="fp16 rounds parameters to 16 bits in the forward pass.",
)
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    metavar="CHAIN",
    help="Besides none, the reference. Repeatable; by default the ten of the paper.",
)
@click.option("--candidates", is_flag=True, help="Run the transforms on trial, and rpp.")
@click.option("--psnr", "target_db", type=float, default=50.0, show_default=True, metavar="DB")
@click.option("--max-steps", type=click.IntRange(1), default=10_000, show_default=True)
@click.option(
    "--rates", nargs=2, type=int, metavar="HIGH LOW", help="log2 of the learning rates; by default the paper's."
)
@click.option("--first", type=int, metavar="LOG2", help="log2 of the first rate to try; the search goes on from there.")
@click.option("--whole", is_flag=True, help="Race all rates, instead of the best one's neighbours.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of weights and permutation.")
@click.option(
    "--engine",
    type=click.Choice(["numba", "stacked"]),
    default="numba",
    show_default=True,
    help="stacked: all rates, and --batch pictures or transforms, in batched matrix products (SIREN only).",
)
@click.option("--device", default="cpu", show_default=True, help="Of the stacked engine.")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True)
@click.option("--gray", is_flag=True, help="Protocol codec: one channel.")
@click.option("--effort", type=click.IntRange(1, 9), default=5, show_default=True, help="Protocol codec.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Protocol codec.")
@_options(*_pictures, *_where)
def acceleration(
    data: Path | None, sets: Sequence[str], images: int | None, path: Path, processes: int, ray: str | None, batch: int,
    **settings: Any,
) -> None:  # fmt: skip
    """Steps and seconds to a PSNR with each transform, against the picture as it is (the paper's Table 1)."""
    trial = ARMS_ON_TRIAL if settings["candidates"] else ()
    arms = tuple(dict.fromkeys(("none", *settings["transforms"], *trial))) if settings["transforms"] or trial else ARMS
    for chain in arms:
        parse_chain(chain)
    make = _search if settings["protocol"] == "paper" else _encode
    if settings["protocol"] == "codec" and (processes > 1 or ray):
        raise click.UsageError("whole encodes are timed one at a time: no --processes, no --ray")
    if settings["protocol"] == "paper" and not settings["side"]:
        raise click.UsageError("the paper's protocol needs a --side")
    jobs = [
        (make(picture, chain, repeat, settings), picture)
        for repeat in range(settings["repeats"] if settings["protocol"] == "codec" else 1)
        for picture in _chosen(sets, images, datasets.data_folder(data))
        for chain in arms
    ]
    _run(jobs, Store(path), Ray(ray) if ray else Processes(processes) if processes > 1 else here, batch)


def _search(picture: Picture, chain: str, repeat: int, settings: dict[str, Any]) -> Job:
    field, side = settings["field"], settings["side"]
    high, low = settings["rates"] or (RATES[field][0], RATES[field][-1])
    keys = ("seed", "target_db", "max_steps", "engine", "device", "precision")
    first = settings["first"] if settings["first"] is not None else first_rate(field, settings["width"] or side)
    return Search(
        picture.dataset, picture.name, picture.sha256, side=side, field=field, transform=chain,
        width=(settings["width"] or side) if field == "siren" else 0, log2_rates=tuple(range(high, low - 1, -1)),
        first_log2_rate=None if settings["whole"] else min(high, max(first, low)),
        **{key: settings[key] for key in keys},
    )  # fmt: skip


def _encode(picture: Picture, chain: str, repeat: int, settings: dict[str, Any]) -> Job:
    keys = ("side", "gray", "field", "target_db", "effort")
    return Encode(
        picture.dataset, picture.name, picture.sha256, transform=chain, repeat=repeat,
        **{key: settings[key] for key in keys},
    )  # fmt: skip


def _chosen(sets: Sequence[str], images: int | None, data: Path) -> list[Picture]:
    chosen: list[Picture] = []
    for name in sets:
        found = datasets.find(name, data)
        click.echo(found.label + (f"; the first {images}" if images else ""), err=True)
        chosen += found.pictures[:images]
    return chosen


def _run(jobs: Sequence[tuple[Job, Picture]], store: Store, executor: Executor, batch: int = 1) -> None:
    """Run what the store lacks."""
    missing = [(job, picture) for job, picture in jobs if job.key not in store.keys]
    click.echo(f"{len(jobs)} runs, {len(jobs) - len(missing)} of them recorded already", err=True)
    commit, done, start = records.commit(), 0, time.monotonic()
    for rows in executor(records.run_jobs, _calls(missing, batch, commit)):
        for row in rows:
            store.append(row)
            done += 1
            click.echo(_line(row, f"{done}/{len(missing)} {time.monotonic() - start:.0f} s"), err=True)


def _calls(jobs: Sequence[tuple[Job, Picture]], batch: int, commit: str) -> Iterator[tuple[Any, ...]]:
    for companions, group in itertools.groupby(jobs, lambda each: each[0].companions):
        size = 1 if companions is None else batch
        for part in _parts(group, size):
            yield [job for job, _ in part], [job.load(picture.path) for job, picture in part], commit


def _parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while part := list(itertools.islice(iterator, size)):
        yield part


def _line(row: dict[str, Any], progress: str) -> str:
    """What a person wants to see of a record."""
    keys = (
        "dataset",
        "image",
        "field",
        "side",
        "transform",
        "steps",
        "log2_rate",
        "reached",
        "seconds",
        "bytes",
        "encode_seconds",
    )
    cells = (str(row[key]) if key in ("dataset", "image") else f"{key} {row[key]}" for key in keys if key in row)
    return f"{progress}: " + ", ".join(cells)
