"""`python -m benchmarks speed`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import (
    PSNR,
    FieldName,
    Finite,
    chosen_pictures,
    data_option,
    named_pictures,
    options,
    records_option,
    run_all,
    set_option,
)
from benchmarks.data import mosaic
from benchmarks.data.datasets import Picture
from benchmarks.plain.device import check_device
from benchmarks.records.store import Job, Row, Store, read
from benchmarks.report.speed import codec
from benchmarks.report.table import markdown
from benchmarks.speed.job import PARTS, Speed
from benchmarks.speed.processes import RIVALS, CodecSpeed

PICTURES = ("kodak/kodim05", "clic/ales-krivec-15949", f"clic/{mosaic.NAME}")
ONE_PICTURE = ("steps", "siren", "grid")
CODEC = "codec"


@click.command()
@click.option("--part", "parts", type=click.Choice([*PARTS, CODEC]), multiple=True, help="Repeatable; else all.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Of all parts but the recipe.")
@click.option(
    "--picture",
    "whole",
    multiple=True,
    default=PICTURES,
    show_default=True,
    metavar="SET/NAME",
    help=f"Codec: the pictures; {mosaic.NAME} is one of 12 megapixels made of a set's. Repeatable.",
)
@click.option(
    "--field",
    "fields",
    type=FieldName(),
    multiple=True,
    default=["wavelet"],
    show_default=True,
    help="Codec: of nfcodec. Repeatable.",
)
@click.option(
    "--effort",
    "efforts",
    type=click.IntRange(1, 9),
    multiple=True,
    default=[1, 3, 5],
    show_default=True,
    help="Codec: of nfcodec. Repeatable.",
)
@click.option(
    "--rival",
    "rivals",
    type=click.Choice([*RIVALS, "none"]),
    multiple=True,
    default=list(RIVALS),
    show_default=True,
    help="Codec: others, AVIF by its speed; or none. Repeatable.",
)
@click.option("--psnr", "target_db", type=PSNR, default=40.0, show_default=True, metavar="DB", help="Codec: of all.")
@click.option("--image", default="kodim05", show_default=True, metavar="NAME", help="Steps, siren, grid: the picture.")
@click.option("--side", type=click.IntRange(8), default=128, show_default=True, help="Recipe: of the pictures.")
@click.option(
    "--images",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    metavar="N",
    help="Recipe: run Adam on the first N pictures.",
)
@click.option("--defaults", type=click.IntRange(1), metavar="N", help="Recipe: run ours on the first N; else on all.")
@click.option(
    "--cap",
    type=Finite(0),
    default=1000.0,
    show_default=True,
    metavar="TIMES",
    help="Recipe: stop Adam at so many times our steps.",
)
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="cuda: the engines there, at the paper's scale, instead of the parts.",
)
@options(records_option, data_option, set_option)
def speed(
    data: Path | None, name: str, image: str, path: Path | None, parts: Sequence[str], rounds: int,
    whole: Sequence[str], fields: Sequence[str], efforts: Sequence[int], rivals: Sequence[str], target_db: float,
    side: int, images: int, defaults: int | None, cap: float, device: str,
) -> None:  # fmt: skip
    """Speed as ratios taken in one run: engines, recipes, whole processes.

    \b
    steps   a step of the engines, of plain PyTorch, and of its matrix products
    recipe  steps and seconds to 50 dB: our settings against Adam
    siren   the decoder on a SIREN of the paper's size, over its matrix products
    grid    an iteration of the fit of grids, of plain PyTorch, and of its matrix
            products; and its parts
    codec   encode and decode beside AVIF and WebP as whole processes: seconds,
            units of 1 TFLOP of fp32 products, memory, cores that were busy

    All of it takes hours, most of them for the codec at 12 megapixels. Seconds depend on the machine and on what else
    it does; compare ratios, and units.
    """
    check_device(device)
    parts = ("device",) if device != "cpu" else parts or (*PARTS, CODEC)
    with tempfile.TemporaryDirectory() as folder:
        jobs: list[tuple[Job, Picture]] = []
        if single := [part for part in parts if part in (*ONE_PICTURE, "device")]:
            picture = named_pictures(name, data, image)[image]
            jobs += [(Speed(*_named(picture), part, rounds=rounds, device=device), picture) for part in single]
        if "recipe" in parts:
            for i, picture in enumerate(chosen_pictures([name], defaults, data)):
                jobs.append((Speed(*_named(picture), "recipe", side=side, cap=cap if i < images else 0.0), picture))
        if CODEC in parts:
            others = tuple(each for each in rivals if each != "none")
            for picture in _pictures(whole, data, Path(folder)):
                settings = (tuple(fields), tuple(efforts), others, target_db, rounds)
                jobs.append((CodecSpeed(*_named(picture), *settings), picture))
        records: list[Row] = []
        run_all(jobs, Store(path), show=lambda record: records.append(record) or _show(record))
    _show_codec(jobs, [*(read(path) if path else ()), *records])


def _named(picture: Picture) -> tuple[str, str, str]:
    return picture.dataset, picture.name, picture.sha256


def _pictures(names: Sequence[str], data: Path | None, folder: Path) -> Iterator[Picture]:
    """By "SET/NAME"; a mosaic is made in the folder."""
    for each in names:
        found, _, name = each.rpartition("/")
        if name == mosaic.NAME:
            yield mosaic.mosaic(chosen_pictures([found], None, data), folder)
        else:
            yield named_pictures(found, data, name)[name]


def _show(record: Row) -> None:
    """A line for each row; whole processes are shown as a table at the end."""
    for row in record["rows"] if record["part"] != CODEC else ():
        cells = (f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items())
        click.echo(" | ".join((record["part"], record["image"], *cells)))


def _show_codec(jobs: Sequence[tuple[Job, Picture]], records: Sequence[Row]) -> None:
    """The table of the jobs' records, old and new, each once."""
    keys = {job.key for job, _ in jobs if isinstance(job, CodecSpeed)}
    if found := {record["key"]: record for record in records if record["key"] in keys}:
        click.echo(markdown(codec(list(found.values()))))
