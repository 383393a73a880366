"""Plots of values over time as SVG: lines, points, and a level to reach, in the colours of the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 26, 34
"""Margins around the frame, of units of which a plot is WIDTH wide."""

COLOURS = ("none", "rpp", "third", "fourth")
"""Variables of the page, of lines; they can be told apart by people with any colour vision."""

MOST_TICKS = 7

STYLE = """
.plot svg { width: 100%; min-width: 36rem; max-width: 60rem; }
.plot text { fill: var(--soft); font-size: 12px; paint-order: stroke; stroke: var(--ground); stroke-width: 3px; }
.plot .name { fill: var(--ink); }
.plot .grid { stroke: var(--faint); }
.plot .level { stroke: var(--ink); stroke-dasharray: 5 4; }
.plot .line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.legend { display: flex; flex-wrap: wrap; gap: 0.3rem 1.5rem; margin: 0 0 0.75rem; padding: 0; list-style: none; }
.legend span { display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.4em; border-radius: 50%; }
"""

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """Points in one of `COLOURS`, joined unless each stands for itself."""

    points: Sequence[Point]
    colour: int
    joined: bool = True


@dataclass(frozen=True)
class Mark:
    """A point that stands out, with a text for those who point at it."""

    point: Point
    colour: int
    text: str


@dataclass(frozen=True)
class Plot:
    """Values over seconds.

    Attributes:
        title: of the vertical axis; description: what the plot says, for those who do not see it.
        seconds: the end of the horizontal axis.
        low, high: of the vertical axis; what is beyond is drawn at its ends.
        level: a value to reach.
    """

    title: str
    description: str
    seconds: float
    low: float
    high: float
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    level: tuple[float, str] | None = None

    @property
    def svg(self) -> str:
        """The plot as a figure of HTML."""
        label = escape(f"{self.title} over seconds. {self.description}")
        svg = f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(self._parts())}</svg>'
        return f'<figure class="plot"><div class="scroll" role="region" aria-label="Plot">{svg}</div></figure>\n'

    def _parts(self) -> Iterator[str]:
        yield f'<text class="name" x="0" y="12">{escape(self.title)}</text>'
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        for value in ticks(self.low, self.high):
            y = self._y(value)
            yield f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>'
            yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        for value in ticks(0, self.seconds):
            yield f'<text x="{self._x(value):.1f}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>'
        yield f'<text x="{right}" y="{HEIGHT - 2}" text-anchor="end">seconds</text>'
        if self.level is not None:
            y, text = self._y(self.level[0]), escape(self.level[1])
            yield f'<path class="level" d="M{LEFT} {y:.1f}H{right}"/>'
            yield f'<text x="{right}" y="{y + 16:.1f}" text-anchor="end">{text}</text>'
        for line in self.lines:
            colour = _colour(line.colour)
            if len(line.points) == 1 or not line.joined:
                yield from (self._dot(point, f'r="2" fill="{colour}"') for point in line.points)
            else:
                points = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in line.points)
                yield f'<polyline class="line" stroke="{colour}" points="{points}"/>'
        for mark in self.marks:
            how = f'r="5" fill="var(--ground)" stroke="{_colour(mark.colour)}" stroke-width="2.5"'
            yield self._dot(mark.point, how, mark.text)

    def _dot(self, point: Point, how: str, text: str = "") -> str:
        title = f"<title>{escape(text)}</title>" if text else ""
        return f'<circle cx="{self._x(point[0]):.1f}" cy="{self._y(point[1]):.1f}" {how}>{title}</circle>'

    def _x(self, seconds: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, seconds / self.seconds)

    def _y(self, value: float) -> float:
        share = (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def legend(names: Sequence[str]) -> str:
    """Names beside the colours of `COLOURS`, in their order; nothing for a single one."""
    if len(names) < 2:
        return ""
    items = (f'<li><span style="background: {_colour(i)}"></span>{escape(name)}</li>\n' for i, name in enumerate(names))
    return f'<ul class="legend">\n{"".join(items)}</ul>\n'


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high: multiples of 1, 2 or 5 times a power of ten, `MOST_TICKS` at most."""
    least = (high - low) / (MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _colour(number: int) -> str:
    return f"var(--{COLOURS[number % len(COLOURS)]})"
