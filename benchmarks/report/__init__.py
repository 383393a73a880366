"""The report: tables, plots and a page, made of records alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.records.store import Row
from benchmarks.report.answer import answer
from benchmarks.report.comparisons import comparisons
from benchmarks.report.evidence import settings
from benchmarks.report.page import page
from benchmarks.report.panels import panels
from benchmarks.report.plots import plots
from benchmarks.report.table import Table, markdown
from benchmarks.report.tables import tables
from nfcodec.errors import UsageError

NOTES = (
    "Every figure comes from a record; a record holds all settings of its run, and the versions and the machine.",
    "Where the paper's figure stands beside ours, the set-ups differ as a table says.",
)


def write(rows: Sequence[Row], out: Path, title: str) -> str:
    """Write tables.md, plots/*.svg and report.html into a folder; says what it wrote.

    Raises:
        UsageError: there are no records to report on.
    """
    made, drawn = tables(rows), plots(rows)
    if not made and not drawn:
        raise UsageError("the records hold nothing to report on")
    (out / "plots").mkdir(parents=True, exist_ok=True)
    (out / "tables.md").write_text(as_text(made, title), encoding="utf-8")
    for plot in drawn:
        (out / "plots" / f"{plot.name}.svg").write_text(plot.svg, encoding="utf-8")
    html = page(title, made, drawn, comparisons(rows), NOTES, answer(rows), panels(settings(rows)))
    (out / "report.html").write_text(html, encoding="utf-8")
    return f"{len(made)} tables and {len(drawn)} plots of {len(rows)} records: {out / 'report.html'}"


def as_text(made: Sequence[Table], title: str) -> str:
    """Tables as one Markdown document."""
    return f"# {title}\n\n" + "\n".join(map(markdown, made))
