"""The tables of the report, from records alone; the paper's figures stand beside ours."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from benchmarks.paper import published
from benchmarks.records.store import Row
from benchmarks.report import encodes, lossless, peers, processes, rates, speed, table_one
from benchmarks.report.estimates import Mean, Ratio, Signs
from benchmarks.report.grouping import (
    Arms,
    ImageKey,
    Setup,
    accelerations,
    by_dataset,
    by_image,
    having,
    known_first,
    mean_by_picture,
    picture_means,
    setups,
)
from benchmarks.report.table import Cell, Table

BOTH = ("none", "rpp")
PAPER_SETUP = "the paper: 512 x 512, SIREN 512 wide, NGP with 16-bit parameters, all pictures of each set"


def tables(rows: Sequence[Row]) -> list[Table]:
    """All tables for which there are records: of the codec, then of the paper's question."""
    found: list[Table | None] = [encodes.summary(rows), *encodes.tables(rows), *processes.tables(rows)]
    found += [*rates.tables(rows), *peers.tables(rows), *lossless.tables(rows), *speed.tables(rows)]
    found += table_one.tables(rows)
    for setup, group in setups(rows).items():
        images = by_image(group)
        found += [all_transforms(setup, images), table_2(setup, images), steps(setup, images)]
    for setup, group in setups(rows, "dynamics").items():
        found += [table_3(setup, by_image(group)), barrier(setup, by_image(group))]
    return [table for table in found if table is not None]


def all_transforms(setup: Setup, images: dict) -> Table | None:
    """Every transform, over all pictures, against none and against rpp, fastest first."""
    arms = list(images.values())
    names = sorted({transform for each in arms for transform in each} - {"none"})
    rows: list[tuple[Cell, ...]] = []
    for transform in names:
        ratios = accelerations(arms, transform)
        mean, exact = Mean.of(ratios), [ratio.value for ratio in ratios if ratio.kind == "exact"]
        if mean is None:
            continue
        both = [each for each in arms if "none" in each and transform in each]
        rates = [each[transform]["log2_rate"] for each in both if each[transform]["reached"]]
        reached = [each for each in both if each["none"]["reached"] and each[transform]["reached"]]
        seconds = Mean.of(mean_by_picture(
            (each, Ratio(each["none"]["seconds"] / each[transform]["seconds"], "exact")) for each in reached
        ))  # fmt: skip
        faster = f"{sum(value > 1 for value in exact)} of {len(exact)}"
        row = (transform, mean, seconds, against(arms, transform, "rpp"), mean.n_pictures, faster)
        rate, p = float(statistics.median(rates)) if rates else None, f"{Signs.of(ratios).p:.2g}"
        rows.append((*row, rate, mean.median, mean.geometric, p))
    if not rows:
        return None
    rows.sort(key=lambda row: -row[1].value)  # pyright: ignore
    columns = ("transform", "times fewer steps than without", "times fewer seconds than without",
               "times fewer steps than with rpp", "n", "pictures with fewer steps than without",
               "median log2 of the best rate", "median times fewer steps", "geometric mean",
               "p of a sign test")  # fmt: skip
    notes = (
        "Over all pictures of all sets. Below 1, the transform costs steps or seconds. Seconds are those of the winning"
        " run, and noisy. The sign test is two-sided and asks whether as many pictures gain as lose steps; over so many"
        " transforms, one in twenty is below 0.05 by chance.",
    )
    return Table(f"transforms-{setup.name}", f"All transforms. {setup.title}", columns, tuple(rows), notes)


def against(arms: Iterable[Arms], transform: str, reference: str) -> Mean | None:
    """Mean ratio of the steps of another transform to those of this one."""
    renamed = [
        {"none": each[reference], transform: each[transform]}
        for each in arms
        if reference in each and transform in each
    ]
    return Mean.of(accelerations(renamed, transform))


def table_2(setup: Setup, images: dict) -> Table | None:
    """Mean steps to 30 and to 50 dB in the run that was fastest to 50 dB."""
    rows: list[tuple[Cell, ...]] = []
    for dataset, arms in by_dataset(having(images, BOTH, "milestones")).items():
        for transform in BOTH:
            both = [each for each in arms if {"30", "50"} <= each[transform]["milestones"].keys()]
            if not both:
                continue
            to_30, to_50 = (_at("milestones", transform, db) for db in ("30", "50"))
            means = (_mean(picture_means(both, value)) for value in (to_30, to_50, _ratio(to_30, to_50)))
            rows.append((dataset, transform, "ours", _n_pictures(both), *means))
            if setup.field == "siren" and published.dataset(dataset) == "kodak":
                known = published.STEPS[transform]
                rows.append((dataset, transform, "paper", 24, known["30"], known["50"], known["ratio"]))
    if not rows:
        return None
    columns = ("pictures", "transform", "source", "n", "steps to 30 dB", "steps to 50 dB", "mean of the ratios 30 / 50")
    notes = (f"Both from the run that is fastest to 50 dB. Ours: {setup.title}; {PAPER_SETUP}.",)
    return Table(f"table-2-{setup.name}", f"Table 2: steps to 30 and 50 dB. {setup.title}", columns, tuple(rows), notes)


