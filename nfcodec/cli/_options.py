"""Option types and steps that several verbs share."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nfcodec.cli import _console
from nfcodec.cli._console import STDIO
from nfcodec.cli._verb import JSON
from nfcodec.errors import FormatError, LimitError

if TYPE_CHECKING:
    from nfcodec.raster import Raster

Function = TypeVar("Function", bound=Callable[..., Any])

NFC_SUFFIX = ".nfc"
_NFC_START = b"\x8bNFC"


class FieldChoice(click.Choice[str]):
    """The name of a field; behind a colon there may be what the family reads by itself."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name, colon, arguments = str(value).partition(":")
        return super().convert(name, param, ctx) + colon + arguments


def positive(maximum: float = math.inf) -> Callable[[click.Context, click.Parameter, float | None], float | None]:
    """Return an option callback that accepts finite numbers in (0, maximum], and no number at all."""

    def check(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
        if value is not None and not (math.isfinite(value) and 0 < value <= maximum):
            bound = "" if math.isinf(maximum) else f" and at most {maximum:g}"
            raise click.BadParameter(f"{value:g} must be finite, greater than 0{bound}")
        return value

    return check


def _set_verbose(_ctx: click.Context, _param: click.Parameter, value: int) -> None:
    if value:
        _console.set_verbosity(value)


def _set_quiet(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        _console.set_verbosity(-1)


def verbose_option(function: Function) -> Function:
    """Add -v."""
    return click.option(
        "-v", "--verbose", count=True, is_eager=True, expose_value=False, callback=_set_verbose,
        help="Say more; show the traceback of an error.",
    )(function)  # fmt: skip


def quiet_option(function: Function) -> Function:
    """Add -q."""
    return click.option(
        "-q", "--quiet", is_flag=True, is_eager=True, expose_value=False, callback=_set_quiet,
        help="Only warnings and errors.",
    )(function)  # fmt: skip


def overwrite_option(function: Function) -> Function:
    """Add -f."""
    return click.option("-f", "--overwrite", is_flag=True, help="Replace OUT if it exists.")(function)


def json_option(function: Function) -> Function:
    """Add --json. A failure prints one with the keys "error", "code" and "kind", which `nfcodec.cli` describes."""
    return click.option(
        JSON, "as_json", is_flag=True,
        help='Print one JSON object on stdout; {"error", "code", "kind"} if something goes wrong.',
    )(function)  # fmt: skip


def default_output(source: str, target: str | None, suffix: str) -> str:
    """Return OUT, or IN with another suffix; stdin goes to stdout."""
    if target is not None:
        return target
    return STDIO if source == STDIO else str(Path(source).with_suffix(suffix))


def check_output(target: str, overwrite: bool) -> None:
    """Fail before the work if OUT cannot be written. Raises WriteError, or a usage error for a terminal."""
    if target == STDIO:
        if sys.stdout.isatty():
            raise click.UsageError("will not write binary data to a terminal; redirect it or name OUT")
        return
    from nfcodec.images.atomic import check_writable

    check_writable(target, overwrite)


def write_output(target: str, data: bytes, overwrite: bool) -> None:
    """Write to a file atomically, or to stdout."""
    if target == STDIO:
        _console.out_bytes(data)
        return
    from nfcodec.images.atomic import write_atomic

    write_atomic(target, data, overwrite)


def read_input(source: str) -> bytes:
    """Read all of a file or stdin, within the limits."""
    from nfcodec.images.files import read_bytes

    return read_bytes(sys.stdin.buffer if source == STDIO else source)


def input_name(source: str) -> str:
    """Name an input in a message."""
    return "standard input" if source == STDIO else source


def is_nfc(data: bytes) -> bool:
    """Whether a file's content is meant to be an .nfc file, be it damaged or not."""
    return data.startswith(_NFC_START)


@contextlib.contextmanager
def named(source: str) -> Generator[None]:
    """Let errors about the content of an .nfc file begin with its name."""
    try:
        yield
    except (FormatError, LimitError) as error:
        raise type(error)(f"{input_name(source)}: {error}") from error


def read_picture(source: str) -> Raster:
    """Read an image file, or decode an .nfc file."""
    data = read_input(source)
    if is_nfc(data) or source.endswith(NFC_SUFFIX):
        from nfcodec.codec import decode

        with named(source):
            return decode(data)
    from nfcodec.images.files import raster_from_bytes

    return raster_from_bytes(data, name=input_name(source))
