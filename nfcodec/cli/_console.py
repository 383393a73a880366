"""What the verbs print: data and JSON on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import click

from nfcodec.cli import _streams
from nfcodec.errors import NfcError, UsageError

if TYPE_CHECKING:
    from nfcodec.cli._bar import Line
    from nfcodec.fitting.request import Event


class Draw(Protocol):
    """Draws a bar, and prints a message above it."""

    def __call__(self, line: Line, message: str = "") -> None: ...


STDIO = "-"
_state: dict[str, Any] = {"verbosity": 0, "json": False}


def reset() -> None:
    """Forget the options of an earlier call of `main`."""
    _state.update(verbosity=0, json=False)


def set_json(as_json: bool) -> None:
    """Say whether --json is given."""
    _state["json"] = as_json


def as_json() -> bool:
    """Return whether --json is given."""
    return _state["json"]


def set_verbosity(level: int) -> None:
    """Set -1 for -q, 1 for -v."""
    _state["verbosity"] = level


def verbosity() -> int:
    """Return -1 after -q, 1 or more after -v, else 0."""
    return _state["verbosity"]


def out(text: str) -> None:
    """Print a line on stdout now, so that a closed pipe shows here."""
    _streams.write_line(text)


def out_bytes(data: bytes) -> None:
    """Write raw data to stdout."""
    _streams.write(data)


def out_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout; infinite and undefined numbers become null."""
    _streams.write_json(_finite(value))


def err(text: str) -> None:
    """Print text on stderr; a stderr that is closed is nobody's problem."""
    _streams.write_error(text)


def error(message: str) -> None:
    """Print the one line that says what went wrong."""
    err(f"nfcodec: error: {_one_line(message)}")


def failure(error: BaseException, message: str, code: int) -> dict[str, Any]:
    """Return what --json says about a failure: its message, its exit code, and its class and code in `nfcodec.errors`.

    Errors of other modules have the name of their own class; those of the arguments are all a UsageError.
    """
    if isinstance(error, click.UsageError):
        error = UsageError(message)
    kind, reason = type(error).__name__, error.code if isinstance(error, NfcError) else None
    return {"error": _one_line(message), "code": code, "kind": kind, "reason": reason}


def warning(message: str) -> None:
    """Print a warning, also with -q."""
    err(f"nfcodec: warning: {_one_line(message)}")


def note(message: str) -> None:
    """Print a message for humans unless -q."""
    if verbosity() >= 0:
        err(message)


def remark(text: str) -> None:
    """Print what a user may want to know of a picture or a file, unless -q."""
    note(f"nfcodec: note: {text}")


def version(distribution: str) -> str | None:
    """Return the installed version of a distribution, None without one."""
    from importlib import metadata

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def number(value: float | None, digits: int = 2) -> str:
    """Format a number for humans; None is a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


@contextlib.contextmanager
def progress() -> Generator[Callable[[Event], None] | None]:
    """Yield a listener that draws a bar on stderr, or only prints messages where that is no terminal; None with -q."""
    if verbosity() < 0 or not sys.stderr.isatty():
        yield None if verbosity() < 0 else _log_message
        return
    from nfcodec.cli._bar import Bar

    bar = Bar()
    with drawing() as draw:

        def show(event: Event) -> None:
            draw(bar.line(event), event.message)

        yield show


@contextlib.contextmanager
def drawing(wanted: bool = True) -> Generator[Draw]:
    """Yield what draws a bar on stderr, and prints a message above it; it does nothing where stderr is no terminal.

    There is none with -q, and none where JSON goes to a terminal.
    """
    shared = as_json() and sys.stdout.isatty()
    if not wanted or shared or verbosity() < 0 or not sys.stderr.isatty():
        yield lambda line, message="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from nfcodec.cli._bar import FIRST

    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[psnr]}"),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    )
    task = shown.add_task(FIRST, total=None, left="", psnr="")

    def draw(line: Line, message: str = "") -> None:
        if message:
            shown.console.print(message, markup=False, highlight=False)
        shown.tasks[0].total = None if line.share is None else 1.0  # `update` takes None for no change
        shown.update(task, description=line.name, completed=line.share or 0.0, left=line.left, psnr=line.psnr)

    with shown:
        yield draw


def _log_message(event: Event) -> None:
    if event.message:
        err(event.message)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in " ".join(text.split()))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
