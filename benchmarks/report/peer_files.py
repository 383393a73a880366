"""Records of files made at a peer's PSNRs: grouped by how they were encoded, and their bits over those of others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.rates.curves import Curve
from benchmarks.rates.peers import LOWEST_DB
from benchmarks.records.store import Row
from benchmarks.report.estimates import interval
from benchmarks.report.rate_curves import name_of

Ratios = dict[str, float]
"""Bits over those of something else by picture: 1.1 for 10 % more."""


@dataclass(frozen=True)
class Ours:
    """The files of one way to encode.

    Attributes:
        name: of it.
        files: records by picture and number of the peer's point; no picture is without any.
    """

    name: str
    files: Mapping[str, Mapping[int, Row]]

    @property
    def rows(self) -> list[Row]:
        return [row for points in self.files.values() for row in points.values()]

    def where(self, wanted: Callable[[str, Row], bool]) -> Ours:
        """Only the files of which this is true, by picture and record."""
        kept = {
            image: {number: row for number, row in points.items() if wanted(image, row)}
            for image, points in self.files.items()
        }
        return Ours(self.name, {image: points for image, points in kept.items() if points})

    def counted(self) -> Ours:
        """Without those for a PSNR that is too low to be counted."""
        return self.where(lambda _, row: row["target_db"] >= LOWEST_DB)

    @property
    def numbers(self) -> list[int]:
        """The points at which there is a file of any picture."""
        return sorted({number for points in self.files.values() for number in points})

    def complete(self, published: Mapping[str, Collection[int]]) -> Ours:
        """Only the pictures that have a file at each of `numbers`, as far as it is a published point of theirs."""
        numbers = set(self.numbers)
        return self.where(lambda image, _: numbers & set(published[image]) <= set(self.files[image]))

    def curves(self) -> dict[str, Curve]:
        """By picture."""
        return {
            image: Curve.of((row["bpp"], row["psnr_db"]) for row in points.values())
            for image, points in self.files.items()
        }


def by_name(rows: Iterable[Row]) -> list[Ours]:
    """Records of the study "peer", of one peer and dataset, by the way to encode."""
    found: dict[str, dict[str, dict[int, Row]]] = {}
    for row in sorted(rows, key=lambda row: (row["image"], row["point"])):
        found.setdefault(name_of(row), {}).setdefault(row["image"], {})[row["point"]] = row
    return [Ours(name, files) for name, files in sorted(found.items())]


def over(ours: Ours, other_bpp: Callable[[str, int, Row], float | None]) -> Ratios:
    """The geometric mean over the files of each picture; files without another rate are left out.

    Args:
        other_bpp: the rate that a file is held against, by picture, number of the point and record.
    """
    found: Ratios = {}
    for image, points in ours.files.items():
        pairs = [(row["bpp"], other_bpp(image, number, row)) for number, row in points.items()]
        logs = [np.log(bpp / other) for bpp, other in pairs if other is not None]
        if logs:
            found[image] = float(np.exp(np.mean(logs)))
    return found


def over_peer(ours: Ours) -> Ratios:
    """Bits over the peer's, at its own PSNRs."""
    return over(ours, lambda image, number, row: row["peer_bpp"])


def over_curves(ours: Ours, curves: Mapping[str, Curve]) -> Ratios:
    """Bits over those of curves by picture, at the PSNRs that our files have."""
    return over(ours, lambda image, number, row: curves[image].bpp_at(row["psnr_db"]) if image in curves else None)


def over_ours(ours: Ours, others: Ours) -> Ratios:
    """Bits over those of others of our files, at the targets that both have."""
    return over(ours, lambda image, number, row: others.files.get(image, {}).get(number, {}).get("bpp"))


def geometric(ratios: Ratios) -> str | None:
    """Their geometric mean in per cent, with a 95 % bootstrap interval over pictures where there are several."""
    if not ratios:
        return None
    logs = np.log(list(ratios.values()))
    return spread(*np.expm1([logs.mean(), *interval(logs)]) * 100)


def arithmetic(percents: Sequence[float]) -> str | None:
    """The mean of values in per cent, such as BD-rates, with the same interval."""
    return spread(float(np.mean(percents)), *interval(np.array(percents))) if percents else None


def spread(mean: float, low: float, high: float) -> str:
    """A mean in per cent, and its interval if there is one."""
    return f"{mean:+.1f} %" + ("" if np.isnan(low) else f" [{low:+.1f}, {high:+.1f}]")


def extreme(ratios: Ratios, pick: Callable[..., str]) -> str | None:
    """Of the picture with the least (`min`) or the most (`max`), and which that is."""
    if not ratios:
        return None
    image = pick(ratios, key=lambda image: ratios[image])
    return f"{100 * (ratios[image] - 1):+.1f} % ({image})"
