"""What a verb does with a file, wherever that is done: in this process, in another one, or on another machine.

The bytes of a file come in, those of another may come out. Reading, writing and printing are left to who asks for it.
"""

from __future__ import annotations

import contextlib
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from nfcodec.cli import _console
from nfcodec.cli._extra import write_extra
from nfcodec.cli._options import check_output, read_file, write_output
from nfcodec.errors import LimitError, NfcError
from nfcodec.images.atomic import REPLACE

if TYPE_CHECKING:
    from nfcodec.fitting.request import Listener
    from nfcodec.limits import Limits

OUT_OF_MEMORY = LimitError.exit_code


class Job(NamedTuple):
    """A file.

    Attributes:
        source: where it comes from, a path or "-".
        target: where the file that is made of it goes, a path or "-"; None where none is made.
    """

    source: str
    target: str | None = None


class Failure(NamedTuple):
    """Why there is no result, or why it is not what it should be.

    Attributes:
        message: for people, in one line.
        code: the exit code.
        report: what --json says about it.
        trace: where it happened in the program; empty if that is of no interest.
    """

    message: str
    code: int
    report: dict[str, Any]
    trace: str = ""

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """What is said of an error, be it one of those that are raised on purpose or not."""
        from nfcodec.cli._limits import message_of

        if isinstance(error, NfcError):
            message, code = message_of(error), error.exit_code
        elif isinstance(error, click.ClickException):
            message, code = error.format_message(), error.exit_code
        elif isinstance(error, MemoryError):
            message, code = "out of memory", OUT_OF_MEMORY
        else:
            message, code = f"internal error: {type(error).__name__}: {error}", 1
        trace = "" if error.__traceback__ is None else "".join(traceback.format_exception(error)).rstrip()
        return cls(message, code, _console.failure(error, message, code), trace)


@dataclass(frozen=True)
class Made:
    """What was made of a file.

    Attributes:
        report: what --json prints.
        data: of the file that is to be written; None if none is.
        extras: further files to write, by path; of one file only, never of many.
        text: the result for people where there is no --json, which goes to standard output.
        summary: one line about it.
        notes: for people; with many files only for those who want to know more.
        details: for those who want to know more.
        warnings: for everybody.
        failure: why it is not what it should be.
    """

    report: dict[str, Any]
    data: bytes | None = None
    extras: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    text: str = ""
    summary: str = ""
    notes: Sequence[str] = ()
    details: Sequence[str] = ()
    warnings: Sequence[str] = ()
    failure: Failure | None = None


Outcomes = Generator[tuple[Job, Made | Failure], None, None]
"""What comes of files, in any order."""


class Work(ABC):
    """A verb and its options, without those that say where files are and what is printed.

    It is sent to wherever a file is done, so it is small and imports what it needs only there.
    """

    limits: Limits

    input_suffixes: Collection[str] = ()
    """In small letters, of the files that are taken from directories."""

    done = "done"
    """What is said of files that have been worked on."""

    tells = False
    """Whether it takes so long that it tells how far it is."""

    is_quick = False
    """Whether it takes less time than to start a process."""

    @property
    def suffix(self) -> str | None:
        """Of outputs; None for verbs that make none."""
        return None

    def refuse(self, source: str) -> None:
        """Raise an NfcError for an input whose very name says that it is none; for many inputs, as of a wildcard."""
        return

    def check_extras(self, job: Job, overwrite: bool) -> None:
        """Raise an error where a file that is written beside the output cannot be."""
        return

    @abstractmethod
    def check_start(self, head: bytes, source: str) -> None:
        """Raise an NfcError for a file that does not begin like an input."""

    @abstractmethod
    def open(self, data: bytes, job: Job) -> Any:
        """Look into a file before anything is made of it; raises an NfcError for a bad one."""

    @abstractmethod
    def make(self, opened: Any, job: Job, listen: Listener | None) -> Made:
        """Do the work. Raises an NfcError where that fails.

        Args:
            opened: what `open` has returned.
            job: the file, whose names stand in messages and in the report.
            listen: told how far it is, where the work `tells`; None if nobody wants to know.
        """

    def advice(self, target: str) -> str:
        """What to do where a file of the name of the target exists already."""
        return REPLACE


def attempt(work: Work, job: Job, data: bytes, listen: Listener | None = None) -> Made | Failure:
    """Do the work on the bytes of a file; whatever goes wrong becomes what is to be said of it."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            return work.make(work.open(data, job), job, listen)
    except Exception as error:
        return Failure.of(error)


def read(work: Work, job: Job) -> bytes:
    """Read a file, or standard input, as far as it may be an input of the work."""
    return read_file(job.source, lambda head: work.check_start(head, job.source), work.limits)


def run_one(work: Work, job: Job, overwrite: bool) -> int:
    """Do the work on one file here, write what is made of it, and print; returns the exit code."""
    work.check_extras(job, overwrite)
    opened = work.open(read(work, job), job)
    if job.target is not None:
        check_output(job.source, job.target, overwrite, work.advice(job.target))
    with _console.progress() if work.tells else contextlib.nullcontext() as listen:
        made = work.make(opened, job, listen)
    if job.target is not None and made.data is not None:  # all that takes time is done: from here on nothing stops it
        write_output(job.target, made.data, overwrite, work.advice(job.target))
    for path, data in made.extras.items():
        write_extra(path, data, overwrite)
    return show(made)


def show(result: Made | Failure, source: str | None = None) -> int:
    """Print what is to be said of a result; returns the exit code.

    Args:
        result: of the work.
        source: the file, if it is one of many: its name then stands in all that is printed.
    """
    if isinstance(result, Failure):
        result = Made({}, failure=result)
    for warning in result.warnings:
        _console.warning(_with_name(warning, source))
    report, failure = result.report, result.failure
    if source is not None:
        report = {"input": source, **report}
    if failure is not None:
        _console.error(_with_name(failure.message, source))
        if failure.trace and _console.verbosity() > 0:
            _console.err(failure.trace)
        report = {**report, **failure.report}
    if _console.as_json():
        _console.out_json(report)
    elif result.text:
        _console.out(result.text)
    tells_more = _console.verbosity() > 0
    details = result.details if tells_more else ()
    notes = result.notes if tells_more or source is None else ()
    for line in details:
        _console.note(_with_name(line, source))
    for line in notes:
        _console.remark(_with_name(line, source))
    if result.summary:
        _console.note(result.summary)
    return 0 if failure is None else failure.code


def _with_name(message: str, source: str | None) -> str:
    return message if source is None or source in message else f"{source}: {message}"
