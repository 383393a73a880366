"""`python -m benchmarks table`."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import (
    PSNR,
    FieldName,
    data_option,
    named_pictures,
    options,
    records_option,
    run_all,
    set_option,
)
from benchmarks.rates.encode_table import AS_GOOD, COLUMNS, WholeProcess, line
from benchmarks.records.store import Store


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--field",
    "fields",
    type=FieldName(),
    multiple=True,
    default=["auto"],
    show_default=True,
    help="Repeatable.",
)
@click.option(
    "--transform", "transforms", multiple=True, default=["none"], show_default=True, metavar="CHAIN", help="Repeatable."
)
@click.option(
    "--psnr",
    "targets_db",
    type=PSNR,
    multiple=True,
    default=[40.0],
    show_default=True,
    metavar="DB",
    help="Repeatable.",
)
@click.option("--crop", type=click.IntRange(0), default=0, help="Centre crop of this side.")
@click.option("--side", type=click.IntRange(0), default=0, help="Centre square, resized to this side.")
@click.option("--gray", is_flag=True)
@click.option("--more", default="", metavar="OPTIONS", help="Further options for nfcodec encode, in quotes.")
@options(records_option, data_option, set_option)
def table(
    data: Path | None, name: str, images: Sequence[str], fields: Sequence[str], transforms: Sequence[str],
    targets_db: Sequence[float], crop: int, side: int, gray: bool, path: Path | None, more: str,
) -> None:  # fmt: skip
    """Bytes, seconds and memory of single pictures, nfcodec beside other codecs.

    Encodes and decodes pictures of a set as whole processes, beside files of other codecs that are as good. IMAGE is a
    name without suffix. Seconds and peak memory (MB) are of whole processes; png_bytes and webp_bytes are without
    loss; bound_bytes is the rate-distortion bound of a permuted picture's colours. The last three columns are sizes of
    other codecs at the lowest quality that reaches the PSNR; a record has their seconds and memory, too.
    """
    pictures = named_pictures(name, data, *images)
    jobs = [
        (
            WholeProcess(picture.dataset, picture.name, picture.sha256, field, transform, psnr_db, crop=crop,
                         side=side, gray=gray, more=tuple(shlex.split(more))),
            picture,
        )
        for picture, field, psnr_db, transform in itertools.product(
            (pictures[image] for image in images), fields, targets_db, transforms
        )
    ]  # fmt: skip
    click.echo(" | ".join((*COLUMNS, *AS_GOOD)))
    run_all(jobs, Store(path), show=lambda row: click.echo(line(row)))
