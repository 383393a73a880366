"""The command `nfcodec`. Each verb is a module that is imported when it is used, torch when an engine needs it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from nfcodec.cli import _console, _signals, _streams
from nfcodec.cli._verb import HelpfulCommand
from nfcodec.errors import NfcError
from nfcodec.version import __version__

VERBS = ("encode", "decode", "info", "verify", "compare", "doctor", "completion")

INTERRUPTED = 130


class LazyGroup(HelpfulCommand, click.Group):
    """A group that finds the command `verb` in the module `nfcodec.cli.verb`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the documentation."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module and return its command."""
        if cmd_name not in VERBS:
            return None
        return importlib.import_module(f"nfcodec.cli.{cmd_name}").command


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        _console.out(f"nfcodec {__version__}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Version.")
def command() -> None:
    """Store pictures as neural fields, in .nfc files that decode to the PSNR that was asked for.

    A neural field is a small function, often a neural network, that takes the place of a pixel and gives its colour.
    It is fitted to the picture, and the file holds its numbers, the weights, rounded and compressed.

    \b
    nfcodec encode photo.png photo.nfc --psnr 40
    nfcodec decode photo.nfc back.png
    nfcodec encode photo.png permuted.nfc --field ngp --transform rpp
    nfcodec encode *.png -o small

    `nfcodec VERB --help` has the options of a verb. `-` stands for standard input or output. Exit codes: 0 ok,
    1 unexpected, 2 usage, 3 cannot read the input, 4 not an .nfc file or corrupt, 5 PSNR or size not reached, 6 limit
    exceeded, 7 cannot write, 129 hung up, 130 interrupted, 143 terminated.
    """


def _without_pillows_warnings(function: Callable[..., int]) -> Callable[..., int]:
    """For the command line, which says in one line what is wrong; a program that uses the package hears them all."""

    @functools.wraps(function)
    def quiet(*arguments: Any) -> int:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            return function(*arguments)

    return quiet


@_without_pillows_warnings
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Without `arguments` it is that of the process, which ends with it: signals that come after the output has got its
    name are ignored from then on.

    Every failure is one line on stderr and, with --json, an object with the keys "error" (the message), "code" (the
    exit code), "kind" (the class of the error) and "reason" (its code, see `nfcodec.errors`) on stdout.
    """
    _streams.open_closed()
    _console.reset()
    try:
        with _signals.as_exceptions(to_the_end=arguments is None):
            result: Any = command.main(args=arguments, prog_name="nfcodec", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        _console.err(error.format_message())
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _stop(KeyboardInterrupt(), "interrupted", INTERRUPTED)
    except _signals.Terminated as error:
        return _stop(error, f"terminated ({error})", error.exit_code)
    except Exception as error:
        return _fail(error)


def _stop(error: BaseException, message: str, code: int) -> int:
    if _signals.committed():  # there is nothing left that could have been stopped
        return 0
    _console.err(f"nfcodec: {message}")
    _as_json(_console.failure(error, message, code))
    return code


def _fail(error: Exception) -> int:
    from nfcodec.cli._work import Failure

    failure = Failure.of(error)
    _console.error(failure.message)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        _console.err(f"Try '{error.ctx.command_path} --help'.")
    elif _console.verbosity() > 0 and not isinstance(error, click.ClickException):
        _console.err(failure.trace)
    _as_json(failure.report)
    return failure.code


def _as_json(report: Mapping[str, Any]) -> None:
    """Print a failure on stdout if that is asked for and possible."""
    if _console.as_json():
        with contextlib.suppress(click.exceptions.Exit, NfcError):
            _console.out_json(report)
