"""An SVG document that can be read on a light and on a dark page, wide or narrow.

It brings its own ground, so that it stays legible where a page and the system disagree on which of the two it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

COLOURS = {
    "ground": ("#ffffff", "#161b22"), "edge": ("#d1d9e0", "#3d444d"), "ink": ("#1f2328", "#f0f6fc"),
    "soft": ("#505a64", "#b4bec8"), "grid": ("#e3e8ed", "#2c333b"), "box": ("#f3f6f9", "#212830"),
    "ours": ("#c4420a", "#ff9a5c"), "avif": ("#0a5cc2", "#6cb6ff"), "webp": ("#187a35", "#56d364"),
    "jxl": ("#7a45d6", "#c8a1ff"),
    "kodak": ("#0a5cc2", "#6cb6ff"), "div2k": ("#c4420a", "#ff9a5c"), "clic": ("#187a35", "#56d364"),
}  # fmt: skip
"""By name: on a light ground, and on a dark one."""

MONO = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def document(width: int, height: int, title: str, description: str, parts: Iterable[str]) -> str:
    """An SVG document.

    Args:
        width, height: in pixels; it scales.
        title, description: for people who do not see it.
        parts: elements, in the order in which they are drawn.
    """
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' role="img" aria-labelledby="title description">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="description">{escape(description)}</desc>',
            f"<style>\n{_style()}\n</style>",
            f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _style() -> str:
    light, dark = ("; ".join(f"--{name}: {shades[i]}" for name, shades in COLOURS.items()) for i in (0, 1))
    return "\n".join(
        [
            f"svg {{ {light}; font: 17px {FONT} }}",
            f"@media (prefers-color-scheme: dark) {{ svg {{ {dark} }} }}",
            "text { fill: var(--ink) }",
            ".ground { fill: var(--ground); stroke: var(--edge) }",
            ".title { font-size: 19px; font-weight: 600 }",
            ".soft { fill: var(--soft); font-size: 15px }",
            ".tick { fill: var(--soft); font-size: 16px }",
            ".fine { font-size: 14px }",
            ".panel-title { font-size: 17px; font-weight: 600 }",
            ".one { stroke: var(--soft); stroke-width: 1.2 }",
            ".bold { font-weight: 600 }",
            ".label { paint-order: stroke; stroke: var(--ground); stroke-width: 4px; stroke-linejoin: round }",
            ".grid { stroke: var(--grid) }",
            ".small { font-size: 15px }",
            f".mono {{ font: 16px {MONO} }}",
            ".box { fill: var(--box); stroke: var(--edge) }",
            ".arrow { stroke: var(--ink); stroke-width: 1.6 }",
            ".wire { stroke: var(--soft); stroke-width: 1.2 }",
            "path, polyline { fill: none; stroke-linejoin: round; stroke-linecap: round }",
            ".hollow { fill: var(--ground); stroke: var(--ink); stroke-width: 1.5 }",
            *(rule for name in ("kodak", "div2k", "clic") for rule in _of_marks(name)),
            "text.label { stroke: var(--ground); stroke-width: 4px }",
        ]
    )


def _of_marks(name: str) -> tuple[str, ...]:
    """Of the lines, marks and figures of a dataset; a hollow mark is the paper's."""
    return (
        f".{name} {{ stroke: var(--{name}); stroke-width: 2 }}",
        f".{name}.mark, text.{name} {{ fill: var(--{name}) }}",
    )


def number(value: float) -> str:
    """A coordinate: tenths of a pixel are enough, and the same everywhere."""
    return f"{round(value, 1) + 0.0:g}"


def text(x: float, y: float, content: str, *, kind: str = "", anchor: str = "start", colour: str = "") -> str:
    """Text at its baseline; `kind` are classes, `colour` a name of `COLOURS`."""
    more = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    more += f' style="fill: var(--{colour})"' if colour else ""
    return f'<text x="{number(x)}" y="{number(y)}"{more}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, *, kind: str = "grid") -> str:
    """A straight line of a class."""
    ends = (f'{name}="{number(value)}"' for name, value in (("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)))
    return f'<line class="{kind}" {" ".join(ends)}/>'


def polyline(points: Iterable[tuple[float, float]], colour: str, *, width: float = 2.5, dashes: str = "") -> str:
    """A line through points, in a colour of `COLOURS`."""
    places = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    more = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{places}" style="stroke: var(--{colour})" stroke-width="{number(width)}"{more}/>'
