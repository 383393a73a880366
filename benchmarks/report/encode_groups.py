"""Whole encodes: which may be compared with each other, and what each way to fit took against the reference."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.records.store import Row
from benchmarks.report.estimates import Mean, Ratio
from benchmarks.report.grouping import ImageKey, asked_field, used_family
from benchmarks.report.table import Cell

TOGETHER = ("auto", "wavelet", "table")
"""Fields that are compared with each other: `wavelet` where pixels keep their places, and `table` where they do not."""

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
        known = {"auto": "wavelet, or table where pixels are moved", "siren": "SIREN", "ngp": "Instant-NGP"}
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
    """How a picture was fitted."""

    family: str
    transform: str


@dataclass(frozen=True)
class Against:
    """What one way took, against the way that is the reference, on the pictures that have both.

    Attributes:
        is_reference: this is what the others are held against.
        n, n_reached: pictures, and those of them that reached the target.
        fit_steps, steps, seconds, bytes: means over pictures (of medians over repetitions); gradient steps until the
            PSNR was reached, and with those after it, which make the file smaller.
        fit_steps_ratio, seconds_ratio, bytes_ratio: this over the reference, mean over pictures; of steps None where
            one of the two takes none.
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
    seconds_ratio: Mean
    bytes_ratio: Mean

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
    """The ways of one set-up against its reference: no transform, of `wavelet` if there are several such."""
    pictures: dict[ImageKey, dict[Way, list[Row]]] = {}
    for row in group:
        way = Way(used_family(row), row["transform"])
        pictures.setdefault(ImageKey(row["dataset"], row["image"]), {}).setdefault(way, []).append(row)
    ways = list(dict.fromkeys(way for arms in pictures.values() for way in arms))
    plain = sorted((way for way in ways if way.transform == "none"), key=lambda way: way.family != "wavelet")
    found: list[Against] = []
    for way in sorted(ways, key=lambda way: way not in plain[:1]):
        both = [(arms[plain[0]], arms[way]) for arms in pictures.values() if plain and {plain[0], way} <= set(arms)]
        if both:
            found.append(_against(way, way == plain[0], both))
    return found


def _against(way: Way, is_reference: bool, both: Sequence[tuple[list[Row], list[Row]]]) -> Against:
    def mean(key: str) -> float:
        return statistics.fmean(_median(rows, key) for _, rows in both)

    def ratio(key: str) -> Mean | None:
        pairs = [(_median(rows, key), _median(reference, key)) for reference, rows in both]
        return Mean.of([Ratio(a / b, "exact") for a, b in pairs]) if all(a and b for a, b in pairs) else None

    seconds, size = ratio("encode_seconds"), ratio("bytes")
    assert seconds is not None
    assert size is not None
    reached = sum(all(row["reached"] for row in rows) for _, rows in both)
    return Against(
        way, is_reference, len(both), reached, mean("fit_steps"), mean("steps"), mean("encode_seconds"), mean("bytes"),
        ratio("fit_steps"), seconds, size,
    )  # fmt: skip


def _median(rows: Sequence[Row], key: str) -> float:
    return float(statistics.median(row[key] for row in rows))
