"""Ratios over pictures: means with bootstrap intervals, medians, sign tests, and runs that were cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

RESAMPLES = 10_000
LEVEL = 0.95

LEAST = 5
"""Pictures that an interval takes: one of fewer looks surer than it is."""


@dataclass(frozen=True)
class Ratio:
    """steps(reference) / steps(arm). Where one of them hit the cap, `value` uses the cap and is only a bound.

    Attributes:
        value: the ratio, or the bound.
        kind: "exact"; "at most" (the arm did not arrive); "at least" (the reference did not); "unknown" (neither did).
    """

    value: float
    kind: str

    @classmethod
    def of(cls, reference: float, reference_reached: bool, arm: float, arm_reached: bool) -> Ratio:
        kinds = {(True, True): "exact", (True, False): "at most", (False, True): "at least"}
        return cls(reference / max(arm, 1e-9), kinds.get((reference_reached, arm_reached), "unknown"))


def mean_ratio(ratios: Sequence[Ratio]) -> Ratio:
    """Of one picture with several seeds, of those that are known.

    Where some are bounds, so is the mean; bounds both ways say nothing.
    """
    known = [ratio for ratio in ratios if ratio.kind != "unknown"] or ratios
    kinds = {ratio.kind for ratio in known} - {"exact"}
    kind = "exact" if not kinds else kinds.pop() if len(kinds) == 1 else "unknown"
    return Ratio(float(np.mean([ratio.value for ratio in known])), kind)


@dataclass(frozen=True)
class Mean:
    """A mean of ratios over pictures.

    Attributes:
        value: the mean; bounds count as if they were the ratios, unknown ones are left out.
        low, high: percentile bootstrap interval over pictures, 95 %; nan for fewer than `LEAST`.
        median, geometric: the median and the geometric mean of the same ratios.
        n: ratios in it; n_bounds: of them, those that are only bounds; n_unknown: those left out.
        sign: "" if all are exact, "<=" or ">=" if the mean is such a bound, "~" if bounds go both ways.
    """

    value: float
    low: float
    high: float
    median: float
    geometric: float
    n: int
    n_bounds: int
    n_unknown: int
    sign: str

    @property
    def n_pictures(self) -> int:
        """That were fitted, whether or not their ratio is known."""
        return self.n + self.n_unknown

    @property
    def is_over_1(self) -> bool:
        """Whether it is known to be, by the mean itself or as a lower bound."""
        return self.value > 1 and self.sign in ("", ">=")

    @classmethod
    def of(cls, ratios: Sequence[Ratio]) -> Mean | None:
        """None where nothing is known."""
        known = [ratio for ratio in ratios if ratio.kind != "unknown"]
        if not known:
            return None
        kinds = {ratio.kind for ratio in known} - {"exact"}
        sign = {(): "", ("at most",): "<=", ("at least",): ">="}.get(tuple(sorted(kinds)), "~")
        values = np.array([ratio.value for ratio in known])
        low, high = interval(values)
        n_bounds = sum(ratio.kind != "exact" for ratio in known)
        median, geometric = float(np.median(values)), float(np.exp(np.log(np.maximum(values, 1e-9)).mean()))
        n_unknown = len(ratios) - len(known)
        return cls(float(values.mean()), low, high, median, geometric, len(known), n_bounds, n_unknown, sign)

    def __str__(self) -> str:
        spread = f" [{self.low:.2f}, {self.high:.2f}]" if self.n >= LEAST else ""
        return f"{self.sign and self.sign + ' '}{self.value:.2f}{spread}"


@dataclass(frozen=True)
class Signs:
    """On how many pictures a transform takes fewer steps, and more: each picture is a pair of runs.

    Attributes:
        p: of an exact two-sided sign test: how likely so many pictures on one side are by chance; 1 for no pictures.
    """

    faster: int
    slower: int
    p: float

    @classmethod
    def of(cls, ratios: Sequence[Ratio]) -> Signs:
        """Of ratios that are known to be over 1 or under it; a bound may tell that, too."""
        faster = sum(ratio.value > 1 and ratio.kind in ("exact", "at least") for ratio in ratios)
        slower = sum(ratio.value < 1 and ratio.kind in ("exact", "at most") for ratio in ratios)
        p = float(binomtest(faster, faster + slower).pvalue) if faster + slower else 1.0
        return cls(faster, slower, p)


def interval(values: np.ndarray, resamples: int = RESAMPLES, level: float = LEVEL) -> tuple[float, float]:
    """The percentile bootstrap interval of a mean (Efron 1979), from a fixed seed; nan for under `LEAST` values."""
    if len(values) < LEAST:
        return float("nan"), float("nan")
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (resamples, len(values)))].mean(1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
