"""Rate-distortion curves of pictures, their means, and BD-rates (Bjontegaard)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import bjontegaard
import numpy as np
from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

BD_METHOD = "akima"
"""Of interpolation between the points, as the package `bjontegaard` recommends."""

CLOSE = 0.25
"""In dB: how far a file that was made for a PSNR may be above it, and still be the one for that PSNR."""


@dataclass(frozen=True)
class Curve:
    """Points of one codec on one picture, or published means: both increase.

    Attributes:
        bpp: bits a pixel.
        quality: PSNR in dB, or another measure that is higher for better.
    """

    bpp: tuple[float, ...]
    quality: tuple[float, ...]

    @classmethod
    def of(cls, points: Iterable[tuple[float, float]]) -> Curve:
        """From (bpp, quality); a point that another one beats in both is left out."""
        kept: list[tuple[float, float]] = []
        for bpp, quality in sorted(points, key=lambda point: (point[0], -point[1])):
            if not kept or quality > kept[-1][1]:
                kept.append((bpp, quality))
        return cls(tuple(bpp for bpp, _ in kept), tuple(quality for _, quality in kept))

    def bpp_at(self, quality: float) -> float | None:
        """Between the points a monotone cubic (PCHIP) in the logarithm of the rate; None outside of them.

        Straight lines between points that are far apart would run below the curve. The first point also stands for what
        is at most `CLOSE` below it: files made for a PSNR are just over it.
        """
        if not self.quality or not self.quality[0] - CLOSE <= quality <= self.quality[-1]:
            return None
        if quality <= self.quality[0]:
            return self.bpp[0]
        return float(np.exp(PchipInterpolator(self.quality, np.log(self.bpp))(quality)))

    def quality_at(self, bpp: float) -> float | None:
        """The same the other way round; None outside of the points."""
        if not self.bpp or not self.bpp[0] <= bpp <= self.bpp[-1]:
            return None
        if bpp == self.bpp[0]:
            return self.quality[0]
        return float(PchipInterpolator(np.log(self.bpp), self.quality)(np.log(bpp)))


def mean_bpp_at(curves: Sequence[Curve], quality: float) -> float | None:
    """The mean over pictures; None if one of the curves does not get there."""
    rates = [curve.bpp_at(quality) for curve in curves]
    return float(np.mean([rate for rate in rates if rate is not None])) if rates and None not in rates else None


def bd_rate(reference: Curve, test: Curve) -> float | None:
    """Per cent more bits than the reference at equal quality, on average; None without four points or an overlap."""
    low, high = (pick(end(reference.quality), end(test.quality)) for pick, end in ((max, min), (min, max)))
    if min(len(reference.bpp), len(test.bpp)) < 4 or low >= high:
        return None
    axes = (list(each) for curve in (reference, test) for each in (curve.bpp, curve.quality))
    found = bjontegaard.bd_rate(*axes, method=BD_METHOD, require_matching_points=False, min_overlap=0.0)
    return float(found)  # pyright: ignore[reportArgumentType]


def bd_rate_within(reference: Curve, test: Curve, low: float, high: float) -> float | None:
    """The same between two qualities: over what both curves cover of that range; None if that is less than half of it.

    Between the points, the logarithm of the rate is interpolated as `bd_rate` does it.
    """
    start, end = max(low, reference.quality[0], test.quality[0]), min(high, reference.quality[-1], test.quality[-1])
    if min(len(reference.bpp), len(test.bpp)) < 4 or end - start < (high - low) / 2:
        return None
    area, base = (
        float(Akima1DInterpolator(curve.quality, np.log(curve.bpp)).integrate(start, end))
        for curve in (test, reference)
    )
    return 100 * float(np.expm1((area - base) / (end - start)))


def mean_at_settings(points: Mapping[float, Sequence[tuple[float, float]]]) -> Curve:
    """The curve of the means that others publish: mean bpp and mean quality of all pictures at each setting.

    It takes fewer bits than `mean_bpp_at` the same quality, because at one setting pictures that are hard to compress
    are left with less quality than others.
    """
    n = max(map(len, points.values()))
    return Curve.of(
        (fmean(b for b, _ in each), fmean(q for _, q in each)) for each in points.values() if len(each) == n
    )


def published() -> dict[str, Curve]:
    """Curves that others published for the 24 Kodak pictures: mean bpp, mean PSNR. Sources are in the file."""
    data = json.loads(Path(__file__).with_name("published_kodak.json").read_text(encoding="utf-8"))
    return {name: Curve(tuple(each["bpp"]), tuple(each["psnr_db"])) for name, each in data.items()}


def published_by_picture() -> dict[str, dict[str, Curve]]:
    """Curves that others published for each of the 24 Kodak pictures, by name and picture. Sources are in the file."""
    data = json.loads(Path(__file__).with_name("published_kodak_pictures.json").read_text(encoding="utf-8"))
    return {
        name: {image: Curve.of(zip(*points, strict=True)) for image, points in each["pictures"].items()}
        for name, each in data.items()
    }
