"""`python -m benchmarks rate-distortion`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.commands._shared import FieldName, chosen_pictures, options, picture_options, run_all
from benchmarks.rates.codecs import LOSSY, OURS
from benchmarks.rates.rate_distortion import TARGETS_DB, RatePoint
from benchmarks.records.store import Store

_TARGETS = ", ".join(f"{target:g}" for target in TARGETS_DB)


@click.command("rate-distortion")
@click.option("--codec", "codecs", type=click.Choice([OURS, *LOSSY]), multiple=True, help="Repeatable; else all.")
@click.option(
    "--psnr", "targets_db", type=float, multiple=True, metavar="DB", help=f"Ours; repeatable; else {_TARGETS}."
)
@click.option("--bpp", "sizes", type=float, multiple=True, metavar="BITS", help="The same, for a size instead.")
@click.option("--effort", type=click.IntRange(1, 9), default=5, show_default=True, help="Of nfcodec.")
@click.option("--field", type=FieldName(), default="auto", show_default=True, help="Of nfcodec.")
@click.option("--transform", default="none", show_default=True, metavar="CHAIN", help="Of nfcodec.")
@options(*picture_options)
def rate_distortion(
    data: Path | None, sets: Sequence[str], images: int | None, path: Path, codecs: Sequence[str],
    targets_db: Sequence[float], sizes: Sequence[float], effort: int, field: str, transform: str,
) -> None:  # fmt: skip
    """Bytes against PSNR and MS-SSIM, nfcodec beside ordinary codecs on the same pictures."""
    usual = {"effort": effort, "field": field, "transform": transform}
    ours: list[dict[str, Any]] = [
        *({"setting": target, **usual} for target in targets_db or (() if sizes else TARGETS_DB)),
        *({"setting": size, "target": "bpp", **usual} for size in sizes),
    ]
    jobs = [
        (RatePoint(picture.dataset, picture.name, picture.sha256, codec, **settings), picture)
        for picture in chosen_pictures(sets, images, data)
        for codec in codecs or (OURS, *LOSSY)
        for settings in (ours if codec == OURS else _settings(codec))
    ]
    run_all(jobs, Store(path))


def _settings(codec: str) -> list[dict[str, Any]]:
    return [{"setting": setting} for setting in LOSSY[codec].settings]
