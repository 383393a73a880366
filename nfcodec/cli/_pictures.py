"""What verbs that read or write image files share: which format, and what becomes of metadata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nfcodec.cli._console import STDIO
from nfcodec.cli._options import input_name
from nfcodec.images.names import WRITTEN_SUFFIXES, format_of_suffix

if TYPE_CHECKING:
    from nfcodec.raster import Raster

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_FORMAT = "png"


class FormatName(click.Choice[str]):
    """The name of a format that pictures are written in, or a suffix of its files without the dot, such as jpg."""

    def __init__(self) -> None:
        super().__init__(list(WRITTEN_SUFFIXES), case_sensitive=False)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert(format_of_suffix(f".{value}") or value, param, ctx)


def format_options(function: Function) -> Function:
    """Add --format and --quality."""
    for option in (
        click.option("--quality", type=click.IntRange(1, 100), metavar="N",
                     help="Of a JPEG (95 if left out), an AVIF (90), or a WebP (without loss if left out)."),
        click.option("--format", "format_name", type=FormatName(),
                     help="Default: what the suffix of OUT says; png where there is none."),
    ):  # fmt: skip
        function = option(function)
    return function


def format_of(target: str | None) -> str:
    """The format that the suffix of OUT says; the default where there is none. Raises a usage error for another one."""
    suffix = "" if target is None or target == STDIO else PurePath(target).suffix
    if not suffix:
        return DEFAULT_FORMAT
    found = format_of_suffix(suffix)
    if found is None:
        known = ", ".join(suffixes[0] for suffixes in WRITTEN_SUFFIXES.values())
        raise click.UsageError(f"cannot write {suffix} files; name OUT {known}, or say --format")
    return found


def metadata_options(function: Function) -> Function:
    """Add --strip and --upright."""
    for option in (
        click.option("--upright", is_flag=True,
                     help="Turn the pixels as EXIF says, and let it say that they are upright."),
        click.option("--strip", is_flag=True,
                     help="Leave out all metadata: ICC profile, EXIF and XMP. Pixels are turned as EXIF says."),
    ):  # fmt: skip
        function = option(function)
    return function


def frame_option(of: str) -> Callable[[Function], Function]:
    """Add --frame, of a picture that is called `of` in the help."""
    return click.option(
        "--frame",
        type=click.IntRange(0),
        metavar="N",
        help=f"The frame or page of {of} that is read, where there are several; the first is 0.",
    )


def treated(raster: Raster, source: str, strip: bool, upright: bool, tell: Callable[[str], object]) -> Raster:
    """What --strip and --upright make of the picture of IN; `tell` gets remarks on what a user may not expect."""
    from nfcodec.images import exif

    if strip:
        if exif.orientation(raster.metadata.get("exif", b"")) != 1:
            tell(turned(source, "--strip leaves it out"))
        if "icc" in raster.metadata:
            name = input_name(source)
            tell(f"the colour profile in {name} is left out, so programs will take the colours for sRGB")
    if strip or upright:
        raster = exif.upright(raster)
    return replace(raster, metadata={}) if strip else raster


def turned(source: str, reason: str) -> str:
    """A remark that pixels were turned though nobody asked for it."""
    return f"the pixels are turned as the EXIF in {input_name(source)} says, because {reason}"
