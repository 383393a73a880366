"""Files that a verb writes beside what it is for, because an option names them: pages and maps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import click

from nfcodec.cli._console import STDIO
from nfcodec.images.atomic import check_writable, write_atomic
from nfcodec.images.names import is_nfc_name, is_picture_name, is_same_file

OUT = "OUT"


def check_extra(option: str, target: str, others: Mapping[str, str], overwrite: bool, suffixes: Sequence[str]) -> None:
    """Fail before the work if a file cannot be written, or has the place of another one.

    Args:
        option: that names it.
        others: other files of the command, by what messages call them; that named `OUT` is written, others are read.
        suffixes: of what is written, the first one as an example.

    Raises:
        WriteError: as `check_writable`.
        UsageError: it is standard output, another file of the command, or has the name of what it is not.
    """
    if target == STDIO:
        raise click.UsageError(f"{option} cannot go to standard output; name a file, such as out{suffixes[0]}")
    for name, other in others.items():
        place = (1 if name == OUT else 0) if other == STDIO else other
        if is_same_file(place, target) or (other != STDIO and os.path.realpath(other) == os.path.realpath(target)):
            raise click.UsageError(f"{name} and {option} are the same file, {target}; name another one")
    wrong = is_nfc_name(target) or is_picture_name(target)
    if wrong and os.path.splitext(os.path.realpath(target))[1].lower() not in suffixes:
        raise click.UsageError(f"{target} has the name of another kind of file, but {option} writes a {suffixes[0]}")
    check_writable(target, overwrite)


def write_extra(target: str, data: bytes, overwrite: bool) -> None:
    """Write it atomically. Raises WriteError."""
    write_atomic(target, data, overwrite)
