"""`nfcodec decode`: an .nfc file becomes an image file."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, cast

import click

from nfcodec.cli._options import (
    STDIO,
    check_output,
    default_output,
    named,
    overwrite_option,
    quiet_option,
    read_input,
    verbose_option,
    write_output,
)
from nfcodec.cli._verb import Verb

if TYPE_CHECKING:
    from nfcodec.images.files import ImageFormat

_BY_SUFFIX = {".png": "png", ".ppm": "ppm", ".pgm": "ppm", ".pnm": "ppm", ".npy": "npy"}
_FOREIGN = {".jpg", ".jpeg", ".jxl", ".webp", ".avif", ".heic", ".tif", ".tiff", ".gif", ".bmp", ".jp2"}


@click.command("decode", cls=Verb, epilog="Example: nfcodec decode photo.nfc - --format ppm | display -")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="[OUT]", required=False)
@click.option("--format", "format_name", type=click.Choice(["png", "ppm", "npy"]),
              help="Default: what the suffix of OUT says, else png.")  # fmt: skip
@overwrite_option
@quiet_option
@verbose_option
def command(source: str, target: str | None, format_name: str | None, overwrite: bool) -> None:
    """Decode the .nfc file IN to the image OUT, by default IN with the suffix of the format."""
    image_format = cast("ImageFormat", format_name or _format_of(target))
    out = default_output(source, target, f".{image_format}")
    from nfcodec.codec import decode, inspect

    data = read_input(source)
    with named(source):
        inspect(data)  # a bad file is a bad file, whatever OUT is
    check_output(out, overwrite)
    from nfcodec.images.files import image_bytes

    with named(source):
        raster = decode(data)
    write_output(out, image_bytes(raster, image_format, fast=True), overwrite)


def _format_of(target: str | None) -> str:
    if target is None or target == STDIO:
        return "png"
    suffix = PurePath(target).suffix.lower()
    if suffix in _FOREIGN:
        raise click.UsageError(f"cannot write {suffix}: name OUT .png, .ppm or .npy, or say --format")
    return _BY_SUFFIX.get(suffix, "png")
