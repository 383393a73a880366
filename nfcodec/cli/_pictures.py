"""What verbs that write image files share: which format, and how."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any, TypeVar

import click

from nfcodec.cli._console import STDIO
from nfcodec.images.names import WRITTEN_SUFFIXES, format_of_suffix

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
                     help="Of a JPEG (95 if left out), an AVIF (90), or a WebP (without loss if left out), 1 to 100."),
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
