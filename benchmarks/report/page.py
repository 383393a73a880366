"""The report as one HTML page that needs nothing outside itself: the answer first, and the rest folded below it.

The answer is five sentences and a figure. Then come Table 1, curves, and pictures to compare; all other tables and
plots are in groups that unfold. Without records of the paper's question there are the groups alone, and they are open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report.answer import MEANING, QUESTION, WORDS
from benchmarks.report.comparisons import Comparison
from benchmarks.report.elements import Article, figure_html, plain, plot_html, sentence, signs, table_html
from benchmarks.report.panels import Panel
from benchmarks.report.plot import Plot, count
from benchmarks.report.table import Table
from nfcodec.pages import document, wipe

_HERE = Path(__file__).parent

GROUPS = (
    ("Bytes against quality", r"(table|plot)-(rate|bound|size|peer|lossless)"),
    ("Whole encodes", r"(table|plot)-(encodes$|codec|table$)"),
    ("Seconds and memory", r"(table|plot)-speed"),
    ("More pictures", r"picture|plot-gallery"),
)
"""Headings of what is folded, and what ids it has. Everything else has the group of its subject."""

REST = "Everything else"

PICTURES = 4
"""Shown in the beginning."""

CAPTION = (
    f"{MEANING} Mean over pictures, with 95 % bootstrap intervals over pictures where there are enough of them. Each"
    " line is a setting in which the transform was tried; hollow marks are the paper's, and small ones stand for few"
    " pictures. ≤ and ≥: some searches took all steps allowed, so the mean is a bound. zigzag sorts the pixels, and"
    " whoever decodes needs to know the order, so what it saves in steps it costs in bytes."
)


@dataclass(frozen=True)
class _Section:
    """Attributes:
    html: what stands before the articles.
    kind: a class of the element around the articles.
    """

    heading: str
    articles: list[Article] = field(default_factory=list)
    html: str = ""
    kind: str = ""

    @property
    def id(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.heading.lower()).strip("-")


def page(
    title: str, tables: Sequence[Table], plots: Sequence[Plot], pictures: Sequence[Comparison], notes: Sequence[str],
    sentences: Sequence[str] = (), panels: Sequence[Panel] = (),
) -> str:  # fmt: skip
    """The page as HTML.

    Args:
        notes: sentences under the title.
        sentences, panels: the answer, if there is one.
    """
    rest = [Article.of(f"table-{each.name}", each.title, table_html(each)) for each in tables]
    rest += [Article.of(f"plot-{each.name}", each.title, plot_html(each)) for each in plots]
    rest += [Article.of(f"picture-{i}", each.title, wipe(each.left, each.right)) for i, each in enumerate(pictures, 1)]
    front: list[_Section] = []
    if sentences:
        said = "".join(f"<li>{sentence(each)}</li>\n" for each in sentences)
        figure = figure_html(panels, CAPTION) if panels else ""
        words = f'<p class="words">{sentence(WORDS)}</p>'
        front.append(_Section(QUESTION, html=f'<ol class="answer">\n{said}</ol>\n{words}\n{figure}'))
        front += _story(rest)
    groups = _grouped(rest)
    body = "".join(_shown(each) for each in front) + _folded(groups, opened=not sentences)
    main = f'{_contents([*front, _Section(REST)] if sentences else groups)}<main id="content">\n{body}</main>\n'
    return document(title, map(signs, notes), main, style=_file("page.css"), script=_file("page.js"))


def _file(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _story(rest: list[Article]) -> list[_Section]:
    """What stands in the beginning besides the answer; it is taken from the rest."""

    def take(pattern: str, choose: Callable[[list[Article]], list[Article]] = list) -> list[Article]:
        chosen = choose([each for each in rest if re.match(pattern, each.id)])
        rest[:] = [each for each in rest if each not in chosen]
        return chosen

    found = [
        _Section("Table 1, cell by cell", take(r"table-(table-1|nearness|setups)")),
        _Section("Curves", [*take(r"plot-psnr-by-step", _first_of_each_field), *take(r"plot-rate")], kind="plots"),
        _Section("Pictures", take(r"picture", lambda each: each[:PICTURES]), kind="pictures"),
    ]
    return [section for section in found if section.articles]


def _first_of_each_field(articles: list[Article]) -> list[Article]:
    first: dict[str, Article] = {}
    for each in articles:
        first.setdefault(each.id.split("-")[4], each)
    return list(first.values())


def _grouped(rest: Iterable[Article]) -> list[_Section]:
    found: dict[str, _Section] = {}
    for each in rest:
        known = (heading for heading, pattern in GROUPS if re.match(pattern, each.id))
        heading = next(known, each.subject or "More")
        found.setdefault(heading, _Section(heading)).articles.append(each)
    places = [heading for heading, _ in GROUPS]
    return sorted(found.values(), key=lambda each: places.index(each.heading) if each.heading in places else -1)


def _contents(sections: Sequence[_Section]) -> str:
    links = "".join(f'<li><a href="#{each.id}">{plain(each.heading)}</a></li>\n' for each in sections)
    return f'<nav aria-label="Contents">\n<ul>\n{links}</ul>\n</nav>\n'


def _shown(section: _Section) -> str:
    heading = f'<h2 id="{section.id}">{plain(section.heading)}</h2>\n'
    articles = "".join(_article(each, named=True) for each in section.articles)
    inside = f'<div class="{section.kind}">\n{articles}</div>\n' if section.kind else articles
    return f'<section aria-labelledby="{section.id}">\n{heading}{section.html}{inside}</section>\n'


def _folded(groups: Sequence[_Section], *, opened: bool) -> str:
    if not groups:
        return ""
    parts = [f'<section aria-label="{REST}">\n' + ("" if opened else f'<h2 id="{_Section(REST).id}">{REST}</h2>\n')]
    for group in groups:
        inside = {"tables": "", "plots": "", "pictures": ""}
        for each in group.articles:
            inside[f"{each.id.partition('-')[0]}s"] += _article(each, named=each.subject != group.heading)
        articles = "".join(f'<div class="{kind}">\n{html}</div>\n' for kind, html in inside.items() if html)
        parts.append(
            f'<details id="{group.id}"{" open" if opened else ""}>\n<summary>{plain(group.heading)}'
            f" <small>{count(len(group.articles), 'part')}</small></summary>\n"
            f'<div class="folded">\n{articles}</div>\n</details>\n'
        )
    return "".join([*parts, "</section>\n"])


def _article(each: Article, *, named: bool) -> str:
    """Under its heading; `named` with its subject."""
    subject = f" <small>{plain(each.subject)}</small>" if named and each.subject else ""
    heading = f'<h3 id="{each.id}"><a href="#{each.id}">{plain(each.heading)}</a>{subject}</h3>'
    return f"<article>{heading}\n{each.html}</article>\n"
