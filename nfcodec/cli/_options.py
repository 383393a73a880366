"""Option types and steps that several verbs share."""

from __future__ import annotations

import contextlib
import functools
import math
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

from nfcodec.cli import _console, _signals, _streams
from nfcodec.cli._console import STDIO
from nfcodec.cli._verb import JSON
from nfcodec.errors import FormatError, LimitError
from nfcodec.images.atomic import REPLACE, check_writable, write_atomic
from nfcodec.images.descriptors import descriptor_of
from nfcodec.images.names import is_nfc_name, is_same_file, with_suffix

if TYPE_CHECKING:
    from nfcodec.images.files import Reading
    from nfcodec.limits import Limits
    from nfcodec.raster import Raster

Function = TypeVar("Function", bound=Callable[..., Any])

_NFC_START = b"\x8bNFC"


def as_stream(path: str, stream: int) -> str:
    """A path, or - if it is a name of standard input (0) or standard output (1), as /dev/stdout."""
    return STDIO if descriptor_of(path) == stream else path


class FilePath(click.Path):
    """A path, which shells complete, or -, as which the names of a standard stream are taken, too.

    Args:
        stream: 0 for standard input, 1 for standard output.
    """

    def __init__(self, stream: int) -> None:
        super().__init__(allow_dash=True)
        self._stream = stream

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return as_stream(value, self._stream)


class FieldChoice(click.Choice[str]):
    """The name of a field; behind a colon there may be what the family reads by itself."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name, colon, arguments = str(value).partition(":")
        return super().convert(name, param, ctx) + colon + arguments


class Transforms(StringParamType):
    """A chain of transforms, joined by +, whose names shells complete one after the other."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from nfcodec.transforms import registered

        before, plus, _ = incomplete.rpartition("+")
        chains = [before + plus + name for name in ("none", *registered())]
        return [CompletionItem(chain) for chain in chains if chain.startswith(incomplete)]


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


class Many(NamedTuple):
    """How many files are worked on.

    Attributes:
        n_processes: that work at the same time on this machine.
        ray: the address of a Ray cluster that does it instead; None without one.
    """

    n_processes: int = 1
    ray: str | None = None


def many_options(function: Function) -> Function:
    """Add -j and --ray, and hand them over as `many`."""

    @functools.wraps(function)
    def grouped(*args: Any, n_processes: int | None, ray: str | None, **options: Any) -> Any:
        if n_processes is not None and ray is not None:
            raise click.UsageError("-j is for this machine, and --ray for others: give one of them at most")
        return function(*args, many=Many(n_processes or 1, ray), **options)

    for option in (
        click.option("--ray", metavar="ADDRESS",
                     help="Work on a Ray cluster; `auto` is the one that runs here, `local` one for this call."),
        click.option("-j", "--jobs", "n_processes", type=click.IntRange(1), metavar="N",
                     help="Work on N files at a time, which share the cores.  [default: 1]"),
    ):  # fmt: skip
        grouped = option(grouped)
    return grouped  # pyright: ignore[reportReturnType]


def recursive_option(function: Function) -> Function:
    """Add -r."""
    return click.option("-r", "--recursive", is_flag=True, help="Take the files in directories, and below.")(function)


def output_option(function: Function) -> Function:
    """Add -o."""
    return click.option(
        "-o", "--output", type=FilePath(1), metavar="PATH",
        help="A directory for what is made, which is created if needed; or OUT, if PATH is named like a file.",
    )(function)  # fmt: skip


def overwrite_option(function: Function) -> Function:
    """Add -f."""
    return click.option("-f", "--overwrite", is_flag=True, help="Replace outputs that exist.")(function)


def json_option(function: Function) -> Function:
    """Add --json. A failure prints one with "error", "code", "kind" and "reason", which `nfcodec.cli` describes."""
    return click.option(
        JSON, "as_json", is_flag=True,
        help='Print a JSON object a file on stdout; {"error", "code", "kind", "reason"} if something goes wrong.',
    )(function)  # fmt: skip


def default_output(source: str, target: str | None, suffix: str) -> str:
    """Return OUT, or IN with another suffix; stdin goes to stdout."""
    if target is not None:
        return target
    return STDIO if source == STDIO else with_suffix(source, suffix)


def check_output(source: str, target: str, overwrite: bool, advice: str = REPLACE) -> None:
    """Fail before the work if OUT cannot be written. Raises WriteError, or a usage error for a terminal and for IN."""
    if target == STDIO and sys.stdout.isatty():
        raise click.UsageError("will not write binary data to a terminal; redirect it or name OUT")
    if is_same_file(0 if source == STDIO else source, 1 if target == STDIO else target):
        raise click.UsageError(f"IN and OUT are the same file, {_output_name(target)}; name another OUT")
    if target != STDIO:
        check_writable(target, overwrite, advice)


def write_output(target: str, data: bytes, overwrite: bool, advice: str = REPLACE) -> None:
    """Write to a file atomically, or to stdout. When this returns, signals can no longer undo it."""
    if target == STDIO:
        _console.out_bytes(data)
        _signals.commit()
    else:
        write_atomic(target, data, overwrite, advice, commit=_signals.commit)


def read_nfc(source: str, limits: Limits) -> bytes:
    """Read all of an .nfc file, or of stdin, within the limits. Only what is no .nfc file at all is noticed."""
    from nfcodec.format import check_start

    return read_file(source, check_start, limits)


def read_file(source: str, check_start: Callable[[bytes], object], limits: Limits) -> bytes:
    """Read all of a file or stdin, within the limits; `check_start` gets the first bytes before others are read."""
    from nfcodec.images.files import read_bytes

    with named(source):
        stream = _streams.standard_input() if source == STDIO else source
        return read_bytes(stream, limits, check_start, input_name(source))


def input_name(source: str) -> str:
    """Name an input in a message."""
    return "standard input" if source == STDIO else source


def _output_name(target: str) -> str:
    return "standard output" if target == STDIO else target


def is_nfc(data: bytes) -> bool:
    """Whether a file's content is meant to be an .nfc file, be it damaged or not."""
    return data.startswith(_NFC_START)


@contextlib.contextmanager
def named(source: str) -> Generator[None]:
    """Let errors about the content of an .nfc file begin with its name."""
    try:
        yield
    except (FormatError, LimitError) as error:
        error.say(f"{input_name(source)}: {error}")
        raise


def reading(source: str, frame: int | None, tell: Callable[[str], object]) -> Reading:
    """How to read the image file IN; `tell` gets remarks on it."""
    from nfcodec.images.files import Reading

    return Reading(frame, lambda text: tell(f"{input_name(source)}: {text}"))


def read_picture(source: str, limits: Limits, frame: int | None = None) -> Raster:
    """Read an image file, or decode an .nfc file; remarks on it are printed."""
    return read_sized_picture(source, limits, frame)[0]


def read_sized_picture(source: str, limits: Limits, frame: int | None = None) -> tuple[Raster, int]:
    """The same, with the bytes of the file."""
    from nfcodec.codec import decode
    from nfcodec.format import check_start
    from nfcodec.images.files import picture_start, raster_from_bytes

    def is_meant_as_nfc(data: bytes) -> bool:
        return is_nfc(data) or is_nfc_name(source)

    def check(head: bytes) -> None:
        (check_start if is_meant_as_nfc(head) else picture_start(input_name(source)))(head)

    data = read_file(source, check, limits)
    with named(source):
        if is_meant_as_nfc(data):
            return decode(data, limits), len(data)
        how = reading(source, frame, _console.remark)
        return raster_from_bytes(data, limits, input_name(source), how), len(data)
