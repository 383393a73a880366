"""Tables, plots and figures as HTML, for the report's page."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.report.estimates import Mean
from benchmarks.report.panels import WIDTH, Panel, legend
from benchmarks.report.plot import COLOURS, FAINT, INK, Plot
from benchmarks.report.table import Cell, Table, order, shown

_VARIABLES = {
    INK: "var(--ink)", FAINT: "var(--line)",
    **{colour: f"var(--{name})" for name, colour in COLOURS.items()},
}  # fmt: skip
"""What stands for the plots' colours on the page, so that they follow light and dark."""


LONG = 16
"""From so many characters on, the text of a cell is broken into lines."""


@dataclass(frozen=True)
class Article:
    """A table, plot or comparison.

    Attributes:
        heading, subject: what it shows, and of what: its title up to and from the first ". ".
    """

    id: str
    heading: str
    subject: str
    html: str

    @classmethod
    def of(cls, name: str, title: str, html: str) -> Article:
        heading, _, subject = title.partition(". ")
        return cls(re.sub(r"[^A-Za-z0-9_-]+", "-", name), heading, subject, html)


def plain(text: str) -> str:
    """Text in HTML."""
    return escape(signs(text))


def signs(text: str) -> str:
    """With the signs that ASCII lacks."""
    text = text.replace("<=", "≤").replace(">=", "≥")
    return re.sub(r"(?<=\d) x (?=\d)", "\u00a0\u00d7\u00a0", text)


def sentence(text: str) -> str:
    """A sentence in HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", plain(text))


def figure_html(made: Sequence[Panel], caption: str) -> str:
    """The answer's figure: panels beside each other where there is room."""
    keys = "".join(legend(made[0].datasets, 2, 15))
    parts = [_svg("Colours and shapes", WIDTH, 40, keys)]
    parts += [_svg(each.description, WIDTH, each.height, "\n".join(each.drawn())) for each in made]
    drawn = "".join(f'<div id="panel-{i}">{part}</div>\n' for i, part in enumerate(parts))
    return f'<figure class="panels">{drawn}<figcaption>{plain(caption)}</figcaption></figure>\n'


def _svg(description: str, width: float, height: float, inside: str) -> str:
    box = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return f'<svg class="panel" role="img" aria-label="{escape(description)}" {box}>\n{inside}\n</svg>'


def table_html(table: Table) -> str:
    """A table that can be sorted, and its notes."""
    numeric = [any(isinstance(row[i], float | int | Mean) for row in table.rows) for i in range(len(table.columns))]
    classes = [' class="number"' if is_number else "" for is_number in numeric]
    head = "".join(
        f'<th scope="col"{kind}>{plain(name)}</th>' for name, kind in zip(table.columns, classes, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(_cell(cell, kind, table.digits) for cell, kind in zip(row, classes, strict=True)) + "</tr>\n"
        for row in table.rows
    )
    notes = "".join(f"<p>{plain(note)}</p>" for note in table.notes)
    return (
        f'<div class="scroll" role="region" aria-label="{escape(table.title)}">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n"
        + (f'<div class="notes">{notes}</div>\n' if notes else "")
    )


def _cell(cell: Cell, kind: str, digits: int) -> str:
    text, value = plain(shown(cell, digits)), order(cell)
    kind = ' class="long"' if isinstance(cell, str) and len(cell) > LONG else kind
    if isinstance(cell, Mean):
        text = re.sub(r" (\[.*\])$", r" <small>\1</small>", text)
    missing = cell is None or (isinstance(value, float) and math.isnan(value))
    return f'<td{kind} data-order="{"" if missing else escape(str(value))}">{text}</td>'


def plot_html(plot: Plot) -> str:
    """A plot in colours of the page, and its caption."""
    svg = plot.svg
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(plot.title)}" ', 1)
    region = f'<div class="scroll" role="region" aria-label="{escape(plot.title)}">'
    return f'<figure class="plot">{region}\n{svg}\n</div><figcaption>{plain(plot.caption)}</figcaption></figure>\n'
