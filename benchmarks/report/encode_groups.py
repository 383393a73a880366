"""Whole encodes: which may be compared with each other, and what each way to fit took against the reference."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.records.store import Row
from benchmarks.report.estimates import Mean, Ratio, mean_ratio
from benchmarks.report.grouping import ImageKey, asked_field, used_family
from benchmarks.report.table import Cell

TOGETHER = ("auto", "wavelet", "grid", "table")
"""Fields that are compared with each other: `auto` takes one of the others, `table` where pixels change places."""

DEFAULT_EFFORT = 5
"""Of `nfcodec encode`."""

SOLVED = "solved in closed form"
"""In place of a number of gradient steps, where none was taken."""


@dataclass(frozen=True, order=True)
class CodecSetup:
    """What the encodes of the study "codec" must share to be compared. Seconds only compare on one machine.

    Attributes:
        field: as asked for; the first of `TOGETHER` for all of these.
        side: 0 for pictures as they are.
    """

    field: str
    side: int
    gray: bool
    target_db: float
    effort: int
    processor: str
    threads: int

    @classmethod
    def of(cls, row: Row) -> CodecSetup:
        field = asked_field(row)
        return cls(
            TOGETHER[0] if field in TOGETHER else field, row["side"], row["gray"], row["target_db"], row["effort"],
            row.get("processor", ""), row.get("threads", 0),
        )  # fmt: skip

    @property
    def title(self) -> str:
        known = {"auto": "wavelet or grid, or table where pixels are moved", "siren": "SIREN", "ngp": "Instant-NGP"}
        name = known.get(self.field, f"field {self.field}")
        return f"{name}, {self.shape}, {self.target_db:g} dB, effort {self.effort}"

    @property
    def shape(self) -> str:
        size = f"{self.side} x {self.side}" if self.side else "whole pictures"
        return f"{size}, {'gray' if self.gray else 'RGB'}"

    @property
    def machine(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads != 1 else ''}" if self.threads else ""
        return ", ".join(part for part in (self.processor, threads) if part)

    @property
    def name(self) -> str:
        parts = (self.field, self.side or "whole", "gray" if self.gray else "rgb", f"{self.target_db:g}db")
        return "-".join(map(str, (*parts, f"effort{self.effort}"))).replace(".", "_")


def codec_setups(rows: Iterable[Row]) -> dict[CodecSetup, list[Row]]:
    """The rows of the study "codec" by set-up, in a fixed order of set-ups."""
    found: dict[CodecSetup, list[Row]] = {}
    for row in rows:
        if row["study"] == "codec":
            found.setdefault(CodecSetup.of(row), []).append(row)
    return dict(sorted(found.items()))


class Way(NamedTuple):
    """How pictures were fitted.

    Attributes:
        family: or several, as in "wavelet or grid", where `auto` took one for some pictures and another for others.
    """

    family: str
    transform: str


def ways(group: Sequence[Row]) -> list[Way]:
    """The way of each row of a set-up."""
    taken: dict[str, set[str]] = {}
    for row in group:
        if asked_field(row) == "auto":
            taken.setdefault(row["transform"], set()).add(used_family(row))

    def family(row: Row) -> str:
        if asked_field(row) != "auto":
            return used_family(row)
        return " or ".join(sorted(taken[row["transform"]], key=_place))

    return [Way(family(row), row["transform"]) for row in group]


def _place(family: str) -> tuple[int, str]:
    return (TOGETHER.index(family) if family in TOGETHER else len(TOGETHER)), family


@dataclass(frozen=True)
class Against:
    """What one way took, against the way that is the reference, on the pictures that have both.

    Attributes:
        is_reference: this is what the others are held against.
        n, n_reached: pictures, and those of them that reached the target.
        fit_steps, steps, seconds, bytes: means over pictures (of medians over repetitions, and means over seeds);
            gradient steps until the PSNR was reached, and with those after it, which make the file smaller.
        fit_steps_ratio, seconds_ratio, bytes_ratio: this over the reference with the same seed, mean over pictures. Of
            steps None where one of the two takes none; of bytes None where one of the two did not reach the target, as
            its files are of a worse quality. Steps and seconds of such encodes are bounds.
    """

    way: Way
    is_reference: bool
    n: int
    n_reached: int
    fit_steps: float
    steps: float
    seconds: float
    bytes: float
    fit_steps_ratio: Mean | None
    seconds_ratio: Mean | None
    bytes_ratio: Mean | None

    @property
    def steps_shown(self) -> str:
        """ "16, 70 in all", or that there were none."""
        if not self.steps:
            return SOLVED
        fit, every = round(self.fit_steps), round(self.steps)
        return f"{fit:,}" if fit == every else f"{fit:,}, {every:,} in all"

    @property
    def ratios(self) -> tuple[Cell, Cell, Cell]:
        """Of steps, seconds and bytes."""
        return (1, 1, 1) if self.is_reference else (self.fit_steps_ratio, self.seconds_ratio, self.bytes_ratio)


def compared(group: Sequence[Row]) -> list[Against]:
    """The ways of one set-up against its reference: no transform, by `auto` if that was run, else by `wavelet`."""
    found = ways(group)
    by_auto = {way for way, row in zip(found, group, strict=True) if asked_field(row) == "auto"}
    plain = sorted(
        dict.fromkeys(way for way in found if way.transform == "none"),
        key=lambda way: (way not in by_auto, way.family != "wavelet"),
    )
    if not plain:
        return []
    reference = plain[0]
    pictures: dict[ImageKey, dict[Way, list[Row]]] = {}
    for way, row in zip(found, group, strict=True):
        key = ImageKey(row["dataset"], row["image"], row.get("seed", 0))
        pictures.setdefault(key, {}).setdefault(way, []).append(row)
    compared: list[Against] = []
    for way in sorted(dict.fromkeys(found), key=lambda way: way != reference):
        both: dict[tuple[str, str], list[Pair]] = {}
        for key, runs in pictures.items():
            if {reference, way} <= set(runs):
                both.setdefault((key.dataset, key.image), []).append(Pair(runs[reference], runs[way]))
        if both:
            compared.append(_against(way, way == reference, list(both.values())))
    return compared


class Pair(NamedTuple):
    """The repetitions of two ways to fit a picture, with one seed."""

    reference: list[Row]
    rows: list[Row]


def _against(way: Way, is_reference: bool, pictures: Sequence[Sequence[Pair]]) -> Against:
    """Of several seeds of a picture the means."""

    def mean(key: str) -> float:
        return statistics.fmean(statistics.fmean(_median(pair.rows, key) for pair in seeds) for seeds in pictures)

    def ratio(key: str) -> Mean | None:
        found = [[_ratio(pair, key) for pair in seeds] for seeds in pictures]
        known = all(each.value for seeds in found for each in seeds)
        return Mean.of([mean_ratio(seeds) for seeds in found]) if known else None

    reached = sum(all(_reached(pair.rows) for pair in seeds) for seeds in pictures)
    all_reached = all(_reached(pair.rows) and _reached(pair.reference) for seeds in pictures for pair in seeds)
    return Against(
        way, is_reference, len(pictures), reached, mean("fit_steps"), mean("steps"), mean("encode_seconds"),
        mean("bytes"), ratio("fit_steps"), ratio("encode_seconds"), ratio("bytes") if all_reached else None,
    )  # fmt: skip


def _ratio(pair: Pair, key: str) -> Ratio:
    """Of what the repetitions took over what the reference took, 0 where one of the two took nothing."""
    ours, theirs = _median(pair.rows, key), _median(pair.reference, key)
    return Ratio.of(ours, _reached(pair.rows), theirs, _reached(pair.reference)) if theirs else Ratio(0.0, "exact")


def _reached(rows: Sequence[Row]) -> bool:
    return all(row["reached"] for row in rows)


def _median(rows: Sequence[Row], key: str) -> float:
    return float(statistics.median(row[key] for row in rows))
