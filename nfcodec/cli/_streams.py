"""Standard streams, however they are given to us: closed, full, without an end, or in another encoding."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any, BinaryIO, TextIO

import click

from nfcodec.errors import WriteError

_STREAMS = {"stdin": ("r", os.O_WRONLY), "stdout": ("w", os.O_RDONLY), "stderr": ("w", os.O_WRONLY)}
"""The way in which each is used, and that in which the null device stands in for it."""


def open_closed() -> None:
    """Open standard streams that were closed when Python started, so that no other file can get their descriptors.

    They are the null device. For input and output it is opened the wrong way round: whoever needs them gets an error.
    """
    for name, (mode, flags) in _STREAMS.items():
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)  # gets the lowest number that is free, which is the stream's
            setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def standard_input() -> BinaryIO:
    """The bytes of standard input."""
    return sys.stdin.buffer


def write(data: bytes) -> None:
    """Write all of `data` to standard output.

    Raises:
        WriteError: some of it cannot be written.
        click.exceptions.Exit: the reader of a pipe has gone: a filter stops without a message.
    """
    try:
        sys.stdout.flush()
        descriptor = _descriptor(sys.stdout)
        if descriptor is None:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            from nfcodec.images.descriptors import write_all

            write_all(descriptor, data)
    except (OSError, ValueError) as error:
        _give_up(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise click.exceptions.Exit(WriteError.exit_code) from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise WriteError(f"cannot write to standard output: {reason}") from error


def write_line(text: str) -> None:
    """Write a line of text to standard output; see `write`.

    Names of files may hold bytes that are no text: they come out as they are. What the stream's encoding does not have
    is escaped.
    """
    if _descriptor(sys.stdout) is None:  # what a caller of `main` has put in its place may take only text
        print(text, flush=True)
        return
    line = (text + "\n").replace("\n", os.linesep)
    try:
        write(line.encode(_encoding(), "surrogateescape"))
    except UnicodeEncodeError:
        write(line.encode(_encoding(), "backslashreplace"))


def write_json(value: Any) -> None:
    """Write a line of JSON to standard output; see `write`. What the stream's encoding does not have is escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(_encoding())
    except UnicodeEncodeError:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    write_line(text)


def write_error(text: str) -> None:
    """Write a line of text to standard error; that it cannot be read is nobody's problem."""
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        _give_up(sys.stderr)


def _encoding() -> str:
    return getattr(sys.stdout, "encoding", None) or "utf-8"


def _descriptor(stream: TextIO) -> int | None:
    """That of a standard stream; None where a caller of `main` has put something else in its place."""
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def _give_up(stream: TextIO) -> None:
    """Let all that is written from now on, as by the interpreter when it ends, go nowhere."""
    descriptor = _descriptor(stream)
    if descriptor is not None:
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)
