"""`python -m benchmarks acceleration`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from itertools import product
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
    place_options,
    refuse_given,
    run_all,
)
from benchmarks.data.datasets import Picture
from benchmarks.paper.acceleration import ARMS_ON_TRIAL, PLAIN, RATES, STACKED, Search, first_rate
from benchmarks.paper.arms import ARMS
from benchmarks.paper.candidates import on_trial
from benchmarks.paper.encode import Encode
from benchmarks.paper.pyramids import LARGEST, instant_ngp
from benchmarks.paper.settings import ADAMS, PRECISIONS, Settings
from benchmarks.plain.losses import LOSSES
from benchmarks.plain.program import field_names, first_log2_rate, log2_rates, optimiser_names, width_of
from benchmarks.records.store import Job, Store
from nfcodec.fields import asked_for
from nfcodec.fitting import TABLE_BOUND
from nfcodec.fitting.engines import engine_names
from nfcodec.transforms import parse_chain

VARIED = ("seed", *(field.name for field in fields(Settings)))
"""Options of the paper's protocol that may be given several times: all combinations are run."""

OF_PAPER = ("width", "max_steps", "rates", "first", "halvings", "whole", "engine", "device", "batch",
            *(field.name for field in fields(Settings)))  # fmt: skip
OF_CODEC = ("gray", "effort", "repeats")
"""Parameters of one protocol only."""


LOG2_RATE = click.IntRange(-64, 64)


def _setting(name: str, kind: click.ParamType | type, default: object, text: str, metavar: str | None = None) -> Any:
    return click.option(f"--{name}", type=kind, multiple=True, default=[default], show_default=True, metavar=metavar,
                        help=f"{text} Repeatable.")  # fmt: skip


setting_options = (
    _setting("optimiser", click.Choice(optimiser_names()), "adam", "Others than Adam are for --engine plain."),
    _setting("loss", click.Choice(list(LOSSES)), "l2",
             "relative-l2: the squared error over output^2 + 0.01, as in tiny-cuda-nn."),
    _setting("growth", Finite(0, 4), 0.0,
             "Of Instant-NGP's levels, each over the one before; with 0 the finest has half the side's vertices.",
             "FACTOR"),
    _setting("table", click.IntRange(1, LARGEST), LARGEST,
             "log2 of Instant-NGP's largest table; below that of the largest, vertices share entries.", "LOG2"),
    _setting("entries", Finite(0, 1e3, min_open=True), TABLE_BOUND,
             "Entries of Instant-NGP's tables begin at random between this and its negative.", "BOUND"),
    _setting("adam", click.Choice(ADAMS), "field",
             "Constants of Adam: those that suit the field, or 0.9, 0.999 and 1e-8 (at 512 x 512, else scaled)."),
    _setting("precision", click.Choice(list(PRECISIONS)), "fp32",
             "16 bits for parameters (fp16), the gradient of a mean loss as well (-loss), outputs as well (-outputs),"
             " or all three (-all)."),
)  # fmt: skip


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
    type=FieldName(*field_names()),
    help=f"By default siren in the paper's protocol, which also knows ngp (Instant-NGP) and, in plain PyTorch, "
    f"{', '.join(field_names())}; and auto in the codec's.",
)
@click.option(
    "--side",
    type=click.IntRange(0),
    default=512,
    show_default=True,
    help="Of the square that pictures become; 0, for --protocol codec only: pictures as they are.",
)
@click.option(
    "--width", type=click.IntRange(1), help="Of a network; of a SIREN by default the side, 3 parameters a pixel."
)
@click.option(
    "--transform",
    "transforms",
    multiple=True,
    metavar="CHAIN",
    help="Besides none, the reference. Repeatable; by default the ten of the paper.",
)
@click.option("--candidates", is_flag=True, help="Run the transforms on trial, and rpp.")
@click.option("--psnr", "target_db", type=PSNR, default=50.0, show_default=True, metavar="DB",
              help="The PSNR to which steps and seconds are counted.")  # fmt: skip
@click.option("--max-steps", type=click.IntRange(1), default=10_000, show_default=True, help="Of a fit, at most.")
@click.option(
    "--rates", nargs=2, type=LOG2_RATE, metavar="HIGH LOW", help="log2 of the learning rates; by default the paper's."
)
@click.option(
    "--first", type=LOG2_RATE, metavar="LOG2", help="log2 of the first rate to try; the search goes on from there."
)
@click.option(
    "--halvings",
    type=click.IntRange(0, 4),
    default=0,
    show_default=True,
    metavar="N",
    help="At the end, halve the distance between rates N times, and try the neighbours of the best each time.",
)
@click.option("--whole", is_flag=True, help="Race all rates, instead of the best one's neighbours.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    multiple=True,
    default=[0],
    show_default=True,
    metavar="N",
    help="Of weights and permutation. Repeatable.",
)
@click.option(
    "--engine",
    type=click.Choice([*engine_names(), STACKED, PLAIN]),
    default="numba",
    show_default=True,
    help="One of the codec's; or stacked: all rates, and --batch pictures or transforms, in batched products (SIREN); "
    "or plain: PyTorch, which is also taken where numba has no such field or optimiser.",
)
@click.option("--device", default="cpu", show_default=True, help="Of the engine.")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True, metavar="N",
              help="With --engine stacked: pictures or transforms in one program.")  # fmt: skip
