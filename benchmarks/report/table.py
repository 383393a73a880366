"""Tables as values: what `tables` makes, and `markdown` and the page show."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.report.estimates import Mean

Cell = str | float | int | Mean | None


@dataclass(frozen=True)
class Table:
    """Attributes:
    name: for file names and links.
    notes: sentences under the table.
    digits: of numbers that are no integers, behind the point.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    digits: int = 2


def shown(cell: Cell, digits: int = 2) -> str:
    """The text of a cell."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "-"
    if isinstance(cell, float):
        small, large = 0 < abs(cell) < 10**-digits, abs(cell) >= 1000
        return f"{cell:.2e}" if small else f"{cell:.0f}" if large else f"{cell:.{digits}f}"
    return str(cell)


def order(cell: Cell) -> float | str:
    """What a column is sorted by."""
    if isinstance(cell, Mean):
        return cell.value
    return math.inf if cell is None else cell


def markdown(table: Table) -> str:
    """The table with its title and notes."""
    lines = [f"### {table.title}", "", "| " + " | ".join(table.columns) + " |", "|" + " --- |" * len(table.columns)]
    lines += ["| " + " | ".join(shown(cell, table.digits) for cell in row) + " |" for row in table.rows]
    return "\n".join([*lines, "", *table.notes]) + "\n"
