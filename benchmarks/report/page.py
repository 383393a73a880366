"""The report as one HTML page that needs nothing outside itself: sortable tables, plots, pictures to compare."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from benchmarks.records.store import Row
from benchmarks.report.estimates import Mean
from benchmarks.report.grouping import Setup, by_image, setups
from benchmarks.report.plot import COLOURS, FAINT, INK, Plot
from benchmarks.report.table import Cell, Table, order, shown
from nfcodec.pages import Side, document, wipe

_HERE = Path(__file__).parent

_VARIABLES = {
    INK: "var(--ink)", FAINT: "var(--line)",
    **{colour: f"var(--{name})" for name, colour in COLOURS.items()},
}  # fmt: skip
"""What stands for the plots' colours on the page, so that they follow light and dark."""

IMAGES_PER_SETUP = 3


@dataclass(frozen=True)
class Comparison:
    """Two pictures of one size to wipe between."""

    title: str
    left: Side
    right: Side


def comparisons(rows: Iterable[Row], n_images: int = IMAGES_PER_SETUP) -> list[Comparison]:
    """Figures 7 and 8: reconstructions at 30 dB (SIREN) or 20 dB (NGP), of the first pictures of each set-up."""
    found: list[Comparison] = []
    for setup, group in setups(rows, "dynamics").items():
        db = "20" if setup.field == "ngp" else "30"
        fits = {
            image: {chain: arms[chain] for chain in ("none", "rpp") if _has(arms.get(chain), db)}
            for image, arms in by_image(group).items()
        }
        for image in [image for image, arms in fits.items() if arms][:n_images]:
            found += _of_image(image.title, setup, db, fits[image])
    return found


def _has(row: Row | None, db: str) -> bool:
    return row is not None and "original" in row and db in row.get("reconstructions", {})


def _of_image(image: str, setup: Setup, db: str, fits: dict[str, Row]) -> list[Comparison]:
    names = {"none": "fitted as it is", "rpp": "fitted with RPP"}
    at = {chain: row["reconstructions"][db] for chain, row in fits.items()}
    where = f"{image}, {setup.title}"
    found = [
        Comparison(f"Original, and {names[chain]} to {db} dB. {where}", Side("original", fits[chain]["original"]),
                   Side(f"{names[chain]}, {db} dB", at[chain]["picture"]))
        for chain in fits
    ]  # fmt: skip
    if len(at) == 2:
        for key, title in (("picture", f"Both at {db} dB"), ("error", f"Errors at {db} dB, white is 4 RMS")):
            sides = (Side(f"{names[chain]}, {db} dB", at[chain][key]) for chain in ("none", "rpp"))
            found.append(Comparison(f"{title}. {where}", *sides))
    return found


@dataclass(frozen=True)
class _Article:
    """A table, plot or comparison.

    Attributes:
        heading, subject: what it shows, and of what: its title up to and from the first ". ".
    """

    id: str
    heading: str
    subject: str
    html: str

    @classmethod
    def of(cls, name: str, title: str, html: str) -> _Article:
        heading, _, subject = title.partition(". ")
        return cls(re.sub(r"[^A-Za-z0-9_-]+", "-", name), heading, subject, html)


_Sections = dict[str, dict[str, list[_Article]]]
"""Articles by section and subject."""


def page(
    title: str, tables: Sequence[Table], plots: Sequence[Plot], pictures: Sequence[Comparison], notes: Sequence[str]
) -> str:
    """The page as HTML. Titles are put under a common heading where they are the same after the first ". ".

    Args:
        notes: sentences under the title.
    """
    sections = {
        "Tables": _by_subject(_Article.of(f"table-{each.name}", each.title, _table(each)) for each in tables),
        "Plots": _by_subject(_Article.of(f"plot-{each.name}", each.title, _plot(each)) for each in plots),
        "Pictures": _by_subject(
            _Article.of(f"picture-{i}", each.title, wipe(each.left, each.right)) for i, each in enumerate(pictures, 1)
        ),
    }
    filled = {name: subjects for name, subjects in sections.items() if subjects}
    contents = f'<nav aria-label="Contents">\n{_contents(filled)}</nav>\n'
    articles = "".join(_section(name, subjects) for name, subjects in filled.items())
    body = f'<div class="columns">\n{contents}<main id="content">\n{articles}</main>\n</div>\n'
    return document(title, map(_signs, notes), body, style=_file("page.css"), script=_file("page.js"))


def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _text(text: str) -> str:
    return escape(_signs(text))


def _signs(text: str) -> str:
    return text.replace("<=", "≤").replace(">=", "≥")


def _by_subject(articles: Iterable[_Article]) -> dict[str, list[_Article]]:
    found: dict[str, list[_Article]] = {}
    for article in articles:
        found.setdefault(article.subject, []).append(article)
    return found


def _contents(sections: _Sections) -> str:
    parts = ["<details open><summary>Contents</summary>\n"]
    for name, subjects in sections.items():
        parts.append(f"<h2>{name}</h2>\n")
        for subject, articles in subjects.items():
            parts.append((f"<h3>{_text(subject)}</h3>\n" if subject else "") + "<ul>\n")
            parts += [f'<li><a href="#{each.id}">{_text(each.heading)}</a></li>\n' for each in articles]
            parts.append("</ul>\n")
    return "".join([*parts, "</details>\n"])


def _section(name: str, subjects: dict[str, list[_Article]]) -> str:
    key = name.lower()
    parts = [f'<section id="{key}" aria-labelledby="{key}-heading">\n<h2 id="{key}-heading">{name}</h2>\n']
    for subject, articles in subjects.items():
        parts += [f"<h3>{_text(subject)}</h3>\n" if subject else "", f'<div class="{key}">\n']
        for each in articles:
            heading = f'<h4 id="{each.id}"><a href="#{each.id}">{_text(each.heading)}</a></h4>'
            parts.append(f"<article>{heading}\n{each.html}</article>\n")
        parts.append("</div>\n")
    return "".join([*parts, "</section>\n"])


def _table(table: Table) -> str:
    numeric = [any(isinstance(row[i], float | int | Mean) for row in table.rows) for i in range(len(table.columns))]
    classes = [' class="number"' if is_number else "" for is_number in numeric]
    head = "".join(
        f'<th scope="col"{kind}>{_text(name)}</th>' for name, kind in zip(table.columns, classes, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(_cell(cell, kind, table.digits) for cell, kind in zip(row, classes, strict=True)) + "</tr>\n"
        for row in table.rows
    )
    notes = "".join(f"<p>{_text(note)}</p>" for note in table.notes)
    return (
        f'<div class="scroll" role="region" aria-label="{escape(table.title)}">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n"
        + (f'<div class="notes">{notes}</div>\n' if notes else "")
    )


def _cell(cell: Cell, kind: str, digits: int) -> str:
    text, value = _text(shown(cell, digits)), order(cell)
    if isinstance(cell, Mean):
        text = re.sub(r" (\[.*\])$", r" <small>\1</small>", text)
    missing = cell is None or (isinstance(value, float) and math.isnan(value))
    return f'<td{kind} data-order="{"" if missing else escape(str(value))}">{text}</td>'


def _plot(plot: Plot) -> str:
    svg = plot.svg
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(plot.title)}" ', 1)
    region = f'<div class="scroll" role="region" aria-label="{escape(plot.title)}">'
    return f'<figure class="plot">{region}\n{svg}\n</div><figcaption>{_text(plot.caption)}</figcaption></figure>\n'
