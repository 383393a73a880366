"""`python -m benchmarks analyze`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import PSNR, executor, options, paper_field_option, place_options, run_all
from benchmarks.commands.dynamics import watching
from benchmarks.data.datasets import Picture
from benchmarks.paper.acceleration import RATES, Search, first_rate
from benchmarks.paper.arms import ARMS
from benchmarks.paper.dynamics import Gallery
from benchmarks.paper.encode import Encode
from benchmarks.records.store import Store, read
from benchmarks.report import write
from benchmarks.report.encodes import sentences

PLANE_SIDE = 13


@click.command()
@click.argument("image", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("analysis"), show_default=True,
              help="Folder to write to.")  # fmt: skip
@paper_field_option
@click.option("--side", type=click.IntRange(8), default=128, show_default=True, help="Of the square that is fitted.")
@click.option("--width", type=click.IntRange(1), help="Of a SIREN; by default the side.")
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    metavar="CHAIN",
    help="Besides none and rpp. Repeatable; by default those of the paper, of which only none and rpp are watched.",
)
@click.option("--psnr", "target_db", type=PSNR, default=50.0, show_default=True, metavar="DB",
              help="The PSNR to which steps and seconds are counted.")  # fmt: skip
@click.option("--max-steps", type=click.IntRange(1), default=10_000, show_default=True, help="Of a fit, at most.")
@options(*place_options)
def analyze(
    image: Path, out: Path, field: str, side: int, width: int | None, transforms: Sequence[str], target_db: float,
    max_steps: int, processes: int, ray: str | None,
) -> None:  # fmt: skip
    """What transforms change for one picture: steps, seconds and bytes, as a page.

    The centre square of IMAGE is fitted at the best learning rate with each transform; some fits are watched on their
    way, and the whole picture is encoded with and without rpp. Writes records.jsonl, tables, plots and report.html to
    --out; interrupted, it goes on where it stopped. Several pictures may share --out: the page is about the last one.
    """
    picture, where = Picture(image.parent.name or "picture", image), executor(processes, ray)
    store, names = Store(out / "records.jsonl"), (picture.dataset, picture.name, picture.sha256)
    chains = tuple(dict.fromkeys(("none", "rpp", *transforms))) if transforms else ARMS
    size = (width or side) if field == "siren" else 0
    searches = [
        Search(
            *names, side=side, field=field, width=size, precision="fp32", transform=chain, target_db=target_db,
            max_steps=max_steps, log2_rates=RATES[field], first_log2_rate=first_rate(field, size),
        )
        for chain in chains
    ]  # fmt: skip
    run_all([(Gallery(*names, side=side, transforms=chains), picture)], store)
    run_all([(search, picture) for search in searches], store, where)
    keys = {search.key for search in searches}
    rows = [row for row in read(out / "records.jsonl") if row["key"] in keys]
    watched = chains if transforms else ("none", "rpp")
    run_all(watching(rows, [picture], watched, PLANE_SIDE, True), store, where)
    encodes = [
        Encode(*names, side=0, gray=False, field="auto", transform=chain, target_db=40.0) for chain in ("none", "rpp")
    ]
    run_all([(encode, picture) for encode in encodes], store)
    found = [row for row in read(out / "records.jsonl") if row["sha256"] == picture.sha256]
    for sentence in sentences(found):
        click.echo(sentence)
    click.echo(write(found, out, f"{image.name}: what transforms buy"))