def steps(setup: Setup, images: dict) -> Table | None:
    """Steps of every picture with every transform."""
    names = known_first(images.values())
    rows = [
        (key.dataset, key.title.removeprefix(f"{key.dataset} "), *(_steps(arms.get(transform)) for transform in names))
        for key, arms in images.items()
    ]
    title = f"Steps to {setup.target_db:g} dB of every picture. {setup.title}"
    return Table(f"steps-{setup.name}", title, ("pictures", "picture", *names), tuple(rows)) if rows else None


def _steps(row: Row | None) -> Cell:
    if row is None:
        return None
    return row["steps"] if row["reached"] else f"> {row['max_steps']}"


def table_3(setup: Setup, images: dict) -> Table | None:
    """Variance of the squared error where a PSNR is first reached."""
    levels = ("20", "30", "40", "50")
    rows: list[tuple[Cell, ...]] = []
    for dataset, transform, arms in _watched(images, "squared_error_variance"):
        is_papers = setup.field == "siren" and published.dataset(dataset) == "kodak"
        n = _n_pictures(arms)
        values = [_at("squared_error_variance", transform, db) for db in levels]
        rows.append((dataset, transform, "ours", n, *(_mean(picture_means(arms, value)) for value in values)))
        if is_papers and transform in published.VARIANCE:
            rows.append((dataset, transform, "paper", 24, *published.VARIANCE[transform].values()))
        if transform == "none":
            continue
        label = f"none / {transform}, mean of the ratios"
        plain = [_at("squared_error_variance", "none", db) for db in levels]
        ratios = (_mean(picture_means(arms, _ratio(*pair))) for pair in zip(plain, values, strict=True))
        rows.append((dataset, label, "ours", n, *ratios))
        if is_papers and transform == "rpp":
            rows.append((dataset, label, "paper", 24, *published.VARIANCE["ratio"].values()))
    if not rows:
        return None
    columns = ("pictures", "transform", "source", "n", *(f"at {db} dB" for db in levels))
    notes = (f"Variance over pixels of the squared error in linear light. Ours: {setup.title}; {PAPER_SETUP}.",)
    title = f"Table 3: variance of the squared error. {setup.title}"
    return Table(f"table-3-{setup.name}", title, columns, tuple(rows), notes)


def barrier(setup: Setup, images: dict) -> Table | None:
    """The lowest PSNR on the line between the weights at 30 and 50 dB."""
    rows: list[tuple[Cell, ...]] = []
    for dataset, transform, arms in _watched(images, "line"):
        lowest = picture_means(arms, lambda each, transform=transform: min(each[transform]["line"]))
        lowest_of_all = min(min(each[transform]["line"]) for each in arms)
        rows.append((dataset, transform, "ours", len(lowest), _mean(lowest), lowest_of_all))
        known = published.LOWEST_ON_LINE_DB.get(transform)
        if known and setup.field == "siren" and published.dataset(dataset) == "kodak":
            rows.append((dataset, transform, "paper", 24, known, None))
    if not rows:
        return None
    columns = ("pictures", "transform", "source", "n", "lowest PSNR in dB, mean", "lowest of all")
    title = f"Figure 6: the straight line from the weights at 30 dB to those at 50 dB. {setup.title}"
    return Table(f"barrier-{setup.name}", title, columns, tuple(rows), (f"Ours: {setup.title}; {PAPER_SETUP}.",))


def _watched(images: dict[ImageKey, Arms], key: str) -> Iterator[tuple[str, str, list[Arms]]]:
    """Dataset by dataset the transforms of fits that were watched, "none" first, with the pictures that have both."""
    for dataset in by_dataset(images):
        mine = {image: arms for image, arms in images.items() if image.dataset == dataset}
        for transform in known_first(mine.values()):
            both = having(mine, ("none", transform), key)
            if both:
                yield dataset, transform, list(both.values())


def _at(key: str, transform: str, db: str) -> Callable[[Arms], float | None]:
    """What a run with a transform has at a PSNR; None where it did not get there."""
    return lambda arms: arms[transform][key].get(db)


def _ratio(
    numerator: Callable[[Arms], float | None], denominator: Callable[[Arms], float | None]
) -> Callable[[Arms], float | None]:
    """None where one of the two is."""

    def ratio(arms: Arms) -> float | None:
        above, below = numerator(arms), denominator(arms)
        return None if above is None or below is None else above / below

    return ratio


def _n_pictures(arms: Iterable[Arms]) -> int:
    return len(picture_means(arms, lambda _: 1.0))


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return float(np.mean(found)) if found else None
