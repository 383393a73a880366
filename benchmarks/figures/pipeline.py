"""The way from a picture to a file and back, as a picture for newcomers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.svg import document, number, text

WIDTH = 700
BOX, GAP, EDGE = 92, 23, 16
"""Width of a box, of the arrow between two, and of the margin."""

ENCODE_Y, DECODE_Y, HEIGHT = 84, 252, 112
"""Tops of the two rows of boxes, and their height."""

NOTES = (
    "The field is fitted until the picture reaches the PSNR that was asked for.",
    "What is stored are its numbers, rounded. Decoding is integer arithmetic:",
    "every machine gets the same samples out of a file.",
)


@dataclass(frozen=True)
class Step:
    """A box: what it shows and its words, a line each."""

    icon: Callable[[float, float], list[str]]
    words: tuple[str, ...]
    optional: bool = False


def pipeline() -> str:
    """The figure as an SVG document."""
    there = (
        Step(_picture, ("picture",)), Step(_tiles, ("transform", "(optional)"), optional=True),
        Step(_network, ("neural field", "is fitted")), Step(_integers, ("integers",)),
        Step(_bits, ("entropy", "coder")),
    )  # fmt: skip
    back = (
        Step(_picture, ("picture",)), Step(_tiles, ("transform", "undone"), optional=True),
        Step(_network, ("field is", "evaluated")), Step(_integers, ("integers",)), Step(_bits, ("entropy", "decoder")),
    )  # fmt: skip
    file_x, file_height = _x(5), DECODE_Y + HEIGHT - ENCODE_Y
    middle = ENCODE_Y + file_height / 2
    parts = [
        text(EDGE + 2, 34, "How nfcodec stores a picture", kind="title"),
        text(EDGE + 2, ENCODE_Y - 12, "nfcodec encode", kind="soft"), *_row(ENCODE_Y, there, forward=True),
        text(EDGE + 2, DECODE_Y - 12, "nfcodec decode", kind="soft"), *_row(DECODE_Y, back, forward=False),
        _box(file_x, ENCODE_Y, file_height), *_page(file_x + BOX / 2, middle - 22),
        text(file_x + BOX / 2, middle + 38, ".nfc file", kind="bold", anchor="middle"),
        *(text(EDGE + 2, DECODE_Y + HEIGHT + 32 + 21 * i, words, kind="soft") for i, words in enumerate(NOTES)),
    ]  # fmt: skip
    description = (
        "Encoding: a picture, an optional transform, a neural field that is fitted to it, integers, an entropy coder,"
        " and the .nfc file. Decoding goes the same way back. " + " ".join(NOTES)
    )
    height = DECODE_Y + HEIGHT + 32 + 21 * len(NOTES)
    return document(WIDTH, height, "From a picture to an .nfc file and back", description, parts)


def _x(column: int) -> float:
    return EDGE + column * (BOX + GAP)


def _row(y: float, steps: Sequence[Step], *, forward: bool) -> list[str]:
    """Boxes from left to right, with an arrow after each."""
    parts: list[str] = []
    for column, step in enumerate(steps):
        x = _x(column)
        parts += [_box(x, y, HEIGHT, dashed=step.optional), *step.icon(x + BOX / 2, y + 36)]
        for i, words in enumerate(step.words):
            below = y + 92 + 17 * i - 8.5 * (len(step.words) - 1)
            parts.append(text(x + BOX / 2, below, words, kind="small", anchor="middle"))
        parts.append(_arrow(x + BOX + 3, x + BOX + GAP - 3, y + HEIGHT / 2, forward=forward))
    return parts


def _box(x: float, y: float, height: float, *, dashed: bool = False) -> str:
    more = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<rect class="box" x="{number(x)}" y="{number(y)}" width="{BOX}" height="{number(height)}" rx="8"{more}/>'


def _arrow(left: float, right: float, y: float, *, forward: bool) -> str:
    tip, back = (right, right - 6) if forward else (left, left + 6)
    head = f"M{number(back)} {number(y - 5)}L{number(tip)} {number(y)}L{number(back)} {number(y + 5)}"
    return f'<path class="arrow" d="M{number(left)} {number(y)}H{number(right)}{head}"/>'


def _picture(x: float, y: float) -> list[str]:
    """A landscape, 52 by 40, around a centre."""
    left, top = x - 26, y - 20
    hills = f"M{number(left)} {number(top + 40)}v-12l14-13l12 11l10-8l16 13v9z"
    return [
        f'<rect x="{number(left)}" y="{number(top)}" width="52" height="40" style="fill: var(--avif)" opacity="0.35"/>',
        f'<circle cx="{number(left + 38)}" cy="{number(top + 11)}" r="6" style="fill: var(--ours)"/>',
        f'<path d="{hills}" style="fill: var(--webp)"/>',
    ]


def _tiles(x: float, y: float) -> list[str]:
    """The same colours in another order."""
    order = "avif webp avif ours webp avif webp avif avif webp avif avif webp ours avif webp avif avif webp avif"
    return [
        f'<rect x="{number(x - 25 + 10 * (i % 5))}" y="{number(y - 20 + 10 * (i // 5))}" width="9" height="9"'
        f' style="fill: var(--{colour})"' + (' opacity="0.35"/>' if colour == "avif" else "/>")
        for i, colour in enumerate(order.split())
    ]


def _network(x: float, y: float) -> list[str]:
    """Two inputs, three units, one output."""
    layers = (((-26, -11), (-26, 11)), ((0, -18), (0, 0), (0, 18)), ((26, 0),))
    ends = [(a, b) for left, right in pairwise(layers) for a in left for b in right]
    path = "".join(f"M{number(x + a[0])} {number(y + a[1])}L{number(x + b[0])} {number(y + b[1])}" for a, b in ends)
    nodes = [node for layer in layers for node in layer]
    return [
        f'<path class="wire" d="{path}"/>',
        *(f'<circle cx="{number(x + a)}" cy="{number(y + b)}" r="5" style="fill: var(--jxl)"/>' for a, b in nodes),
    ]


def _integers(x: float, y: float) -> list[str]:
    rows = ("2 \u22121 0", "0 3 \u22122")
    return [text(x, y - 4 + 21 * i, row, kind="mono", anchor="middle") for i, row in enumerate(rows)]


def _bits(x: float, y: float) -> list[str]:
    return [text(x, y - 4 + 21 * i, row, kind="mono", anchor="middle") for i, row in enumerate(("01101", "10010"))]


def _page(x: float, y: float) -> list[str]:
    """A sheet with a folded corner."""
    outline = f"M{number(x - 21)} {number(y - 27)}h28l14 14v40h-42z"
    fold = f"M{number(x + 7)} {number(y - 27)}v14h14"
    lines = "".join(f"M{number(x - 12)} {number(y - 4 + 9 * i)}h24" for i in range(3))
    return [f'<path class="arrow" d="{outline}{fold}"/>', f'<path class="wire" d="{lines}"/>']
