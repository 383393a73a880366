"""`nfcodec compare`: how far apart two pictures are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nfcodec.cli import _console
from nfcodec.cli._extra import check_extra, write_extra
from nfcodec.cli._limits import limit_options
from nfcodec.cli._options import (
    FilePath,
    input_name,
    json_option,
    overwrite_option,
    read_sized_picture,
    verbose_option,
)
from nfcodec.cli._pictures import frame_option
from nfcodec.cli._verb import Verb

if TYPE_CHECKING:
    from nfcodec.limits import Limits
    from nfcodec.pages.comparison import Source

HTML, DIFF = "--html", "--diff"


@click.command("compare", cls=Verb, short_help="Measure how close two pictures are.")
@click.argument("first", metavar="A", type=FilePath(0))
@click.argument("second", metavar="B", type=FilePath(0))
@click.option(HTML, type=FilePath(1), metavar="OUT",
              help="Also write a page to look at both in a browser: a slider between them, a map of the differences,"
                   " and numbers.")  # fmt: skip
@click.option(DIFF, type=FilePath(1), metavar="OUT",
              help="Also write the map of the differences as a PNG: black where there are none, the brighter the"
                   " larger, up to four times their RMS.")  # fmt: skip
@frame_option("A")
@overwrite_option
@limit_options
@json_option
@verbose_option
def command(
    first: str,
    second: str,
    html: str | None,
    diff: str | None,
    frame: int | None,
    overwrite: bool,
    as_json: bool,
    limits: Limits,
) -> None:
    """Print PSNR and MS-SSIM of two pictures or .nfc files, over the colour samples, turned as their EXIF says."""
    from nfcodec.errors import UsageError
    from nfcodec.metrics import ms_ssim, psnr_db

    others = {"A": first, "B": second}
    if html is not None:
        check_extra(HTML, html, others, overwrite, (".html",))
    if diff is not None:
        check_extra(DIFF, diff, others if html is None else {**others, HTML: html}, overwrite, (".png",))
    (left, left_bytes), (right, right_bytes) = _source(first, limits, frame), _source(second, limits)
    a, b = left.raster, right.raster
    if a.samples.shape != b.samples.shape or a.depth != b.depth:
        sizes = [f"{r.width}x{r.height}, {r.channels} channels of {r.depth} bits" for r in (a, b)]
        raise UsageError(f"cannot compare {left.name} ({sizes[0]}) with {right.name} ({sizes[1]})")
    psnr = psnr_db(a.samples, b.samples, a.peak)
    try:
        similarity = ms_ssim(a.samples, b.samples, a.peak)
    except UsageError:  # too small for five scales
        similarity = None
    identical = a.to_array().tobytes() == b.to_array().tobytes()
    if html is not None:
        from nfcodec.pages.comparison import comparison_page

        write_extra(html, comparison_page(left, right, (left_bytes, right_bytes), similarity).encode(), overwrite)
    if diff is not None:
        from nfcodec.pages.comparison import diff_png

        write_extra(diff, diff_png(a, b), overwrite)
    if as_json:
        _console.out_json({"psnr_db": psnr, "ms_ssim": similarity, "identical": identical, "peak": a.peak})
    else:
        _console.out(f"PSNR     {psnr:.4f} dB\nMS-SSIM  {_console.number(similarity, 6)}")


def _source(path: str, limits: Limits, frame: int | None = None) -> tuple[Source, int]:
    """A picture, and the bytes of its file."""
    from nfcodec.images.exif import upright
    from nfcodec.pages.comparison import Source

    raster, n_bytes = read_sized_picture(path, limits, frame)
    return Source(input_name(path), upright(raster), raster.metadata.get("icc")), n_bytes
