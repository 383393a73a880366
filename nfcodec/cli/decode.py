"""`nfcodec decode`: .nfc files become image files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from nfcodec.cli._inputs import given
from nfcodec.cli._limits import limit_options
from nfcodec.cli._many import run
from nfcodec.cli._options import (
    FilePath,
    Many,
    json_option,
    many_options,
    named,
    output_option,
    overwrite_option,
    quiet_option,
    recursive_option,
    verbose_option,
)
from nfcodec.cli._pictures import format_of, format_options, metadata_options, treated, turned
from nfcodec.cli._verb import Verb
from nfcodec.cli._view import view_options
from nfcodec.cli._work import Job, Made, Work
from nfcodec.errors import FormatError
from nfcodec.images.names import NFC_SUFFIX, WRITTEN_SUFFIXES, free_name, is_nfc_name, is_picture_name

if TYPE_CHECKING:
    from nfcodec.codec import View
    from nfcodec.fitting.request import Listener
    from nfcodec.limits import Limits


@dataclass(frozen=True)
class Decode(Work):
    """Decoding a view to a format."""

    image_format: str
    limits: Limits
    view: View
    quality: int | None = None
    strip: bool = False
    upright: bool = False

    input_suffixes = (NFC_SUFFIX,)
    done = "decoded"

    @property
    def suffix(self) -> str:
        return WRITTEN_SUFFIXES[self.image_format][0]

    def refuse(self, source: str) -> None:
        if is_picture_name(source):
            raise FormatError(f"{source} has the name of a picture, but decode takes .nfc files")

    def check_start(self, head: bytes, source: str) -> None:
        from nfcodec.format import check_start

        check_start(head)

    def open(self, data: bytes, job: Job) -> bytes:
        from nfcodec.codec import inspect
        from nfcodec.images.outputs import check

        with named(job.source):
            info = inspect(data, self.limits, self.view)  # a bad file is a bad file, whatever OUT is
        check(self.image_format, info.depth, info.alpha, self.quality)
        return data

    def advice(self, target: str) -> str:
        return f"IN may have been made from it; name another OUT, as {free_name(target)}"

    def make(self, opened: bytes, job: Job, listen: Listener | None) -> Made:
        from nfcodec.codec import decode
        from nfcodec.images.files import image_bytes, is_turned

        notes: list[str] = []
        with named(job.source):
            raster = decode(opened, self.limits, self.view)
            raster = treated(raster, job.source, self.strip, self.upright, notes.append)
        data = image_bytes(raster, self.image_format, fast=True, quality=self.quality)
        if is_turned(raster, self.image_format):
            notes.append(turned(job.source, f"{self.image_format} cannot hold it"))
        report = {
            "path": job.target,
            "bytes": len(data),
            "format": self.image_format,
            "width": raster.width,
            "height": raster.height,
            "channels": raster.channels,
            "depth": raster.depth,
        }
        return Made(report, data, notes=notes)


@click.command(
    "decode",
    cls=Verb,
    short_help="Decode .nfc files to pictures.",
    epilog="Example: nfcodec decode photo.nfc - --format ppm | display -, or: nfcodec decode *.nfc -o pictures",
)
@click.argument("paths", metavar="IN... [OUT]", nargs=-1, required=True, type=FilePath(0))
@output_option
@format_options
@view_options
@metadata_options
@recursive_option
@many_options
@limit_options
@overwrite_option
@json_option
@quiet_option
@verbose_option
def command(
    paths: tuple[str, ...],
    output: str | None,
    format_name: str | None,
    quality: int | None,
    strip: bool,
    upright: bool,
    recursive: bool,
    overwrite: bool,
    as_json: bool,
    limits: Limits,
    many: Many,
    view: View,
) -> int:
    """Decode the .nfc file IN to the picture OUT; or many files.

    OUT is by default IN with the suffix of the format.

    Several IN, or one and -o with a directory, go each to a picture of their own. Those that exist are skipped.

    PNG and TIFF hold all that IN holds. JPEG, WebP and AVIF have 8 bits a sample, JPEG and PPM no transparency, PPM and
    npy no metadata. JPEG and AVIF are compressed with losses of their own.
    """
    files = given(paths, output, recursive, is_nfc_name)
    target = files.target
    if target is not None and is_nfc_name(target):
        raise click.UsageError(f"{target} has the name of an .nfc file, but decode writes a picture")
    work = Decode(format_name or format_of(target), limits, view, quality, strip, upright)
    return run(work, files, many, overwrite)
