"""The answer as a figure: for each transform a panel with the acceleration in each setting, ours and the paper's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import NamedTuple

from benchmarks.paper import published
from benchmarks.report.estimates import Mean
from benchmarks.report.evidence import FEWEST, Setting, transforms
from benchmarks.report.grouping import dataset_place, family_of
from benchmarks.report.plot import label
from benchmarks.svg import line, number, text

WIDTH = 340
"""Of a panel in pixels: it fits a phone."""

_LEFT, _RIGHT = 14, WIDTH - 14
_TITLE, _FIELD, _NAME, _MARKS, _AXIS = 26, 24, 17, 11, 30
_LETTER, _DIGIT = 8, 9
"""Of text, at most."""

_SMALL = 0.55
"""How large a mark is that stands for few pictures, beside the others."""

_COLOURS = ("kodak", "div2k", "clic")
_TICKS = tuple(m * 10.0**e for e in range(-3, 4) for m in (1, 2, 5))


class Mark(NamedTuple):
    """A mean acceleration on one dataset; `low` and `high` are nan where there is no interval, `n` counts pictures."""

    dataset: str
    value: float
    low: float
    high: float
    sign: str
    n: int
    is_paper: bool


@dataclass(frozen=True)
class Line:
    """A setting, or the paper, in a panel: what it is called, and its marks."""

    field: str
    name: str
    marks: tuple[Mark, ...]

    @property
    def values(self) -> str:
        """What the marks stand for, in words."""
        return ", ".join(f"{mark.dataset} {_value(mark)}" for mark in self.marks)

    @property
    def names(self) -> list[str]:
        """The name in lines that leave room for the values at the end of the first one."""
        room = (WIDTH - sum(_DIGIT * len(_value(mark)) + 3 for mark in self.marks)) / _LETTER
        return wrap(self.name, int(room) - 1)

    @property
    def height(self) -> float:
        """In pixels."""
        return _NAME * len(self.names) + _MARKS * len(self.marks) + 4


@dataclass(frozen=True)
class Panel:
    """All settings with one transform.

    Attributes:
        datasets: of the whole figure, which have a colour and a shape each.
    """

    transform: str
    lines: tuple[Line, ...]
    datasets: tuple[str, ...]

    @property
    def height(self) -> float:
        """In pixels."""
        fields = len({each.field for each in self.lines})
        return _TITLE + fields * _FIELD + sum(each.height for each in self.lines) + _AXIS

    @property
    def description(self) -> str:
        """For people who do not see it."""
        said = (f"{family_of(each.field)}, {each.name}: {each.values}" for each in self.lines)
        return f"Acceleration by {label(self.transform)}. {'; '.join(said)}."

    def drawn(self, left: float = 0, top: float = 0) -> Iterator[str]:
        """Elements of SVG, with the upper left corner there."""
        scale = _Scale.of(mark for each in self.lines for mark in each.marks)
        bottom = top + self.height - _AXIS
        yield text(left + 2, top + 17, label(self.transform), kind="panel-title")
        for tick in scale.ticks:
            x = left + scale.at(tick)
            yield line(x, top + _TITLE, x, bottom, kind="one" if tick == 1 else "grid")
            yield text(x, bottom + 18, f"{tick:g}", kind="fine soft", anchor="middle")
        y, field = top + _TITLE, ""
        for each in self.lines:
            if each.field != field:
                y, field = y + _FIELD, each.field
                yield text(left + 2, y - 6, family_of(field), kind="fine bold label")
            yield from _line(each, scale, self.datasets, left, y)
            y += each.height


def panels(found: Sequence[Setting]) -> list[Panel]:
    """A panel for each transform; a setting has a line where it was run with the transform, and the paper the last."""
    datasets = tuple(sorted({name for setting in found for name in setting.means}, key=dataset_place))
    made: list[Panel] = []
    for name in transforms(found):
        lines: list[Line] = []
        for field in dict.fromkeys(setting.setup.field for setting in found):
            mine = [setting for setting in found if setting.setup.field == field]
            lines += [_of_setting(setting, name) for setting in mine if any(name in m for m in setting.means.values())]
            lines += _of_paper(mine, name)
        made.append(Panel(name, tuple(lines), datasets))
    return made


def _of_setting(setting: Setting, name: str) -> Line:
    means = [(dataset, means[name]) for dataset, means in setting.means.items() if name in means]
    marks = tuple(_mark(dataset, mean) for dataset, mean in means)
    return Line(setting.setup.field, setting.label, marks)


def _mark(dataset: str, mean: Mean) -> Mark:
    return Mark(dataset, mean.value, mean.low, mean.high, mean.sign, mean.n_pictures, False)


def _of_paper(mine: Sequence[Setting], name: str) -> list[Line]:
    """The paper's means on those of its datasets that any of the settings has with this transform."""
    known = {
        dataset: setting.papers(dataset)[name]
        for setting in mine
        for dataset, means in setting.means.items()
        if name in means and name in setting.papers(dataset)
    }
    marks = tuple(
        Mark(dataset, value, math.nan, math.nan, "", _papers_n(dataset), True) for dataset, value in known.items()
    )
    return [Line(mine[0].setup.field, f"the paper, {published.SIZE}", marks)] if marks else []


