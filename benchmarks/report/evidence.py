"""What records say on the paper's question: mean accelerations by setting, dataset and transform, and the paper's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.paper import published
from benchmarks.paper.agreement import Agreement
from benchmarks.paper.arms import TABLE_1
from benchmarks.records.store import Row
from benchmarks.report.estimates import Mean
from benchmarks.report.grouping import Arms, Setup, accelerations, by_dataset, by_image, setups

FAR = 2.0
"""A mean that is so many times the paper's, or a part of it as small, counts as not explained."""


@dataclass(frozen=True)
class Setting:
    """A field, its size and its settings.

    Attributes:
        label: for people, without the field; no other setting of the field has it.
        means: the acceleration by dataset and transform, datasets in the paper's order.
    """

    setup: Setup
    label: str
    means: dict[str, dict[str, Mean]]

    @property
    def title(self) -> str:
        """With the field."""
        return f"{self.setup.family}, {self.label}"

    def n(self, dataset: str) -> int:
        """Pictures of a dataset, of the transform that has most."""
        return max(mean.n + mean.n_unknown for mean in self.means[dataset].values())

    def papers(self, dataset: str) -> dict[str, float]:
        """The paper's figures for this field and dataset, by transform; none for another PSNR than its own."""
        known = published.dataset(dataset) if self.setup.target_db == published.TARGET_DB else None
        return published.ACCELERATION.get((self.setup.field, known), {}) if known else {}


def settings(rows: Iterable[Row]) -> list[Setting]:
    """All settings with an acceleration: SIREN before Instant-NGP, small pictures before large ones, usual first."""
    found = {setup: _means(by_dataset(by_image(group))) for setup, group in setups(rows).items()}
    found = {setup: means for setup, means in found.items() if means}
    labels = Counter((setup.field, _label(setup)) for setup in found)
    return [
        Setting(setup, _label(setup, limits=labels[setup.field, _label(setup)] > 1), means)
        for setup, means in found.items()
    ]


def _label(setup: Setup, *, limits: bool = False) -> str:
    size = f"{setup.side} x {setup.side}"
    wide = [f"{setup.width} wide"] if setup.width not in (0, setup.side) else []
    target = [f"to {setup.target_db:g} dB"] if setup.target_db != published.TARGET_DB else []
    return ", ".join([size, *wide, *setup.chosen, *(setup.limits if limits else target)])


def _means(images: dict[str, list[Arms]]) -> dict[str, dict[str, Mean]]:
    found: dict[str, dict[str, Mean]] = {}
    for dataset, arms in images.items():
        names = dict.fromkeys(name for each in arms for name in each if name != "none")
        means = {name: Mean.of(accelerations(arms, name)) for name in names}
        known = {name: mean for name, mean in means.items() if mean is not None}
        if known:
            found[dataset] = known
    return found


def transforms(found: Sequence[Setting]) -> list[str]:
    """Those of the paper in its order, then others that at least half of the pictures of a setting were fitted with."""
    every: set[str] = set()
    usual: set[str] = set()
    for setting in found:
        n = sum(map(setting.n, setting.means))
        counts: Counter[str] = Counter()
        for means in setting.means.values():
            counts.update({name: mean.n + mean.n_unknown for name, mean in means.items()})
        every |= set(counts)
        usual |= {name for name, n_of in counts.items() if 2 * n_of >= n}
    return [name for name in TABLE_1 if name in every] + sorted(usual - set(TABLE_1))


class Wins(NamedTuple):
    """In how many settings and datasets a transform needs fewer steps than the picture as it is, on average."""

    transform: str
    n: int
    n_of: int


def wins(found: Sequence[Setting], transform: str) -> Wins:
    """A mean that is only an upper bound does not count as fewer steps."""
    means = [means[transform] for each in found for means in each.means.values() if transform in means]
    return Wins(transform, sum(mean.value > 1 and mean.sign in ("", ">=") for mean in means), len(means))


@dataclass(frozen=True)
class Nearness:
    """How near the accelerations of a setting come to the paper's.

    Attributes:
        ours, theirs: by transform, those that both have; ours may be bounds.
    """

    setting: Setting
    dataset: str
    ours: dict[str, Mean]
    theirs: dict[str, float]

    @property
    def same_side(self) -> list[str]:
        """Transforms that are on the same side of 1 as in the paper."""
        return [name for name, mean in self.ours.items() if (mean.value > 1) == (self.theirs[name] > 1)]

    @property
    def factors(self) -> dict[str, float]:
        """How many times ours is the paper's, or the paper's ours, whichever is over 1; the furthest first."""
        logs = {name: abs(math.log(mean.value / self.theirs[name])) for name, mean in self.ours.items()}
        return {name: math.exp(log) for name, log in sorted(logs.items(), key=lambda item: -item[1])}

    @property
    def distance(self) -> float:
        """The geometric mean of these factors."""
        return Agreement.of({name: mean.value for name, mean in self.ours.items()}, self.theirs).factor


def nearness(found: Iterable[Setting], field: str) -> list[Nearness]:
    """The settings of a field that were run with all of the paper's transforms on a dataset of its; the nearest first.

    Only the first dataset, in the paper's order, that any of them has.
    """
    each = [
        Nearness(setting, dataset, {name: means[name] for name in TABLE_1}, setting.papers(dataset))
        for setting in found
        for dataset, means in setting.means.items()
        if setting.setup.field == field and setting.papers(dataset) and set(TABLE_1) <= set(means)
    ]
    places = [name for name in published.DATASETS if any(published.dataset(one.dataset) == name for one in each)]
    first = [one for one in each if published.dataset(one.dataset) == places[0]] if places else []
    return sorted(first, key=lambda one: one.distance)
