"""`nfcodec decode`: an .nfc file becomes an image file."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, cast

import click

from nfcodec.cli import _console
from nfcodec.cli._limits import limit_options
from nfcodec.cli._options import (
    STDIO,
    FilePath,
    check_output,
    default_output,
    input_name,
    named,
    overwrite_option,
    quiet_option,
    read_nfc,
    verbose_option,
    write_output,
)
from nfcodec.cli._verb import Verb
from nfcodec.images.names import free_name, is_nfc_name

if TYPE_CHECKING:
    from nfcodec.images.files import ImageFormat
    from nfcodec.limits import Limits

_BY_SUFFIX = {".png": "png", ".ppm": "ppm", ".pgm": "ppm", ".pnm": "ppm", ".npy": "npy"}
_FOREIGN = {".jpg", ".jpeg", ".jxl", ".webp", ".avif", ".heic", ".tif", ".tiff", ".gif", ".bmp", ".jp2"}


@click.command(
    "decode", cls=Verb, pattern="*.nfc", epilog="Example: nfcodec decode photo.nfc - --format ppm | display -"
)
@click.argument("source", metavar="IN", type=FilePath(0))
@click.argument("target", metavar="[OUT]", required=False, type=FilePath(1))
@click.option("--format", "format_name", type=click.Choice(["png", "ppm", "npy"]),
              help="Default: what the suffix of OUT says, else png.")  # fmt: skip
@limit_options
@overwrite_option
@quiet_option
@verbose_option
def command(source: str, target: str | None, format_name: str | None, overwrite: bool, limits: Limits) -> None:
    """Decode the .nfc file IN to the image OUT, by default IN with the suffix of the format."""
    if target is not None and is_nfc_name(target):
        raise click.UsageError(f"{target} has the name of an .nfc file, but decode writes a picture")
    image_format = cast("ImageFormat", format_name or _format_of(target))
    out = default_output(source, target, f".{image_format}")
    from nfcodec.codec import decode, inspect

    data = read_nfc(source, limits)
    with named(source):
        inspect(data, limits)  # a bad file is a bad file, whatever OUT is
    advice = f"IN may have been made from it; name another OUT, as {free_name(out)}"
    check_output(source, out, overwrite, advice)
    from nfcodec.images.files import image_bytes, is_turned

    with named(source):
        raster = decode(data, limits)
    write_output(out, image_bytes(raster, image_format, fast=True), overwrite, advice)
    if is_turned(raster, image_format):
        what = f"the pixels are turned as the EXIF in {input_name(source)} says"
        _console.note(f"nfcodec: note: {what}, because {image_format} cannot hold it")


def _format_of(target: str | None) -> str:
    if target is None or target == STDIO:
        return "png"
    suffix = PurePath(target).suffix.lower()
    if suffix in _FOREIGN:
        raise click.UsageError(f"cannot write {suffix}: name OUT .png, .ppm or .npy, or say --format")
    return _BY_SUFFIX.get(suffix, "png")
