"""The page of `nfcodec compare`: two pictures to wipe between, a map of their differences, and numbers."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from nfcodec.images.files import image_bytes
from nfcodec.metrics import psnr_db
from nfcodec.pages import differences
from nfcodec.pages.differences import COLOURS, WHITE_RMS, Difference, Floats, error_map, heat
from nfcodec.pages.document import Side, document, fitting_the_window, wipe
from nfcodec.pages.elements import (
    STYLE,
    Cell,
    decibels,
    facts,
    heading,
    main,
    number,
    paragraph,
    printable,
    section,
    table,
)
from nfcodec.pages.pictures import Shown
from nfcodec.raster import Raster
from nfcodec.version import __version__

MAP_STYLE = f"""
.map .view {{ overflow: auto; max-height: 85vh; }}
.map img {{ display: block; width: 100%; max-width: var(--fit); height: auto; min-height: 4px; }}
.map img {{ image-rendering: pixelated; }}
.map img.shrunk {{ image-rendering: auto; }}
.scale {{ max-width: 24rem; margin-top: 0.75rem; color: var(--soft); font-size: 0.8rem; }}
.scale div:first-child {{
  height: 0.75rem; border: 1px solid var(--line); border-radius: 3px;
  background: linear-gradient(to right, {", ".join(f"{colour} {share:.0%}" for share, colour in COLOURS)});
}}
.scale div:last-child {{ display: grid; grid-template-columns: 25% 1fr auto; }}
.stage img {{ background: repeating-conic-gradient(#888 0 25%, #aaa 0 50%) 0 0 / 1rem 1rem; }}
"""
"""Pictures with alpha lie on a chequered ground."""

_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "middle", "right")


@dataclass(frozen=True)
class Source:
    """One of the two pictures.

    Attributes:
        name: of its file.
        raster: turned as its EXIF says.
        icc: its profile, if it has one.
    """

    name: str
    raster: Raster
    icc: bytes | None = None


def comparison_page(first: Source, second: Source, sizes: tuple[int, int], ms_ssim: float | None) -> str:
    """The whole page as HTML.

    Args:
        first, second: pictures of one size, number of channels and depth.
        sizes: of their files, in bytes.
        ms_ssim: of the two; None where they are too small for it.
    """
    first, second = named(first, second)
    psnr = psnr_db(first.raster.samples, second.raster.samples, first.raster.peak)
    names, bpp = [first.name, second.name], [8 * size / first.raster.n_pixels for size in sizes]
    values = [
        ("PSNR", decibels(psnr)),
        ("MS-SSIM", "the picture is too small" if ms_ssim is None else f"{ms_ssim:.6f}"),
        *((f"{name}, bits a pixel", number(bits, 3)) for name, bits in zip(names, bpp, strict=True)),
    ]
    return document(
        f"{names[0]} and {names[1]}",
        [
            f"Compared by nfcodec {__version__}, over the stored samples, both pictures turned as their EXIF says."
            " PSNR and MS-SSIM are of the colours; alpha, where there is any, has its own line.",
        ],
        main(section("Numbers", facts(values), _files(first, second, sizes, bpp)), *pictures(first, second)),
        style=STYLE + MAP_STYLE,
    )


def named(first: Source, second: Source) -> tuple[Source, Source]:
    """The same with names for a page that may be sent: without folders, unless these tell the two apart."""
    short = [os.path.basename(each.name) or each.name for each in (first, second)]
    names = short if short[0] != short[1] else [first.name, second.name]
    return replace(first, name=printable(names[0])), replace(second, name=printable(names[1]))


def pictures(first: Source, second: Source) -> Sequence[str]:
    """Sections: the two to wipe between, and how they differ. Their names are as they are shown, see `named`."""
    a, b, shown = first.raster, second.raster, Shown.of(first.raster.height, first.raster.width)
    sides = (Side.of_png(each.name, shown.png(each.raster, each.icc)) for each in (first, second))
    note = "" if shown.note is None else paragraph(shown.note)
    found, errors = differences.by_channel(a, b), error_map(a.samples, b.samples, shown.factor)
    return [
        section("Side by side", note, wipe(*sides, pixels=(a.width, a.height))),
        section("Differences", _map(errors, found[0], a.peak), *_numbers(first, second, found)),
    ]


def diff_png(a: Raster, b: Raster) -> bytes:
    """The map of differences with all pixels, as an RGB PNG of 8 bits; black where nothing differs."""
    errors = error_map(a.samples, b.samples)
    return image_bytes(Raster(heat(errors, WHITE_RMS * _rms(a, b))), "png", fast=True)


def _rms(a: Raster, b: Raster) -> float:
    psnr = psnr_db(a.samples, b.samples, a.peak)
    return 0.0 if math.isinf(psnr) else a.peak * 10 ** (-psnr / 20)


def _files(first: Source, second: Source, sizes: Sequence[int], bpp: Sequence[float]) -> str:
    rows: list[list[Cell]] = []
    for each, n_bytes, bits in zip((first, second), sizes, bpp, strict=True):
        raster = each.raster
        kind = f"{raster.channels} x {raster.depth} bits" + (", alpha" if raster.alpha is not None else "")
        size = f"{raster.width} x {raster.height}"
        rows.append([each.name, size, kind, n_bytes, bits])
    columns = ("file", "pixels", "samples of a pixel", "bytes", "bits a pixel")
    return table("The two files", columns, rows, digits=3, long=(0,))


def _map(errors: Floats, overall: Difference, peak: int) -> str:
    if not overall.largest:
        return paragraph("All colour samples are the same, so there is no map.")
    white = WHITE_RMS * overall.rms
    png = image_bytes(Raster(heat(errors, white)), "png", fast=True)
    over = float((errors > white).mean())
    alt = (
        f"Map of the differences. Their RMS is {overall.rms:.2f} of {peak}, the largest is {overall.largest};"
        f" {over:.2%} of the map is at the end of its scale. A table below has the PSNR of each part of the picture."
    )
    ends = ("0", f"{overall.rms:.2f}", f"{white:.2f} and more")
    labels = "".join(f"<span>{escape(text)}</span>" for text in ends)
    scale = f'<div class="scale" aria-hidden="true"><div></div><div>{labels}</div></div>'
    caption = (
        "The RMS difference of each pixel over its channels. The scale ends at"
        f" {WHITE_RMS:g} times the RMS difference of the whole picture, which is {overall.rms:.2f} of {peak}."
    )
    image = f'<div class="view" role="region" aria-label="Map">{Side.of_png(alt, png).image}</div>'
    fitting = fitting_the_window((errors.shape[1], errors.shape[0]))
    return f'<figure class="map"{fitting}>{image}{scale}<figcaption>{escape(caption)}</figcaption></figure>\n'


def _numbers(first: Source, second: Source, found: Sequence[Difference]) -> list[str]:
    a, b = first.raster, second.raster
    channels: list[list[Cell]] = [
        [each.name, each.psnr_db, each.rms, each.mean, each.largest, 100 * each.equal] for each in found
    ]
    columns = ("channel", "PSNR in dB", "RMS", "mean", "largest", "equal, in %")
    parts = differences.by_part(a.samples, b.samples, a.peak)
    return [
        heading("By channel"),
        table("Differences by channel", columns, channels),
        paragraph(
            f"RMS, mean and largest difference are in units of samples, 0 to {a.peak}; means are of"
            f" {second.name} minus {first.name}.",
            "notes",
        ),
        heading("By part of the picture, PSNR in dB"),
        table(
            "PSNR by part of the picture",
            ("", *_names(_COLUMNS, len(parts[0]))),
            [[name, *row] for name, row in zip(_names(_ROWS, len(parts)), parts, strict=True)],
        ),
    ]


def _names(names: Sequence[str], n: int) -> Sequence[str]:
    """Of three parts of a side, or of fewer."""
    return names if n == len(names) else [names[0], names[-1]] if n == 2 else names[1:2]
