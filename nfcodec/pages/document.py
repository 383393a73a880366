"""What all pages have in common: one file of HTML without anything from elsewhere, and two pictures to wipe between.

A page follows light and dark, narrow and wide windows, can be used with the keyboard alone, and shows the same without
its script, but for the wiping. Its own policy (Content-Security-Policy) forbids it to load anything.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from string import Template


@dataclass(frozen=True)
class Side:
    """A picture of two.

    Attributes:
        label: shown on it, and read out in its place.
        png_base64: the picture as a PNG.
    """

    label: str
    png_base64: str

    @classmethod
    def of_png(cls, label: str, png: bytes) -> Side:
        """From the bytes of a PNG."""
        return cls(label, base64.b64encode(png).decode("ascii"))

    @property
    def image(self) -> str:
        """The element that shows it."""
        return f'<img alt="{escape(self.label)}" src="data:image/png;base64,{escape(self.png_base64)}">'


def document(title: str, notes: Iterable[str], body: str, *, style: str = "", script: str = "") -> str:
    """A whole page.

    Args:
        title, notes: the heading, and paragraphs under it, as plain text.
        body: the rest as HTML, with an element of the id "content".
        style, script: more CSS and JavaScript of this page.
    """
    return Template(_file("page.html")).substitute(
        title=escape(title),
        notes="".join(f"<p>{escape(note)}</p>\n" for note in notes),
        body=body,
        style=_file("page.css") + style,
        script=_file("page.js") + script,
    )


def wipe(left: Side, right: Side, *, pixels: tuple[int, int] | None = None) -> str:
    """Two pictures of one size: side by side, or with the script one over the other and a slider between them.

    Args:
        pixels: their width and height; where these are told, pictures fit the window, and there is a choice of sizes.
    """
    pictures = "".join(
        f'<div class="{name}">{side.image}<span>{escape(side.label)}</span></div>\n'
        for name, side in (("left", left), ("right", right))
    )
    what = f"Border between {left.label} and {right.label}, in percent from the left"
    slider = f'<input type="range" min="0" max="100" step="0.1" value="50" aria-label="{escape(what)}">'
    view = f'<div class="view" role="region" aria-label="Pictures"><div class="stage">\n{pictures}</div></div>'
    fitting, sizes = ("", "") if pixels is None else (fitting_the_window(pixels), _SIZES)
    return f'<div class="wipe"{fitting}>{view}\n{slider}\n{sizes}</div>\n'


def fitting_the_window(pixels: tuple[int, int]) -> str:
    """An attribute that makes `--fit` the width at which a picture of a width and height is not too high for it.

    Narrow strips are as wide as can be seen, and scroll.
    """
    return f' style="--fit: max(6rem, calc(80vh * {pixels[0] / pixels[1]:.4f}))"'


_SIZES = """<label>Size: <select>
<option value="">that of the window</option>
<option value="1">1 pixel of the screen a pixel</option>
<option value="2">2 x 2 pixels of the screen a pixel</option>
<option value="4">4 x 4 pixels of the screen a pixel</option>
<option value="8">8 x 8 pixels of the screen a pixel</option>
</select></label>
"""


@cache
def _file(name: str) -> str:
    return (files("nfcodec.pages") / name).read_text(encoding="utf-8")
