"""Pieces of a page: sections, tables, figures that stand out, and texts, all of plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
section { margin-bottom: 3.5rem; }
section > h2 { margin: 0 0 1.25rem; }
h3 { margin: 2rem 0 0.75rem; font-size: 1.05rem; font-weight: 620; }
section > p { max-width: 46rem; }
.facts { display: flex; flex-wrap: wrap; gap: 1.25rem 3rem; margin: 0 0 1.75rem; }
.facts div { min-width: 6rem; }
.facts dt { color: var(--soft); font-size: 0.85rem; }
.facts dd { margin: 0; font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts dt, .facts dd { overflow-wrap: anywhere; }
tbody th { font-weight: 500; }
thead th { min-width: 4.5rem; }
td.long, th.long { white-space: normal; overflow-wrap: anywhere; min-width: 6rem; }
caption { padding-bottom: 0.4rem; color: var(--soft); text-align: left; }
.empty { color: var(--soft); }
"""

Cell = str | int | float | None
"""Text, an integer, a number that is shown with the table's digits, or nothing."""


def printable(text: str) -> str:
    """Text with a sign in place of each character that nobody sees, or that turns the direction of others."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def text_of(text: str) -> str:
    """Plain text as HTML."""
    return escape(printable(text))


def section(title: str, *parts: str) -> str:
    """Parts under a heading."""
    name = title.lower().replace(" ", "-")
    inside = "".join(parts)
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{text_of(title)}</h2>\n{inside}</section>\n'


def main(*sections: str) -> str:
    """The body of a page."""
    return f'<main id="content">\n{"".join(sections)}</main>\n'


def heading(text: str) -> str:
    """Of a part of a section."""
    return f"<h3>{text_of(text)}</h3>\n"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text, of a class if that is named."""
    return f"<p{_class(kind)}>{text_of(text)}</p>\n"


def facts(values: Iterable[tuple[str, str]]) -> str:
    """Names and values that stand out."""
    inside = "".join(f"<div><dt>{text_of(name)}</dt><dd>{text_of(value)}</dd></div>\n" for name, value in values)
    return f'<dl class="facts">\n{inside}</dl>\n'


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]], *, digits: int = 2, long: Sequence[int] = ()
) -> str:
    """A table whose first column names the rows; columns that hold numbers alone are set to the right.

    Args:
        title: said to those who do not see it.
        long: columns whose texts may break.
    """
    numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(columns))]
    kinds = [_class("number" if numeric[i] and i else "long" if i in long else "") for i in range(len(columns))]
    head = "".join(f'<th scope="col"{kind}>{text_of(name)}</th>' for name, kind in zip(columns, kinds, strict=True))
    body = "".join(_row(row, kinds, digits) for row in rows)
    named = f"<thead><tr>{head}</tr></thead>\n" if any(columns) else ""
    return (
        f'<div class="scroll" role="region" aria-label="{text_of(title)}">\n<table>\n'
        f"{named}<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )


def _row(row: Sequence[Cell], kinds: Sequence[str], digits: int) -> str:
    first = f'<th scope="row"{kinds[0]}>{text_of(_shown(row[0], digits))}</th>'
    others = (f"<td{kind}>{text_of(_shown(cell, digits))}</td>" for cell, kind in zip(row[1:], kinds[1:], strict=True))
    return f"<tr>{first}{''.join(others)}</tr>\n"


def _shown(cell: Cell, digits: int) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return number(cell, digits)
    return f"{cell:,}" if isinstance(cell, int) else cell


def number(value: float, digits: int = 2) -> str:
    """A number, or a sign for one that is infinite or missing."""
    if math.isnan(value):
        return ""
    return "∞" if math.isinf(value) else f"{round(value, digits) + 0.0:,.{digits}f}"


def decibels(psnr_db: float) -> str:
    """A PSNR in words."""
    return "no difference" if math.isinf(psnr_db) else f"{psnr_db:.2f} dB"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
