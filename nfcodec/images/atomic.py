"""Writing a file so that its path only ever holds the old contents or all of the new ones."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from nfcodec.errors import WriteError

_NO_HARD_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}


def check_writable(path: str | Path, overwrite: bool = False) -> None:
    """Fail now, before minutes of encoding, where `write_atomic` would fail later.

    Raises:
        WriteError: the path exists (and `overwrite` is false), is a directory, or its directory is missing or
            not writable.
    """
    try:
        target = os.path.realpath(path)
        status = _status(target)
    except (OSError, ValueError) as error:
        raise _write_error(path, error) from error
    if status is not None:
        _check_existing(path, status, overwrite)
        if _is_special(status):
            return
    directory = os.path.dirname(target)
    if not os.path.isdir(directory):
        raise WriteError(f"cannot write {path}: there is no directory {directory}")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise WriteError(f"cannot write {path}: the directory {directory} is not writable")


def write_atomic(path: str | Path, data: bytes, overwrite: bool = False) -> None:
    """Write `data` to `path` through a temporary file in the same directory.

    Whatever happens (an error, Ctrl-C, a crash, a full disk), `path` holds what it held before or all of `data`.
    A symbolic link is followed, the permissions of an overwritten file are kept, and a device or pipe is written
    to directly.

    Raises:
        WriteError: the path exists (and `overwrite` is false), or the operating system refuses.
    """
    try:
        target = os.path.realpath(path)
        status = _status(target)
        if status is not None:
            _check_existing(path, status, overwrite)
            if _is_special(status):
                with open(target, "wb") as device:
                    device.write(data)
                return
        _write_and_move(target, data, overwrite, None if status is None else stat.S_IMODE(status.st_mode))
    except FileExistsError as error:
        raise _exists_error(path) from error
    except (OSError, ValueError) as error:
        raise _write_error(path, error) from error


def _write_and_move(target: str, data: bytes, overwrite: bool, mode: int | None) -> None:
    directory = os.path.dirname(target)
    temporary = os.path.join(directory, f".nfcodec-{secrets.token_hex(8)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        if overwrite:
            os.replace(temporary, target)
        else:
            _move_no_clobber(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(directory)


def _move_no_clobber(temporary: str, target: str) -> None:
    """Give the temporary file its name unless the name is taken (FileExistsError), even by a racing process."""
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))  # reserve the name, then fill it
        try:
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(target)
            raise
    else:
        os.unlink(temporary)


def _sync_directory(directory: str) -> None:
    with contextlib.suppress(OSError):  # some systems cannot open or sync a directory
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _status(target: str) -> os.stat_result | None:
    try:
        return os.stat(target)
    except FileNotFoundError:
        return None


def _is_special(status: os.stat_result) -> bool:
    return not stat.S_ISREG(status.st_mode)


def _check_existing(path: str | Path, status: os.stat_result, overwrite: bool) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise WriteError(f"cannot write {path}: it is a directory")
    if stat.S_ISREG(status.st_mode) and not overwrite:
        raise _exists_error(path)


def _exists_error(path: str | Path) -> WriteError:
    return WriteError(f"{path} exists already; to replace it, ask for overwriting (-f)")


def _write_error(path: str | Path, error: OSError | ValueError) -> WriteError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return WriteError(f"cannot write {path}: {reason}")
