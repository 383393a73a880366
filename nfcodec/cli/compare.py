"""`nfcodec compare`: how far apart two pictures are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nfcodec.cli import _console
from nfcodec.cli._limits import limit_options
from nfcodec.cli._options import FilePath, input_name, json_option, read_picture, verbose_option
from nfcodec.cli._verb import Verb

if TYPE_CHECKING:
    from nfcodec.limits import Limits


@click.command("compare", cls=Verb)
@click.argument("first", metavar="A", type=FilePath(0))
@click.argument("second", metavar="B", type=FilePath(0))
@limit_options
@json_option
@verbose_option
def command(first: str, second: str, as_json: bool, limits: Limits) -> None:
    """Print PSNR and MS-SSIM of two images or .nfc files, over the colour samples, turned as their EXIF says."""
    from nfcodec.errors import UsageError
    from nfcodec.images.exif import upright
    from nfcodec.metrics import ms_ssim, psnr_db

    a, b = (upright(read_picture(source, limits)) for source in (first, second))
    if a.samples.shape != b.samples.shape or a.depth != b.depth:
        sizes = [f"{r.width}x{r.height}, {r.channels} channels of {r.depth} bits" for r in (a, b)]
        raise UsageError(f"cannot compare {input_name(first)} ({sizes[0]}) with {input_name(second)} ({sizes[1]})")
    psnr = psnr_db(a.samples, b.samples, a.peak)
    try:
        similarity = ms_ssim(a.samples, b.samples, a.peak)
    except UsageError:  # too small for five scales
        similarity = None
    identical = a.to_array().tobytes() == b.to_array().tobytes()
    if as_json:
        _console.out_json({"psnr_db": psnr, "ms_ssim": similarity, "identical": identical, "peak": a.peak})
    else:
        _console.out(f"PSNR     {psnr:.4f} dB\nMS-SSIM  {_console.number(similarity, 6)}")