@click.option("--gray", is_flag=True, help="Protocol codec: one channel.")
@click.option("--effort", type=click.IntRange(1, 9), default=5, show_default=True, help="Protocol codec.")
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Protocol codec.")
@options(*setting_options, *picture_options, *place_options)
def acceleration(
    data: Path | None, sets: Sequence[str], images: int | None, names: Sequence[str], path: Path, processes: int,
    ray: str | None, batch: int, **settings: Any,
) -> None:  # fmt: skip
    """Steps and seconds to a PSNR with each transform and without any (the paper's Table 1)."""
    trial = ARMS_ON_TRIAL if settings["candidates"] else ()
    arms = tuple(dict.fromkeys(("none", *settings["transforms"], *trial))) if settings["transforms"] or trial else ARMS
    for chain in arms:
        parse_chain(chain)
    if settings["protocol"] == "codec":
        refuse_given((*OF_PAPER, "candidates"), "is for --protocol paper")
        if unknown := [chain for chain in arms if on_trial(chain)]:
            raise click.UsageError(f"nfcodec encode does not know what is on trial: {', '.join(unknown)}")
        if processes > 1 or ray:
            raise click.UsageError("whole encodes are timed one at a time: no --processes, no --ray")
        if settings["field"] not in (None, "auto"):
            asked_for(settings["field"])
        repeats = range(settings["repeats"])
        variants = [{"seed": seed, "repeat": repeat} for seed in settings["seed"] for repeat in repeats]
        make = _encode
    else:
        refuse_given(OF_CODEC, "is for --protocol codec")
        _check_paper(settings)
        variants = [dict(zip(VARIED, values, strict=True)) for values in product(*(settings[key] for key in VARIED))]
        make = _search
    jobs = [
        (make(picture, chain, {**settings, **variant}), picture)
        for picture in chosen_pictures(sets, images, data, names)
        for variant in variants
        for chain in arms
    ]
    run_all(jobs, Store(path), executor(processes, ray, settings["device"]), batch)


def _check_paper(settings: dict[str, Any]) -> None:
    """Complete the options of the paper's protocol. Raises UsageError for what it cannot do."""
    settings["field"] = settings["field"] or "siren"
    if settings["field"] not in (*RATES, *field_names()):
        others = ", ".join(field_names())
        raise click.UsageError(f"the paper's protocol is for {' and '.join(RATES)}, and in plain PyTorch for {others}")
    if not settings["side"]:
        raise click.UsageError("the paper's protocol needs a --side")
    of_ngp = {"growth": (0.0,), "table": (LARGEST,), "entries": (TABLE_BOUND,)}
    if settings["field"] != "ngp" and any(settings[name] != usual for name, usual in of_ngp.items()):
        raise click.UsageError("--growth, --table and --entries are about Instant-NGP: they need --field ngp")
    if any(0 < growth <= 1 for growth in settings["growth"]):
        raise click.UsageError("a --growth is over 1, or 0 for the image default")
    for growth in settings["growth"]:
        instant_ngp(settings["side"], growth)
    if settings["rates"] and settings["rates"][0] < settings["rates"][1]:
        raise click.UsageError("--rates takes the higher rate first, not {} {}".format(*settings["rates"]))


def _search(picture: Picture, chain: str, settings: dict[str, Any]) -> Job:
    field, side, engine = settings["field"], settings["side"], _engine(settings)
    if engine == PLAIN:
        width = width_of(field, side, settings["width"])
        first = first_log2_rate(field, settings["optimiser"], width)
        rates = log2_rates(first)
    else:
        width = (settings["width"] or side) if field == "siren" else 0
        first, rates = first_rate(field, width or side), RATES[field]
    if settings["rates"]:
        rates = tuple(range(settings["rates"][0], settings["rates"][1] - 1, -1))
    first = settings["first"] if settings["first"] is not None else first
    keys = (*VARIED, "target_db", "max_steps", "device", "halvings")
    search = Search(
        picture.dataset, picture.name, picture.sha256, side=side, field=field, transform=chain, width=width,
        log2_rates=rates, first_log2_rate=None if settings["whole"] else min(rates[0], max(first, rates[-1])),
        engine=engine, **{key: settings[key] for key in keys},
    )  # fmt: skip
    search.check()
    return search


def _engine(settings: dict[str, Any]) -> str:
    """The one that was asked for, but plain PyTorch for what the usual one has not.

    Raises:
        UsageError: another one was asked for and has not, either.
    """
    engine = settings["engine"]
    has_all = settings["field"] in RATES and settings["optimiser"] == "adam"
    if has_all or engine == PLAIN:
        return engine
    if engine != "numba":
        fits = f"the engine {engine} fits {' and '.join(RATES)} by Adam"
        raise click.UsageError(f"{fits}; for more there is --engine {PLAIN}")
    return PLAIN


def _encode(picture: Picture, chain: str, settings: dict[str, Any]) -> Job:
    settings = {**settings, "field": settings["field"] or "auto"}
    keys = ("side", "gray", "field", "target_db", "effort", "repeat", "seed")
    return Encode(
        picture.dataset, picture.name, picture.sha256, transform=chain, **{key: settings[key] for key in keys}
    )
