"""A plot as a value, and the style that all plots share."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

INK = "#22262b"
"""Of text and axes. The page gives it, FAINT and COLOURS other values on a dark ground."""

FAINT = "#d5d9de"

COLOURS = {"none": "#0072b2", "rpp": "#d55e00", "third": "#009e73", "fourth": "#cc79a7"}
"""From the palette of Okabe and Ito, which people with any colour vision can tell apart."""

LABELS = {"none": "original", "rpp": "RPP"}
"""What the plots call transforms; all others by their own names."""

WIDE_IN = 4.6
"""The usual width. The page shows plots at their size or smaller; on a phone they are hardly smaller."""

NARROW = 3.0
"""Ends of an axis that are less than so many times apart."""

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.which": "major",
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "figure.constrained_layout.use": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.4,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}


@dataclass(frozen=True)
class Plot:
    """Attributes:
    name: for file names and links.
    svg: one <svg> element that refers to nothing outside itself; its text stays text.
    caption: sentences, without markup.
    """

    name: str
    title: str
    svg: str
    caption: str

    def renamed(self, name: str) -> Plot:
        return Plot(name, self.title, self.svg.replace(f"{self.name}--", f"{name}--"), self.caption)


def drawn(
    name: str,
    title: str,
    caption: str,
    draw: Callable[[Figure], object],
    width_in: float = WIDE_IN,
    *,
    height_in: float,
) -> Plot:
    """What `draw` draws on an empty figure, in the common style; the same bytes for the same data."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):  # pyright: ignore[reportArgumentType]
        figure = Figure(figsize=(width_in, height_in))
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return Plot(name, title, _element(buffer.getvalue(), name), caption)


def _element(document: str, name: str) -> str:
    """The <svg> element of a document, with names that do not clash with those of other plots on a page."""
    svg = document[document.index("<svg") :].strip()
    svg = re.sub(r'(?<=\s)id="', f'id="{name}--', svg)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#{name}--", svg)


def label(transform: str) -> str:
    """What a plot calls a transform."""
    return LABELS.get(transform, transform)


class _Ticks(LogLocator):
    """Few of them also where an axis spans so little that no multiples of powers of ten are on it."""

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        narrow = vmax < NARROW * vmin
        return MaxNLocator(3).tick_values(vmin, vmax) if narrow else super().tick_values(vmin, vmax)


def plain_log(axes: Axes, which: str, subs: Sequence[float] = (1.0,)) -> None:
    """A logarithmic axis ("x" or "y") with ticks at subs times powers of ten, and plain numbers on them."""
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(_Ticks(subs=list(subs)))
    axis.set_minor_locator(LogLocator(subs=[]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.set_minor_formatter(NullFormatter())


def number(value: float) -> str:
    """A tick's number: 0.5, 20, 10,000, and 2 x 10⁻⁵ for the very small."""
    if value == 0 or 1e-2 <= abs(value) < 1e7:
        return f"{value:,.6g}" if abs(value) < 1e3 else f"{value:,.0f}"
    digits, exponent = f"{value:.1e}".split("e")
    power = "10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return power if float(digits) == 1 else f"{float(digits):g} x {power}"


def count(n: int, thing: str) -> str:
    """3 pictures, 1 picture."""
    return f"{n} {thing}{'s' if n != 1 else ''}"
