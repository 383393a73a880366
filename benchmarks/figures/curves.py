"""Curves over PSNR as an SVG figure: how they look, where their labels stand, and the frame around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.svg import document, line, number, polyline, text

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
        mark: as `mark` has them.
    """

    label: tuple[str, ...]
    colour: str
    width: float = 2.5
    dashes: str = ""
    mark: str = ""


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
        low_db, high_db: where it begins and ends.
        at_db: where its ticks are.
        low, high: of the other axis; `scale` makes it even.
        ticks: values and what is written beside them.
        below: a second row of words under the ticks of the PSNR.
        meaning: of these words, in lines of text.
    """

    low_db: float
    high_db: float
    at_db: Sequence[float]
    low: float
    high: float
    ticks: Mapping[float, str]
    scale: Callable[[float], float] = float
    below: Mapping[float, str] = field(default_factory=dict[float, str])
    meaning: tuple[str, ...] = ()

    def at(self, point: Point) -> Point:
        """Where a point is drawn."""
        quality, value = point
        low, high, here = (self.scale(each) for each in (self.low, self.high, value))
        x = LEFT + (quality - self.low_db) / (self.high_db - self.low_db) * (RIGHT - LEFT)
        return x, BOTTOM - (here - low) / (high - low) * (BOTTOM - TOP)

    def drawn(self) -> list[str]:
        """Lines and figures."""
        parts: list[str] = []
        for value, words in self.ticks.items():
            _, y = self.at((self.low_db, value))
            parts += [line(LEFT, y, RIGHT, y), text(LEFT - 8, y + 5, words, kind="tick", anchor="end")]
        for tick in self.at_db:
            x, _ = self.at((tick, self.low))
            parts += [line(x, TOP, x, BOTTOM), text(x, BOTTOM + 20, f"{tick:g}", kind="tick", anchor="middle")]
            if tick in self.below:
                parts.append(text(x, BOTTOM + 40, self.below[tick], kind="soft", anchor="middle"))
        parts.append(text(RIGHT + 28, BOTTOM + 20, "PSNR in dB", kind="tick"))
        parts += [text(RIGHT + 28, BOTTOM + 40 + 17 * i, words, kind="soft") for i, words in enumerate(self.meaning)]
        return parts


def figure(title: str, axes: Axes, curves: Sequence[Drawn], notes: Sequence[str], key: Sequence[str] = ()) -> str:
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
        lines += [mark(look.mark, axes.at(point), look.colour) for point in each.marks]
    foot = BOTTOM + (84 if axes.below else 52)
    said = [text(20, foot + 20 * i, words, kind="soft") for i, words in enumerate(notes)]
    parts = [text(20, 34, title, kind="title"), *axes.drawn(), *lines, *labels, *key, *said]
    return document(WIDTH, foot + 20 * len(notes), title, " ".join(notes), parts)


def mark(kind: str, at: Point, colour: str = "soft") -> str:
    """A point of a curve: a filled "dot" or "triangle", a "cross", or a hollow "circle", "square" or "diamond"."""
    x, y = at
    hollow = f'style="fill: var(--ground); stroke: var(--{colour})" stroke-width="2"'
    filled = f'style="fill: var(--{colour})"'
    match kind:
        case "dot":
            return f'<circle cx="{number(x)}" cy="{number(y)}" r="5" {filled}/>'
        case "triangle":
            return f'<path d="M{number(x)} {number(y - 6)}l6 10h-12z" {filled}/>'
        case "cross":
            corner = f"M{number(x - 4)} {number(y - 4)}l8 8m0 -8l-8 8"
            return f'<path d="{corner}" style="stroke: var(--{colour})" stroke-width="2.5"/>'
        case "circle":
            return f'<circle cx="{number(x)}" cy="{number(y)}" r="4.5" {hollow}/>'
        case "square":
            return f'<rect x="{number(x - 4)}" y="{number(y - 4)}" width="8" height="8" {hollow}/>'
        case _:
            return f'<path d="M{number(x)} {number(y - 5.5)}l5.5 5.5l-5.5 5.5l-5.5-5.5z" {hollow}/>'
