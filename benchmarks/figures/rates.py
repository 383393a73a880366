"""Bits against quality on Kodak: in bits a pixel, and against the strongest of the codecs that were run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.rates.codecs import OURS
from benchmarks.rates.curves import Curve, mean_at_settings, mean_bpp_at, published
from benchmarks.records.store import Row
from benchmarks.report.rate_curves import curves_of, datasets, points_by_setting
from benchmarks.svg import document, line, number, polyline, text

N_PICTURES = 24
OURS_USUAL = f"{OURS} -e 5"
REFERENCE = "avif-psnr"
LOW_DB, HIGH_DB = 28, 46
GRID_DB = tuple(float(each) for each in np.arange(LOW_DB, HIGH_DB + 0.01, 0.5))
TICKS_DB = range(LOW_DB, HIGH_DB + 1, 3)
"""Above, AVIF comes near 49 dB, where 8 bits a sample in YCbCr end, and says little as a reference."""

WIDTH = 700
LEFT, RIGHT, TOP, BOTTOM = 74, 500, 56, 420
"""Where the plots begin and end; labels stand to the right of them."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Look:
    """How a curve is drawn.

    Attributes:
        label: lines of text.
        colour: a name of `svg.COLOURS`.
        mark: of published points.
    """

    label: tuple[str, ...]
    colour: str
    width: float = 2.5
    dashes: str = ""
    mark: str = ""


MEASURED: dict[str, Look] = {
    "jxl": Look(("JPEG XL",), "jxl"),
    "webp": Look(("WebP",), "webp"),
    "avif": Look(("AVIF from Pillow", "(4:4:4, speed 4)"), "avif", dashes="7 6"),
    REFERENCE: Look(("AVIF tuned for", "PSNR, slowest"), "avif"),
    OURS_USUAL: Look(("nfcodec",), "ours", width=4),
}

PUBLISHED: dict[str, Look] = {
    "VTM": Look(("VTM (published)",), "soft", 1.5, "2 4", "diamond"),
    "C3": Look(("C3 (published)",), "soft", 1.5, "2 4", "square"),
    "Cool-chic 5": Look(("Cool-chic 5 (published)",), "soft", 1.5, "2 4", "circle"),
}


@dataclass(frozen=True)
class Place:
    """Where the label of a curve stands: pixels right and down of the curve at a PSNR, or of its end."""

    right: float = 12
    down: float = 5
    at_db: float | None = None
    anchor: str = "start"


@dataclass(frozen=True)
class Drawn:
    """A curve in the units of its figure: (PSNR in dB, value); `marks` are single points."""

    points: tuple[Point, ...]
    look: Look
    place: Place = Place()
    marks: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Axes:
    """The frame of a figure, PSNR from left to right.

    Attributes:
        low, high: of the other axis; `scale` makes it even.
        ticks: values and what is written beside them.
        below: a second row of figures under the ticks of the PSNR.
    """

    low: float
    high: float
    ticks: Mapping[float, str]
    scale: Callable[[float], float] = float
    below: Mapping[int, str] = field(default_factory=dict[int, str])

    def at(self, point: Point) -> Point:
        """Where a point is drawn."""
        quality, value = point
        low, high, here = (self.scale(each) for each in (self.low, self.high, value))
        x = LEFT + (quality - LOW_DB) / (HIGH_DB - LOW_DB) * (RIGHT - LEFT)
        return x, BOTTOM - (here - low) / (high - low) * (BOTTOM - TOP)

    def drawn(self) -> list[str]:
        """Lines and figures."""
        parts: list[str] = []
        for value, words in self.ticks.items():
            _, y = self.at((LOW_DB, value))
            parts += [line(LEFT, y, RIGHT, y), text(LEFT - 8, y + 5, words, kind="tick", anchor="end")]
        for tick in TICKS_DB:
            x, _ = self.at((tick, self.low))
            parts += [line(x, TOP, x, BOTTOM), text(x, BOTTOM + 20, f"{tick}", kind="tick", anchor="middle")]
            if tick in self.below:
                parts.append(text(x, BOTTOM + 40, self.below[tick], kind="soft", anchor="middle"))
        parts.append(text(RIGHT + 28, BOTTOM + 20, "PSNR in dB", kind="tick"))
        if self.below:
            parts.append(text(RIGHT + 28, BOTTOM + 40, "bits a pixel of AVIF", kind="soft"))
            parts.append(text(RIGHT + 28, BOTTOM + 57, "tuned for PSNR", kind="soft"))
        return parts


def absolute(rows: Sequence[Row]) -> str:
    """Mean bits a pixel, on a logarithmic axis, at each PSNR."""
    places = {
        "jxl": Place(-6, -10, anchor="end"), "webp": Place(8, 6), "avif": Place(12, -22), REFERENCE: Place(12, 12),
        OURS_USUAL: Place(12, 26),
    }  # fmt: skip
    curves = [Drawn(tuple(means.items()), MEASURED[name], places[name]) for name, means in _means(rows).items()]
    key: list[str] = []
    for i, (name, look) in enumerate(PUBLISHED.items()):
        points = zip(published()[name].quality, published()[name].bpp, strict=True)
        inside = tuple((quality, bpp) for quality, bpp in points if LOW_DB <= quality <= HIGH_DB)
        curves.append(Drawn((), look, marks=inside))
        key += [
            _mark(look.mark, (315, 322 + 24 * i)),
            text(328, 328 + 24 * i, look.label[0], kind="label", colour="soft"),
        ]
    axes = Axes(0.09, 6.0, {value: f"{value:g}" for value in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)}, math.log)
    return _figure(
        "Bits a pixel at each PSNR: less is better", axes, curves,
        ("24 Kodak pictures. Lines: every picture at that RGB PSNR. Published points:",
         "means at one setting, which take fewer bits than the same PSNR for every picture."), key,
    )  # fmt: skip