def _papers_n(dataset: str) -> int:
    return published.PICTURES[published.dataset(dataset) or ""]


class _Scale(NamedTuple):
    """A logarithmic axis."""

    low: float
    high: float

    @classmethod
    def of(cls, marks: Iterable[Mark]) -> _Scale:
        values = [value for mark in marks for value in (mark.value, mark.low, mark.high) if value > 0]
        return cls(min(0.5, *values) * 0.94, max(2.0, *values) * 1.06)

    def at(self, value: float) -> float:
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return _LEFT + share * (_RIGHT - _LEFT)

    @property
    def ticks(self) -> list[float]:
        inside = [tick for tick in _TICKS if self.low <= tick <= self.high]
        tens = [tick for tick in inside if f"{tick:g}".strip("0.") == "1"]
        return inside if len(inside) <= 8 else tens


def _line(each: Line, scale: _Scale, datasets: Sequence[str], left: float, top: float) -> Iterator[str]:
    for i, name in enumerate(each.names):
        yield text(left + 2, top + 12 + i * _NAME, name, kind="fine label")
    x = left + WIDTH - 2
    for mark in reversed(each.marks):
        said = _value(mark)
        yield text(x, top + 12, said, kind=f"fine label {_colour(mark.dataset, datasets)}", anchor="end")
        x -= _DIGIT * len(said) + 3
    for i, mark in enumerate(each.marks):
        yield from _drawn(mark, scale, datasets, left, top + _NAME * len(each.names) + _MARKS * (i + 0.5))


def _drawn(mark: Mark, scale: _Scale, datasets: Sequence[str], left: float, y: float) -> Iterator[str]:
    colour = _colour(mark.dataset, datasets)
    if math.isfinite(mark.low):
        a, b = (number(left + scale.at(value)) for value in (mark.low, mark.high))
        yield f'<path class="{colour}" d="M{a} {number(y)}H{b}"/>'
    kinds = f"{colour} {'hollow' if mark.is_paper else 'mark'}"
    size = _SMALL if mark.n < FEWEST else 1
    yield _shape(datasets.index(mark.dataset) % len(_COLOURS), left + scale.at(mark.value), y, kinds, size)


def _shape(kind: int, x: float, y: float, kinds: str, size: float = 1) -> str:
    if kind == 0:
        return f'<circle class="{kinds}" cx="{number(x)}" cy="{number(y)}" r="{number(4 * size)}"/>'
    if kind == 1:
        half, side = 3.5 * size, number(7 * size)
        return f'<rect class="{kinds}" x="{number(x - half)}" y="{number(y - half)}" width="{side}" height="{side}"/>'
    r = number(5 * size)
    return f'<path class="{kinds}" d="M{number(x)} {number(y - 5 * size)}l{r} {r}l-{r} {r}l-{r} -{r}z"/>'


def _colour(dataset: str, datasets: Sequence[str]) -> str:
    return _COLOURS[datasets.index(dataset) % len(_COLOURS)]


def _value(mark: Mark) -> str:
    return {"<=": "≤", ">=": "≥"}.get(mark.sign, mark.sign) + f"{mark.value:.2f}"


def legend(datasets: Sequence[str], left: float, top: float, width: float = WIDTH) -> Iterator[str]:
    """What colours and shapes stand for, in two lines if need be."""
    keys = [(i % len(_COLOURS), f"{_colour(dataset, datasets)} mark", 1, dataset) for i, dataset in enumerate(datasets)]
    keys += [(0, "hollow", 1, "the paper"), (0, f"{_COLOURS[0]} mark", _SMALL, f"fewer than {FEWEST} pictures")]
    x = left
    for shape, kinds, size, name in keys:
        if x > left and x + 16 + _LETTER * len(name) > left + width:
            x, top = left, top + 20
        yield _shape(shape, x + 6, top - 5, kinds, size)
        yield text(x + 16, top, name, kind="fine")
        x += 30 + _LETTER * len(name)
