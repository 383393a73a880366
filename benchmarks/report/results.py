"""docs/reference/results.md: the text of `results.md` beside this module, with tables made of records.

Lines of the text that stand in double braces are replaced:

* `{{answer}}` by the sentences of the answer, numbered, and what their words mean;
* `{{PATTERN}}` by all tables whose names match the shell pattern;
* `{{PATTERN: COLUMN; COLUMN}}` by these columns of them alone, which are shell patterns, too.

So the text holds no figure that was measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from benchmarks.records.store import Row
from benchmarks.report import kodak
from benchmarks.report.answer import WORDS, answer
from benchmarks.report.table import Table, markdown
from benchmarks.report.tables import tables

TEXT = Path(__file__).with_name("results.md")

_LINE = re.compile(r"^\{\{([^}]*)\}\}$", re.MULTILINE)


def results(rows: Sequence[Row], text: str | None = None) -> str:
    """The document.

    Args:
        text: if given, instead of the one beside this module.

    Raises:
        ValueError: the records give no table, or no column, that the text asks for.
    """
    made, said = [*tables(rows), *kodak.tables(rows)], answer(rows)

    def replaced(found: re.Match[str]) -> str:
        if found[1] == "answer":
            return "\n".join([*(f"{i}. {sentence}" for i, sentence in enumerate(said, 1)), "", WORDS])
        name, _, columns = found[1].partition(": ")
        return unbroken("\n".join(chosen(made, name, columns)).rstrip("\n"))

    return _LINE.sub(replaced, TEXT.read_text(encoding="utf-8") if text is None else text)


def unbroken(text: str) -> str:
    """With spaces that do not end a line in intervals and sizes, which narrow columns would break."""
    text = re.sub(r"\[([\d.+-]+), ([\d.+-]+)\]", "[\\1,\u00a0\\2]", text)
    return re.sub(r"(?<=\d) x (?=\d)", "\u00a0x\u00a0", text)


def chosen(made: Iterable[Table], name: str, columns: str) -> list[str]:
    """Tables as Markdown; `columns` as in the text, all if empty.

    Raises:
        ValueError: nothing matches.
    """
    found = [table for table in made if fnmatchcase(table.name, name)]
    if not found:
        raise ValueError(f"the records give no table {name}")
    return [
        markdown(narrowed(table, [each.strip() for each in columns.split(";")] if columns else ["*"]))
        for table in found
    ]


def narrowed(table: Table, columns: Sequence[str]) -> Table:
    """Those columns of a table, in its order; rows that are empty in all of them but the first go.

    Raises:
        ValueError: a pattern matches none.
    """
    for pattern in columns:
        if not any(fnmatchcase(column, pattern) for column in table.columns):
            raise ValueError(f"table {table.name} has no column {pattern}, but {'; '.join(table.columns)}")
    kept = [i for i, column in enumerate(table.columns) if any(fnmatchcase(column, each) for each in columns)]
    rows = [tuple(row[i] for i in kept) for row in table.rows]
    rows = [row for row in rows if len(row) < 2 or any(cell is not None for cell in row[1:])]
    return replace(table, columns=tuple(table.columns[i] for i in kept), rows=tuple(rows))
