"""Bits against quality on Kodak: in bits a pixel, and against the strongest of the codecs that were run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.figures.curves import Axes, Drawn, Look, Place, Point, figure, mark
from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import Curve, mean_at_settings, mean_bpp_at, published
from benchmarks.records.store import Row
from benchmarks.report.rate_curves import curves_of, datasets, points_by_setting
from benchmarks.svg import text

DATASET, N_PICTURES = "kodak", 24
WAVELET, GRID, AUTO = f"{OURS} wavelet -e 5", f"{OURS} grid -e 5", f"{OURS} -e 5"
REFERENCE = "avif-psnr"
LOW_DB, HIGH_DB = 28, 46
GRID_DB = tuple(float(each) for each in np.arange(LOW_DB, HIGH_DB + 0.01, 0.5))
TICKS_DB = range(LOW_DB, HIGH_DB + 1, 3)
"""Above, AVIF comes near 49 dB, where 8 bits a sample in YCbCr end, and says little as a reference."""

MEASURED: dict[str, Look] = {
    "jxl": Look(("JPEG XL",), "jxl", mark="triangle"),
    "webp": Look(("WebP",), "webp", mark="cross"),
    "avif": Look(("AVIF from Pillow", "(4:4:4, speed 4)"), "avif", dashes="7 6", mark="cross"),
    REFERENCE: Look(("AVIF tuned for", "PSNR, slowest"), "avif", mark="triangle"),
    WAVELET: Look(("nfcodec, wavelet",), "ours", width=4, mark="dot"),
    GRID: Look(("nfcodec, grid",), "ours", width=4, mark="square"),
    AUTO: Look(("nfcodec, auto",), "ours", width=4, dashes="7 6", mark="dot"),
}

WHERE_ALL_ARE = (GRID, AUTO)
"""Drawn once there are records of all pictures."""

PUBLISHED: dict[str, Look] = {
    "VTM": Look(("VTM (published)",), "soft", 1.5, "2 4", "diamond"),
    "C3": Look(("C3 (published)",), "soft", 1.5, "2 4", "square"),
    "Cool-chic 5": Look(("Cool-chic 5 (published)",), "soft", 1.5, "2 4", "circle"),
}


def absolute(rows: Sequence[Row]) -> str:
    """Mean bits a pixel, on a logarithmic axis, at each PSNR."""
    places = {
        "jxl": Place(-6, -10, anchor="end"), "webp": Place(8, 6), "avif": Place(12, -22), REFERENCE: Place(12, 12),
        WAVELET: Place(12, 26), GRID: Place(12, 44), AUTO: Place(12, 62),
    }  # fmt: skip
    curves = [_drawn(name, tuple(means.items()), places[name]) for name, means in _means(rows).items()]
    key: list[str] = []
    for i, (name, look) in enumerate(PUBLISHED.items()):
        points = zip(published()[name].quality, published()[name].bpp, strict=True)
        inside = tuple((quality, bpp) for quality, bpp in points if LOW_DB <= quality <= HIGH_DB)
        curves.append(Drawn((), look, marks=inside))
        key += [
            mark(look.mark, (315, 322 + 24 * i)),
            text(328, 328 + 24 * i, look.label[0], kind="label", colour="soft"),
        ]
    ticks = {value: f"{value:g}" for value in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)}
    axes = Axes(LOW_DB, HIGH_DB, TICKS_DB, 0.09, 6.0, ticks, math.log)
    return figure(
        "Bits a pixel at each PSNR: less is better", axes, curves,
        ("24 Kodak pictures. Lines: every picture at that RGB PSNR. Published points:",
         "means at one setting, which take fewer bits than the same PSNR for every picture."), key,
    )  # fmt: skip


def relative(rows: Sequence[Row]) -> str:
    """Per cent more bits than the reference, at each PSNR; published means against means of the same kind."""
    places = {
        "jxl": Place(), "webp": Place(), "avif": Place(12, -8), REFERENCE: Place(12, 8), WAVELET: Place(12, 12),
        GRID: Place(12, 30), AUTO: Place(12, 48),
        "VTM": Place(12, 0), "C3": Place(4, -12, 30.5), "Cool-chic 5": Place(0, 27, 30),
    }  # fmt: skip
    means = _means(rows)
    base, at_settings = means[REFERENCE], mean_at_settings(points_by_setting(of_kodak(rows), REFERENCE))
    curves: list[Drawn] = []
    for name, look in PUBLISHED.items():
        qualities = [quality for quality in published()[name].quality if LOW_DB <= quality <= HIGH_DB]
        lines, marks = (_against(published()[name], at_settings, each) for each in (GRID_DB, qualities))
        curves.append(Drawn(lines, look, places[name], marks))
    for name, rates in means.items():
        points = ((quality, 100 * (bpp / base[quality] - 1)) for quality, bpp in rates.items() if quality in base)
        curves.append(_drawn(name, tuple(points), places[name]))
    below = {float(tick): f"{base[tick]:.2f}" for tick in TICKS_DB if tick in base}
    ticks = {float(value): f"{value:+} %" if value else "equal" for value in range(-20, 81, 20)}
    meaning = ("bits a pixel of AVIF", "tuned for PSNR")
    axes = Axes(LOW_DB, HIGH_DB, TICKS_DB, -36, 84, ticks, below=below, meaning=meaning)
    return figure(
        "Bits compared with AVIF tuned for PSNR: lower is better", axes, curves,
        ("24 Kodak pictures, each at the same RGB PSNR with every codec.",
         "Published points: means at one setting, against AVIF's means at one setting."),
    )  # fmt: skip


def _drawn(name: str, points: tuple[Point, ...], place: Place) -> Drawn:
    """A curve of a codec that was run, with marks at the ticks."""
    return Drawn(points, MEASURED[name], place, tuple(point for point in points if point[0] in TICKS_DB))


def _against(curve: Curve, base: Curve, qualities: Sequence[float]) -> tuple[Point, ...]:
    """Per cent more bits than another curve, where both are."""
    pairs = ((quality, curve.bpp_at(quality), base.bpp_at(quality)) for quality in qualities)
    return tuple((q, 100 * (bpp / other - 1)) for q, bpp, other in pairs if bpp is not None and other is not None)


def of_kodak(rows: Sequence[Row]) -> list[Row]:
    """Files at given qualities, of the pictures that the figures are about."""
    return datasets(rows).get(DATASET, [])


def _means(rows: Sequence[Row]) -> dict[str, dict[float, float]]:
    """Mean rate by codec and PSNR, where all pictures get there.

    Raises:
        ValueError: a codec that has to be there is not there with all pictures.
    """
    by_codec = curves_of(of_kodak(rows), "psnr_db")
    found: dict[str, dict[float, float]] = {}
    for name in MEASURED:
        curves = list(by_codec.get(name, {}).values())
        if len(curves) != N_PICTURES and name in WHERE_ALL_ARE:
            continue
        if len(curves) != N_PICTURES:
            raise ValueError(f"the records have {len(curves)} Kodak pictures of {name}, not {N_PICTURES}")
        rates = {quality: mean_bpp_at(curves, quality) for quality in GRID_DB}
        found[name] = {quality: rate for quality, rate in rates.items() if rate is not None}
    return found
