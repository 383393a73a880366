"""`nfcodec decode`: an .nfc file becomes an image file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nfcodec.cli import _console
from nfcodec.cli._limits import limit_options
from nfcodec.cli._options import (
    FilePath,
    check_output,
    default_output,
    named,
    overwrite_option,
    quiet_option,
    read_nfc,
    verbose_option,
    write_output,
)
from nfcodec.cli._pictures import format_of, format_options, metadata_options, treated, turned
from nfcodec.cli._verb import Verb
from nfcodec.images.names import WRITTEN_SUFFIXES, free_name, is_nfc_name

if TYPE_CHECKING:
    from nfcodec.limits import Limits


@click.command(
    "decode", cls=Verb, pattern="*.nfc", epilog="Example: nfcodec decode photo.nfc - --format ppm | display -"
)
@click.argument("source", metavar="IN", type=FilePath(0))
@click.argument("target", metavar="[OUT]", required=False, type=FilePath(1))
@format_options
@metadata_options
@limit_options
@overwrite_option
@quiet_option
@verbose_option
def command(
    source: str,
    target: str | None,
    format_name: str | None,
    quality: int | None,
    strip: bool,
    upright: bool,
    overwrite: bool,
    limits: Limits,
) -> None:
    """Decode the .nfc file IN to the image OUT, by default IN with the suffix of the format.

    PNG and TIFF hold all that IN holds. JPEG, WebP and AVIF have 8 bits a sample, JPEG and PPM no transparency, PPM and
    npy no metadata. JPEG and AVIF are compressed with losses of their own.
    """
    if target is not None and is_nfc_name(target):
        raise click.UsageError(f"{target} has the name of an .nfc file, but decode writes a picture")
    image_format = format_name or format_of(target)
    out = default_output(source, target, WRITTEN_SUFFIXES[image_format][0])
    from nfcodec.codec import decode, inspect

    data = read_nfc(source, limits)
    with named(source):
        info = inspect(data, limits)  # a bad file is a bad file, whatever OUT is
    from nfcodec.images.outputs import check

    check(image_format, info.depth, info.alpha, quality)
    advice = f"IN may have been made from it; name another OUT, as {free_name(out)}"
    check_output(source, out, overwrite, advice)
    from nfcodec.images.files import image_bytes, is_turned

    notes: list[str] = []
    with named(source):
        raster = treated(decode(data, limits), source, strip, upright, notes.append)
    write_output(out, image_bytes(raster, image_format, fast=True, quality=quality), overwrite, advice)
    if is_turned(raster, image_format):
        notes.append(turned(source, f"{image_format} cannot hold it"))
    for each in notes:
        _console.remark(each)
