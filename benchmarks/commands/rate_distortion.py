"""`python -m benchmarks rate-distortion`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.commands._shared import (
    PSNR,
    FieldName,
    Finite,
    chosen_pictures,
    executor,
    options,
    picture_options,
    run_all,
)
from benchmarks.data.datasets import Picture
from benchmarks.rates.codecs import LOSSY, OURS
from benchmarks.rates.peers import LOWEST_DB, jobs_at, peers
from benchmarks.rates.rate_distortion import TARGETS_DB, RatePoint
from benchmarks.records.store import Job, Store

_TARGETS = ", ".join(f"{target:g}" for target in TARGETS_DB)


@click.command("rate-distortion")
@click.option("--codec", "codecs", type=click.Choice([OURS, *LOSSY]), multiple=True, help="Repeatable; else all.")
@click.option(
    "--psnr", "targets_db", type=PSNR, multiple=True, metavar="DB", help=f"Ours; repeatable; else {_TARGETS}."
)
@click.option(
    "--bpp",
    "sizes",
    type=Finite(0, 1e6, min_open=True),
    multiple=True,
    metavar="BITS",
    help="The same, for a size instead.",
)
@click.option(
    "--targets",
    "peer",
    type=click.Choice(list(peers())),
    help="Instead: nfcodec alone, at the PSNRs that were published of this codec for each picture.",
)
@click.option(
    "--point",
    "points",
    type=click.IntRange(1),
    multiple=True,
    metavar="N",
    help="With --targets: only its Nth point, counted from the lowest rate. Repeatable.",
)
@click.option(
    "--at-least",
    "lowest_db",
    type=PSNR,
    default=LOWEST_DB,
    show_default=True,
    metavar="DB",
    help="With --targets: leave out points of a lower PSNR.",
)
@click.option("--effort", type=click.IntRange(1, 9), default=5, show_default=True, help="Of nfcodec.")
@click.option("--field", type=FieldName(), default="auto", show_default=True, help="Of nfcodec.")
@click.option("--transform", default="none", show_default=True, metavar="CHAIN", help="Of nfcodec.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of nfcodec.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Run so many files side by side, each on its share of the processors.",
)
@options(*picture_options)
def rate_distortion(
    data: Path | None, sets: Sequence[str], images: int | None, names: Sequence[str], path: Path, codecs: Sequence[str],
    targets_db: Sequence[float], sizes: Sequence[float], peer: str | None, points: Sequence[int], lowest_db: float,
    effort: int, field: str, transform: str, seed: int, processes: int,
) -> None:  # fmt: skip
    """Bytes against PSNR and MS-SSIM, nfcodec beside other codecs on the same pictures.

    With --targets: the bits of nfcodec over those that a codec published for each picture, at equal PSNR.
    """
    usual = {"effort": effort, "field": field, "transform": transform, "seed": seed}
    pictures = chosen_pictures(sets, images, data, names)
    jobs: list[tuple[Job, Picture]] = []
    if peer:
        if codecs or targets_db or sizes:
            raise click.UsageError("--targets is about nfcodec at a codec's PSNRs: no --codec, --psnr or --bpp with it")
        chosen = {"points": tuple(points), "lowest_db": lowest_db}
        for picture in pictures:
            found = jobs_at(peer, picture.dataset, picture.name, picture.sha256, **chosen, **usual)
            jobs += [(job, picture) for job in found]
    else:
        if points:
            raise click.UsageError("--point needs --targets")
        ours = _ours(targets_db, sizes, usual)
        jobs += [
            (RatePoint(picture.dataset, picture.name, picture.sha256, codec, **settings), picture)
            for picture in pictures
            for codec in codecs or (OURS, *LOSSY)
            for settings in (ours if codec == OURS else _settings(codec))
        ]
    run_all(jobs, Store(path), executor(processes, None))


def _ours(targets_db: Sequence[float], sizes: Sequence[float], usual: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        *({"setting": target, **usual} for target in targets_db or (() if sizes else TARGETS_DB)),
        *({"setting": size, "target": "bpp", **usual} for size in sizes),
    ]


def _settings(codec: str) -> list[dict[str, Any]]:
    return [{"setting": setting} for setting in LOSSY[codec].settings]
