"""`python -m benchmarks dynamics`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from benchmarks.commands._shared import (
    chosen_pictures,
    executor,
    options,
    picture_options,
    place_options,
    run_all,
)
from benchmarks.data.datasets import Picture
from benchmarks.paper.acceleration import PLAIN, RATES
from benchmarks.paper.dynamics import Dynamics
from benchmarks.paper.settings import Settings
from benchmarks.plain.program import field_names
from benchmarks.records.store import Row, Store, read

SETTINGS = tuple(field.name for field in fields(Settings))


@click.command()
@click.option(
    "--best",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="Records of `acceleration`: they say which learning rate is the best for each picture.",
)
@click.option(
    "--field",
    type=click.Choice([*RATES, *(name for name in field_names() if name not in RATES)]),
    default="siren",
    show_default=True,
    help="ngp: Instant-NGP.",
)
@click.option("--side", type=click.IntRange(1), default=512, show_default=True)
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    default=["none", "rpp"],
    show_default=True,
    metavar="CHAIN",
    help="Any that was searched. Repeatable.",
)
@click.option(
    "--planes",
    "plane_side",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Also the loss on planes, at N x N points.",
)
@click.option("--pictures", is_flag=True, help="Also reconstructions, as pictures in the records.")
@options(*picture_options, *place_options)
def dynamics(
    best: Path, field: str, side: int, transforms: Sequence[str], plane_side: int, pictures: bool, data: Path | None,
    sets: Sequence[str], images: int | None, names: Sequence[str], path: Path, processes: int, ray: str | None,
) -> None:  # fmt: skip
    """How fits go on their way (the paper's Tables 2 and 3).

    For the fits that `acceleration` found best: spectra, the variance of the error, and the line and planes between
    the weights at 30 and 50 dB.
    """
    rows = [row for row in read(best) if row["study"] == "paper" and (row["field"], row["side"]) == (field, side)]
    jobs = watching(rows, chosen_pictures(sets, images, data, names), transforms, plane_side, pictures)
    lacking = [chain for chain in transforms if all(job.transform != chain for job, _ in jobs)]
    if lacking:
        raise ValueError(f"of these pictures, the records hold no search that arrived for {', '.join(lacking)}")
    run_all(jobs, Store(path), executor(processes, ray))


def watching(
    rows: Sequence[Row], found: Sequence[Picture], transforms: Sequence[str], plane_side: int, pictures: bool
) -> list[tuple[Dynamics, Picture]]:
    """The jobs that watch the winners of these searches, for some pictures and transforms; none where none arrived."""
    jobs: list[tuple[Dynamics, Picture]] = []
    for picture in found:
        for row in rows:
            if row["sha256"] == picture.sha256 and row["transform"] in transforms and row["reached"]:
                same = ("side", "field", "width", "transform", "seed", "target_db", "max_steps", "halvings", *SETTINGS)
                known: dict[str, Any] = {key: row[key] for key in same if key in row}
                if row.get("engine") == PLAIN:
                    known["engine"] = PLAIN
                job = Dynamics(
                    picture.dataset, picture.name, picture.sha256, log2_rates=(row["log2_rate"],),
                    plane_side=plane_side, pictures=pictures, **known,
                )  # fmt: skip
                jobs.append((job, picture))
    return jobs