def relative(rows: Sequence[Row]) -> str:
    """Per cent more bits than the reference, at each PSNR; published means against means of the same kind."""
    places = {
        "jxl": Place(), "webp": Place(), "avif": Place(12, -8), REFERENCE: Place(12, 8), OURS_USUAL: Place(12, 12),
        "VTM": Place(12, 0), "C3": Place(4, -12, 30.5), "Cool-chic 5": Place(0, 27, 30),
    }  # fmt: skip
    means = _means(rows)
    base, at_settings = means[REFERENCE], mean_at_settings(points_by_setting(rows, REFERENCE))
    curves: list[Drawn] = []
    for name, look in PUBLISHED.items():
        qualities = [quality for quality in published()[name].quality if LOW_DB <= quality <= HIGH_DB]
        lines, marks = (_against(published()[name], at_settings, each) for each in (GRID_DB, qualities))
        curves.append(Drawn(lines, look, places[name], marks))
    for name, look in MEASURED.items():
        points = ((quality, 100 * (bpp / base[quality] - 1)) for quality, bpp in means[name].items() if quality in base)
        curves.append(Drawn(tuple(points), look, places[name]))
    below = {tick: f"{base[tick]:.2f}" for tick in TICKS_DB if tick in base}
    ticks = {float(value): f"{value:+} %" if value else "equal" for value in range(-20, 81, 20)}
    return _figure(
        "Bits compared with AVIF tuned for PSNR: lower is better", Axes(-36, 84, ticks, below=below), curves,
        ("24 Kodak pictures, each at the same RGB PSNR with every codec.",
         "Published points: means at one setting, against AVIF's means at one setting."),
    )  # fmt: skip


def _against(curve: Curve, base: Curve, qualities: Sequence[float]) -> tuple[Point, ...]:
    """Per cent more bits than another curve, where both are."""
    pairs = ((quality, curve.bpp_at(quality), base.bpp_at(quality)) for quality in qualities)
    return tuple((q, 100 * (bpp / other - 1)) for q, bpp, other in pairs if bpp is not None and other is not None)


def _means(rows: Sequence[Row]) -> dict[str, dict[float, float]]:
    """Mean rate by codec and PSNR, where all pictures get there.

    Raises:
        ValueError: a codec is not there with all pictures.
    """
    by_codec = curves_of(datasets(rows).get("kodak", []), "psnr_db")
    found: dict[str, dict[float, float]] = {}
    for name in MEASURED:
        curves = list(by_codec.get(name, {}).values())
        if len(curves) != N_PICTURES:
            raise ValueError(f"the records have {len(curves)} Kodak pictures of {name}, not {N_PICTURES}")
        rates = {quality: mean_bpp_at(curves, quality) for quality in GRID_DB}
        found[name] = {quality: rate for quality, rate in rates.items() if rate is not None}
    return found


def _figure(title: str, axes: Axes, curves: Sequence[Drawn], notes: Sequence[str], key: Sequence[str] = ()) -> str:
    """Curves in their frame, notes below it; labels are drawn last, so that no line crosses them."""
    lines, labels = list[str](), list[str]()
    for each in curves:
        look, place = each.look, each.place
        if each.points:
            lines.append(polyline(map(axes.at, each.points), look.colour, width=look.width, dashes=look.dashes))
            wanted = dict(each.points).get(place.at_db) if place.at_db else None
            x, y = axes.at(each.points[-1] if wanted is None else (place.at_db or 0, wanted))
            for i, words in enumerate(look.label):
                height = y + place.down + 17 * i - 8.5 * (len(look.label) - 1)
                kind = "label bold" if look.colour == "ours" else "label"
                labels.append(text(x + place.right, height, words, kind=kind, anchor=place.anchor, colour=look.colour))
        lines += [_mark(look.mark, axes.at(point)) for point in each.marks]
    foot = BOTTOM + (84 if axes.below else 52)
    said = [text(20, foot + 20 * i, words, kind="soft") for i, words in enumerate(notes)]
    parts = [text(20, 34, title, kind="title"), *axes.drawn(), *lines, *labels, *key, *said]
    return document(WIDTH, foot + 20 * len(notes), title, " ".join(notes), parts)


def _mark(kind: str, at: Point) -> str:
    """A published point."""
    x, y = at
    style = 'style="fill: var(--ground); stroke: var(--soft)" stroke-width="2"'
    match kind:
        case "circle":
            return f'<circle cx="{number(x)}" cy="{number(y)}" r="4.5" {style}/>'
        case "square":
            return f'<rect x="{number(x - 4)}" y="{number(y - 4)}" width="8" height="8" {style}/>'
        case _:
            return f'<path d="M{number(x)} {number(y - 5.5)}l5.5 5.5l-5.5 5.5l-5.5-5.5z" {style}/>'
