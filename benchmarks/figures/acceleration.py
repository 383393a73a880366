"""The figure on what transforms buy in steps: a panel for each transform, two beside each other."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.records.store import Row
from benchmarks.report.evidence import settings
from benchmarks.report.panels import WIDTH, Panel, legend, panels
from benchmarks.svg import document, text

_GAP, _TOP = 20, 76


def acceleration(rows: Sequence[Row]) -> str:
    """An SVG document.

    Raises:
        ValueError: the records hold no searches of the paper's protocol.
    """
    made = panels(settings(rows))
    if not made:
        raise ValueError("the records hold no searches of the paper's protocol")
    parts = [text(20, 32, "Acceleration: steps without the transform over steps with it", kind="title")]
    parts += legend(made[0].datasets, 20, 58, 660)
    y = float(_TOP)
    for pair in _pairs(made):
        for column, each in enumerate(pair):
            parts += each.drawn(5 + column * (WIDTH + 10), y)
        y += max(each.height for each in pair) + _GAP
    description = " ".join(each.description for each in made)
    return document(700, round(y), "Acceleration by transform", description, parts)


def _pairs(made: Sequence[Panel]) -> list[Sequence[Panel]]:
    return [made[i : i + 2] for i in range(0, len(made), 2)]
