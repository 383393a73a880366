"""How near a setting comes to the paper's row of Table 1: by the signs of logarithms of accelerations, and by distance.

The sign says whether a transform speeds fits up or slows them down. The distance is the mean over the transforms of
|ln ours - ln the paper's|, given as a factor: with 1.5, ours are half as much again or a third less, on geometric mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.paper.arms import TABLE_1


@dataclass(frozen=True)
class Agreement:
    """Of one setting with a row of the paper.

    Attributes:
        same: transforms on the same side of 1 in both; n: transforms that were compared.
        factor: exp of the mean distance; 1 is the same row.
        farthest: the transform that is farthest off.
    """

    same: int
    n: int
    factor: float
    farthest: str

    @classmethod
    def of(cls, ours: Mapping[str, float], papers: Mapping[str, float]) -> Agreement:
        """Of mean accelerations by transform.

        Raises:
            ValueError: one of the ten transforms is missing, or an acceleration is not over 0.
        """
        missing = [name for name in TABLE_1 if name not in ours]
        if missing:
            raise ValueError(f"without {', '.join(missing)} there is no row to compare with the paper's")
        distances = {name: abs(math.log(ours[name]) - math.log(papers[name])) for name in TABLE_1}
        same = sum((ours[name] > 1) == (papers[name] > 1) for name in TABLE_1)
        factor = math.exp(sum(distances.values()) / len(TABLE_1))
        return cls(same, len(TABLE_1), factor, max(distances, key=lambda name: distances[name]))

    def __str__(self) -> str:
        return f"{self.same} of {self.n} on the paper's side of 1, off by a factor of {self.factor:.2f} on average"
