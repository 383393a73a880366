"""What records say on the paper's question: mean accelerations by setting, dataset and transform, and the paper's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.paper import published
from benchmarks.paper.arms import ARMS, TABLE_1
from benchmarks.records.store import Row
from benchmarks.report.estimates import Mean
from benchmarks.report.grouping import Arms, Setup, accelerations, by_dataset, by_image, setups

FAR = 2.0
"""A mean that is so many times the paper's, or a part of it as small, counts as not explained."""

FEWEST = 4
"""Pictures that a mean is over to count in the verdict, and to be named as the highest, where any has so many."""


@dataclass(frozen=True)
class Setting:
    """A field, its size and its settings.

    Attributes:
        label: for people, without the field; no other setting of the field has it.
        means: the acceleration by dataset and transform, datasets in the paper's order.
        complete: the same over those pictures alone that were fitted with all transforms of the paper.
    """

    setup: Setup
    label: str
    means: dict[str, dict[str, Mean]]
    complete: dict[str, dict[str, Mean]]

    @property
    def title(self) -> str:
        """With the field."""
        return f"{self.setup.family}, {self.label}"

    def n(self, dataset: str) -> int:
        """Pictures of a dataset, of the transform that has most."""
        return max(mean.n_pictures for mean in self.means[dataset].values())

    def papers(self, dataset: str) -> dict[str, float]:
        """The paper's figures for this field and dataset, by transform; none for another PSNR than its own."""
        known = published.dataset(dataset) if self.setup.target_db == published.TARGET_DB else None
        return published.ACCELERATION.get((self.setup.field, known), {}) if known else {}


def settings(rows: Iterable[Row]) -> list[Setting]:
    """All settings with an acceleration: SIREN before Instant-NGP, small pictures before large ones, usual first."""
    groups = {setup: by_dataset(by_image(group)) for setup, group in setups(rows).items()}
    found = {setup: means for setup, images in groups.items() if (means := _means(images))}
    labels = Counter((setup.field, _label(setup)) for setup in found)
    return [
        Setting(setup, _label(setup, limits=labels[setup.field, _label(setup)] > 1), means, _means(groups[setup], ARMS))
        for setup, means in found.items()
    ]


def _label(setup: Setup, *, limits: bool = False) -> str:
    size = f"{setup.side} x {setup.side}"
    wide = [f"{setup.width} wide"] if setup.width not in (0, setup.side) else []
    target = [f"to {setup.target_db:g} dB"] if setup.target_db != published.TARGET_DB else []
    return ", ".join([size, *wide, *setup.chosen, *(setup.limits if limits else target)])


def _means(images: dict[str, list[Arms]], needed: Sequence[str] = ()) -> dict[str, dict[str, Mean]]:
    """By dataset and transform, over the pictures that were fitted with all that are needed."""
    found: dict[str, dict[str, Mean]] = {}
    for dataset, every in images.items():
        arms = [each for each in every if set(needed) <= set(each)]
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
            counts.update({name: mean.n_pictures for name, mean in means.items()})
        every |= set(counts)
        usual |= {name for name, n_of in counts.items() if 2 * n_of >= n}
    return [name for name in TABLE_1 if name in every] + sorted(usual - set(TABLE_1))


class Wins(NamedTuple):
    """In how many settings and datasets a transform needs fewer steps than the picture as it is, on average."""

    transform: str
    n: int
    n_of: int


def wins(found: Sequence[Setting], transform: str, fewest: int = 1) -> Wins:
    """Of means over so many pictures or more; one that is only an upper bound does not count as fewer steps."""
    every = [means[transform] for each in found for means in each.means.values() if transform in means]
    means = [mean for mean in every if mean.n_pictures >= fewest]
    return Wins(transform, sum(mean.is_over_1 for mean in means), len(means))


@dataclass(frozen=True)
class Nearness:
    """How near a setting comes to the paper's row of Table 1, over the pictures fitted with all of its transforms.

    Attributes:
        ours, theirs: accelerations by transform, all ten; ours may be bounds.
    """

    setting: Setting
    dataset: str
    ours: dict[str, Mean]
    theirs: dict[str, float]

    @property
    def n(self) -> int:
        """Pictures."""
        return max(mean.n_pictures for mean in self.ours.values())

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
        return math.exp(sum(map(math.log, self.factors.values())) / len(self.factors))


def nearness_by_dataset(found: Iterable[Setting]) -> dict[tuple[str, str], list[Nearness]]:
    """By field and dataset of the paper, in its order: the settings with all ten transforms, the nearest first."""
    each: dict[tuple[str, str], list[Nearness]] = {key: [] for key in published.ACCELERATION}
    for setting in found:
        for dataset, means in setting.complete.items():
            if (papers := setting.papers(dataset)) and set(TABLE_1) <= set(means):
                ours = {name: means[name] for name in TABLE_1}
                key = setting.setup.field, published.dataset(dataset) or ""
                each[key].append(Nearness(setting, dataset, ours, papers))
    return {key: sorted(group, key=lambda one: one.distance) for key, group in each.items() if group}


def nearness(found: Iterable[Setting], field: str) -> list[Nearness]:
    """Of a field, for the first of the paper's datasets that any of its settings has."""
    return next((group for key, group in nearness_by_dataset(found).items() if key[0] == field), [])
