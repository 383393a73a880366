"""`python -m benchmarks lossless`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.commands._shared import chosen_pictures, options, picture_options, run_all
from benchmarks.rates.codecs import LOSSLESS, OURS
from benchmarks.rates.lossless import LosslessFile
from benchmarks.records.store import Store


@click.command("lossless")
@click.option("--codec", "codecs", type=click.Choice([OURS, *LOSSLESS]), multiple=True, help="Repeatable; else all.")
@click.option("--effort", type=click.IntRange(1, 9), default=5, show_default=True, help="Of nfcodec.")
@options(*picture_options)
def lossless(
    data: Path | None, sets: Sequence[str], images: int | None, names: Sequence[str], path: Path, codecs: Sequence[str],
    effort: int,
) -> None:  # fmt: skip
    """Bytes without loss, nfcodec beside PNG, WebP and JPEG XL on the same pictures."""
    jobs = [
        (LosslessFile(picture.dataset, picture.name, picture.sha256, codec, effort if codec == OURS else 0), picture)
        for picture in chosen_pictures(sets, images, data, names)
        for codec in codecs or (OURS, *LOSSLESS)
    ]
    run_all(jobs, Store(path))
