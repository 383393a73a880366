"""From the paths of a command line to files: which are inputs, what is in directories, and where the outputs go."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import click

from nfcodec.cli._console import STDIO
from nfcodec.cli._options import as_stream
from nfcodec.cli._work import Job
from nfcodec.errors import ImageReadError, NfcError, WriteError
from nfcodec.images.names import is_nfc_name, is_picture_name, with_suffix


class Given(NamedTuple):
    """What the paths of a command line are.

    Attributes:
        sources: inputs: files, directories, or "-".
        target: OUT, a file or "-"; None if it is not given.
        directory: for the outputs; None if they go beside the inputs.
        recursive: whether directories stand for the files in them.
    """

    sources: Sequence[str]
    target: str | None = None
    directory: str | None = None
    recursive: bool = False

    @property
    def is_many(self) -> bool:
        """Whether this is about more than one file, or may be."""
        return len(self.sources) > 1 or self.recursive or self.directory is not None


class Failed(NamedTuple):
    """An input that could not be worked on."""

    source: str
    error: NfcError


class Selection(NamedTuple):
    """Files to work on, and inputs that are none. Both are in the order in which they came."""

    jobs: list[Job]
    failures: list[Failed]


def given(
    paths: Sequence[str], output: str | None, recursive: bool, is_input_name: Callable[[str], bool] | None
) -> Given:
    """Tell inputs from OUT: this is the second of two paths, unless it is named like an input, and is there.

    Args:
        paths: IN... [OUT].
        output: what -o says: a directory, or a file if it is one, or is named like one. Then all paths are inputs.
        recursive: whether -r is given; then all paths are inputs, too.
        is_input_name: whether a path is named like an input; None for verbs without OUT.
    """
    if output is not None:
        output = as_stream(output, 1)
        if output != STDIO and _is_directory_name(output):
            return Given(paths, None, output, recursive)
        if len(paths) > 1 or recursive:
            raise _no_directory(output)
        return Given(paths, output)
    if len(paths) == 2 and not recursive and is_input_name is not None:
        last = as_stream(paths[1], 1)
        if last == STDIO or not (is_input_name(last) and os.path.lexists(last)):
            return Given(paths[:1], last)
    return Given(paths, recursive=recursive)


def select(
    given: Given, suffix: str | None, input_suffixes: Collection[str], refuse: Callable[[str], None]
) -> Selection:
    """Find the files of many inputs, and name the output of each.

    What is found in a directory are the files with the suffixes of inputs, but for hidden ones. Directories that are
    links are not entered, so there are no loops. In the directory of the outputs all are as they were in theirs.

    Args:
        given: what the command line says.
        suffix: of outputs; None if there are none.
        input_suffixes: in small letters.
        refuse: raises an NfcError for a file whose name says that it is no input.

    Raises:
        click.UsageError: two files would have the same output, or an output would replace an input.
    """
    jobs: dict[tuple[str, str], Job] = {}
    failures: list[Failed] = []
    for path, name in _files(given, input_suffixes, failures):
        try:
            refuse(path)
        except NfcError as error:
            failures.append(Failed(path, error))
            continue
        job = Job(path, None if suffix is None else _output(given, path, name, suffix))
        jobs.setdefault((_place(path), _place(job.target or STDIO)), job)
    _check_outputs(list(jobs.values()))
    return Selection(list(jobs.values()), failures)


def _files(given: Given, suffixes: Collection[str], failures: list[Failed]) -> Iterator[tuple[str, str]]:
    """The path of each file, and what it is called below the directory that it was found in."""
    for source in given.sources:
        if source == STDIO or not (given.recursive and os.path.isdir(source)):
            yield source, os.path.basename(source)
            continue
        n_failures, inside = len(failures), list(_walk(source, suffixes, failures))
        if not inside and len(failures) == n_failures:
            ends = ", ".join(sorted(suffixes))
            failures.append(Failed(source, _unreadable(source, f"there is no file in it that ends in {ends}")))
        for path in inside:
            yield path, os.path.relpath(path, source)


def _walk(directory: str, suffixes: Collection[str], failures: list[Failed]) -> Iterator[str]:
    """The files below a directory that have one of the suffixes, in the order of their names."""

    def fail(error: OSError) -> None:
        path = str(error.filename)
        failures.append(Failed(path, _unreadable(path, error.strerror or str(error))))

    for folder, folders, names in os.walk(directory, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(folder, name)
            wanted = not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes
            if wanted and (os.path.isfile(path) or not os.path.exists(path)):  # but no pipes
                yield path


def _unreadable(path: str, reason: str) -> NfcError:
    return ImageReadError(f"cannot read {path}: {reason}", code="unreadable")


def _output(given: Given, path: str, name: str, suffix: str) -> str:
    if path == STDIO:
        raise click.UsageError("standard input has no name that an output could have; take it by itself, with OUT")
    return with_suffix(path if given.directory is None else os.path.join(given.directory, name), suffix)


def _is_directory_name(output: str) -> bool:
    if os.path.lexists(output):
        return os.path.isdir(output)
    return output.endswith(_separators()) or not (is_nfc_name(output) or is_picture_name(output))


def _separators() -> tuple[str, ...]:
    return tuple(each for each in (os.sep, os.altsep) if each)


def _no_directory(output: str) -> Exception:
    if output == STDIO:
        return click.UsageError("several outputs cannot all go to standard output; -o takes a directory")
    if os.path.lexists(output):
        return WriteError(f"cannot write into {output}: it is no directory")
    return click.UsageError(f"several outputs cannot all be the file {output}; -o takes a directory")


def _check_outputs(jobs: Sequence[Job]) -> None:
    """Refuse outputs that are each other or an input, through links or not, before any is written."""
    sources = {_identity(job.source): job.source for job in jobs if job.source != STDIO}
    taken: dict[str, Job] = {}
    for job in jobs:
        if job.target is None:
            continue
        if (other := taken.setdefault(_place(job.target), job)) is not job:
            raise click.UsageError(
                f"{other.source} and {job.source} would both become {job.target}; take them one after the other, with"
                " different outputs (-o)"
            )
        if (identity := _identity(job.target)) is not None and identity in sources:
            replaced = sources[identity]
            raise click.UsageError(f"{job.source} would become {job.target}, which is the input {replaced}")


def _place(path: str) -> str:
    """What is the same for two paths of a file, be it there or not."""
    return STDIO if path == STDIO else os.path.normcase(os.path.realpath(path))


def _identity(path: str) -> tuple[int, int] | None:
    """What is the same for two names of a file that is there; None if it is not."""
    with contextlib.suppress(OSError, ValueError):
        status = os.stat(path)
        return status.st_dev, status.st_ino
    return None
