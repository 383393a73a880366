"""Writing a file so that its path only ever holds the old contents or all of the new ones."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from nfcodec.errors import WriteError
from nfcodec.images.descriptors import descriptor_of, write_all
from nfcodec.images.whole_files import Commit, create, replace

REPLACE = "to replace it, ask for overwriting (-f)"
"""What is advised where a file exists already."""


def check_writable(path: str | Path, overwrite: bool = False, advice: str = REPLACE) -> None:
    """Fail now, before minutes of encoding, where `write_atomic` would fail later.

    Raises:
        WriteError: the path exists (and `overwrite` is false), is a directory, or its directory is missing or
            not writable.
    """
    try:
        if (descriptor := descriptor_of(path)) is not None:
            os.fstat(descriptor)
            return
        target = _followed(path)
        status = _status(target)
    except (OSError, ValueError) as error:
        raise _write_error(path, error) from error
    if status is not None:
        _check_existing(path, status, overwrite, advice)
        if _is_special(status):
            return
    directory = os.path.dirname(target)
    if not os.path.isdir(directory):
        raise WriteError(f"cannot write {path}: there is no directory {directory}")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise WriteError(f"cannot write {path}: the directory {directory} is not writable")


def write_atomic(
    path: str | Path, data: bytes, overwrite: bool = False, advice: str = REPLACE, commit: Commit = lambda: None
) -> None:
    """Write `data` to `path` through a temporary file in the same directory.

    Whatever happens (an error, Ctrl-C, a crash, a full disk), `path` holds what it held before or all of `data`.
    A symbolic link is followed. An overwritten file keeps its owner, where the system lets us, and its permissions but
    setuid and setgid; nobody can read in the meantime who may not read it in the end. A pipe, a device, and a
    descriptor's name such as /dev/stdout are written to directly; a device other than the null device only if
    `overwrite`.

    Raises:
        WriteError: the path exists (and `overwrite` is false), or the operating system refuses.
    """
    try:
        if (descriptor := descriptor_of(path)) is not None:
            write_all(descriptor, data)
            commit()
            return
        target = _followed(path)
        status = _status(target)
        if status is not None:
            _check_existing(path, status, overwrite, advice)
        if status is not None and _is_special(status):
            _write_directly(target, data, commit)
        elif overwrite:
            replace(target, data, status, commit)
        else:
            create(target, data, commit)
    except FileExistsError as error:
        raise _exists_error(path, advice) from error
    except (OSError, ValueError) as error:
        raise _write_error(path, error) from error


def _write_directly(target: str, data: bytes, commit: Commit) -> None:
    descriptor = os.open(target, os.O_WRONLY | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        write_all(descriptor, data)
        with contextlib.suppress(OSError):  # pipes and most devices cannot be synced
            os.fsync(descriptor)
        commit()
    finally:
        os.close(descriptor)


def _followed(path: str | Path) -> str:
    """Where a path leads, links followed. Raises IsADirectoryError for one that ends in a slash: it names no file."""
    if os.fspath(path).endswith((os.sep, os.altsep or os.sep)):
        raise IsADirectoryError(errno.EISDIR, "it is the name of a directory")
    return os.path.realpath(path)


def _status(target: str) -> os.stat_result | None:
    try:
        return os.stat(target)
    except FileNotFoundError:
        return None


def _is_special(status: os.stat_result) -> bool:
    return not stat.S_ISREG(status.st_mode)


def _check_existing(path: str | Path, status: os.stat_result, overwrite: bool, advice: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise WriteError(f"cannot write {path}: it is a directory")
    if overwrite:
        return
    if stat.S_ISREG(status.st_mode):
        raise _exists_error(path, advice)
    if stat.S_ISBLK(status.st_mode) or (stat.S_ISCHR(status.st_mode) and not _is_null(status)):
        raise WriteError(f"{path} is a device; to overwrite what is on it, ask for overwriting (-f)")


def _is_null(status: os.stat_result) -> bool:
    return status.st_rdev == os.stat(os.devnull).st_rdev


def _exists_error(path: str | Path, advice: str) -> WriteError:
    return WriteError(f"{path} exists already; {advice}")


def _write_error(path: str | Path, error: OSError | ValueError) -> WriteError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return WriteError(f"cannot write {path}: {reason}")
