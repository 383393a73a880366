"""`python -m benchmarks acceleration`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.commands._shared import (
    FieldName,
    chosen_pictures,
    executor,
    options,
    picture_options,
    place_options,
    run_all,
)
from benchmarks.data.datasets import Picture
from benchmarks.paper.acceleration import ARMS_ON_TRIAL, PRECISIONS, RATES, Encode, Search, first_rate
from benchmarks.paper.arms import ARMS
from benchmarks.records.store import Job, Store
from nfcodec.fitting.engines import engine_names
from nfcodec.transforms import parse_chain


@click.command()
@click.option(
    "--protocol",
    type=click.Choice(["paper", "codec"]),
    default="paper",
    show_default=True,
    help="paper: linear light, gray, Adam at the best of a grid of rates. codec: whole runs of nfcodec encode.",
)
@click.option(
    "--field",
    type=FieldName(),
    help="By default siren in the paper's protocol, which also knows ngp (Instant-NGP), and auto in the codec's.",
)
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
    type=click.Choice(list(PRECISIONS)),
    default="fp32",
    show_default=True,
    help="fp16: parameters in 16 bits; fp16-loss: the gradient of a mean loss as well, as at the paper's size.",
)
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    metavar="CHAIN",
    help="Besides none, the reference. Repeatable; by default the ten of the paper.",
)
@click.option(
    "--adam",
    type=click.Choice(["field", "usual"]),
    default="field",
    show_default=True,
    help="Constants of Adam: those that suit the field, or 0.9, 0.999 and 1e-8.",
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
    type=click.Choice([*engine_names(), "stacked"]),
    default="numba",
    show_default=True,
    help="One of the codec's; or stacked: all rates, and --batch pictures or transforms, in batched products (SIREN).",
)
@click.option("--device", default="cpu", show_default=True, help="Of the engine.")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True)
@click.option("--gray", is_flag=True, help="Protocol codec: one channel.")
@click.option("--effort", type=click.IntRange(1, 9), default=5, show_default=True, help="Protocol codec.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Protocol codec.")
@options(*picture_options, *place_options)
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
    settings["field"] = settings["field"] or ("siren" if settings["protocol"] == "paper" else "auto")
    if settings["protocol"] == "codec" and (processes > 1 or ray):
        raise click.UsageError("whole encodes are timed one at a time: no --processes, no --ray")
    if settings["protocol"] == "paper" and settings["field"] not in RATES:
        raise click.UsageError(f"the paper's protocol is for {' and '.join(RATES)}")
    if settings["protocol"] == "paper" and not settings["side"]:
        raise click.UsageError("the paper's protocol needs a --side")
    pictures = chosen_pictures(sets, images, data)
    jobs = [
        (make(picture, chain, repeat, settings), picture)
        for repeat in range(settings["repeats"] if settings["protocol"] == "codec" else 1)
        for picture in pictures
        for chain in arms
    ]
    run_all(jobs, Store(path), executor(processes, ray), batch)


def _search(picture: Picture, chain: str, repeat: int, settings: dict[str, Any]) -> Job:
    field, side = settings["field"], settings["side"]
    high, low = settings["rates"] or (RATES[field][0], RATES[field][-1])
    keys = ("seed", "target_db", "max_steps", "engine", "device", "precision", "adam")
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
