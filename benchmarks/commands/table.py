"""`python -m benchmarks table`."""

from __future__ import annotations

import itertools
import json
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import data_option, named_pictures, options, set_option
from benchmarks.data.pictures import prepared
from benchmarks.rates.encode_table import COLUMNS, line, measure
from nfcodec.fields import field_names


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--field",
    "fields",
    type=click.Choice(field_names()),
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
    type=float,
    multiple=True,
    default=[40.0],
    show_default=True,
    metavar="DB",
    help="Repeatable.",
)
@click.option("--crop", type=click.IntRange(1), help="Centre crop of this side.")
@click.option("--side", type=click.IntRange(1), help="Centre square, resized to this side.")
@click.option("--gray", is_flag=True)
@click.option("--json", "path", type=click.Path(path_type=Path, dir_okay=False), help="Also append the rows here.")
@click.option("--more", default="", metavar="OPTIONS", help="Further options for nfcodec encode, in quotes.")
@options(data_option, set_option)
def table(
    data: Path | None, name: str, images: Sequence[str], fields: Sequence[str], transforms: Sequence[str],
    targets_db: Sequence[float], crop: int | None, side: int | None, gray: bool, path: Path | None, more: str,
) -> None:  # fmt: skip
    """Encode and decode pictures of a set as whole processes, beside the sizes of other codecs: one row a run.

    IMAGE is a name without suffix. Seconds and peak memory (MB) are of whole processes; xWebP is the size of a lossless
    WebP over ours, xbound ours over the rate-distortion bound of the permuted picture's colours. The last three columns
    are sizes of other codecs at the same PSNR.
    """
    pictures = named_pictures(name, data, *images)
    click.echo(" | ".join(COLUMNS))
    for image, field, psnr_db, transform in itertools.product(images, fields, targets_db, transforms):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in.png"
            prepared(pictures[image], crop=crop, side=side, gray=gray).save(source)
            row = measure(source, image, field, transform, psnr_db, shlex.split(more))
        click.echo(line(row))
        if path:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
