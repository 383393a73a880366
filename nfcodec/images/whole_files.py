"""Ways to give a name to a file only when it is whole, in place of another file or of none.

A directory holds either no new name or one of all the data. `nfcodec.images.atomic` says who may write where.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Generator

from nfcodec.images.descriptors import write_all

Commit = Callable[[], object]
"""Called when all has been written but the name, which then comes at once; what it raises undoes the writing."""

_NO_HARD_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_PRIVATE, _SHARED = 0o600, 0o666


def replace(target: str, data: bytes, status: os.stat_result | None, commit: Commit) -> None:
    """Give the name to a new file, which takes over the owner and the permissions of the old one."""
    with _temporary(target, data, status) as temporary:
        commit()
        os.replace(temporary, target)
    _sync_directory(target)


def create(target: str, data: bytes, commit: Commit) -> None:
    """Write a new file, and fail with FileExistsError if its name is taken, even meanwhile by another process."""
    if not _create_without_a_name(target, data, commit):
        with _temporary(target, data, None) as temporary:
            commit()
            _move_no_clobber(temporary, target)
    _sync_directory(target)


def _create_without_a_name(target: str, data: bytes, commit: Commit) -> bool:
    """Write a file that has no name before it is whole, so that even a process that is killed leaves nothing behind.

    Returns whether the system can do this (Linux, on most of its file systems).
    """
    if not hasattr(os, "O_TMPFILE"):
        return False
    try:
        descriptor = os.open(os.path.dirname(target), os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, _SHARED)
    except OSError:  # different file systems refuse in different ways; a real reason will come up again
        return False
    try:
        nameless = f"/proc/self/fd/{descriptor}"
        if not os.path.exists(nameless):
            return False
        write_all(descriptor, data)
        os.fsync(descriptor)
        commit()
        return _link_nameless(nameless, target, descriptor)
    finally:
        os.close(descriptor)


def _link_nameless(nameless: str, target: str, descriptor: int) -> bool:
    """Link to what a link in /proc stands for; returns whether the system can do this."""
    try:
        os.link(nameless, target, src_dir_fd=descriptor, follow_symlinks=True)  # the third makes Python call linkat
    except FileExistsError:
        raise
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _temporary(target: str, data: bytes, replaced: os.stat_result | None) -> Generator[str]:
    """The path of a new file of all the data beside the target; it is removed if it does not get another name."""
    temporary = os.path.join(os.path.dirname(target), f".nfcodec-{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, _NEW, _SHARED if replaced is None else _PRIVATE)
        try:
            write_all(descriptor, data)
            if replaced is not None:
                _take_over(descriptor, temporary, replaced)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _take_over(descriptor: int, path: str, replaced: os.stat_result) -> None:
    """Give a private file the owner, the group and the permissions of the one that it is to replace.

    Where the group cannot be kept, the new one gets no more than everybody has.
    """
    mode = stat.S_IMODE(replaced.st_mode) & 0o777
    if not hasattr(os, "fchown"):
        os.chmod(path, mode)
        return
    mine = os.fstat(descriptor)
    if mine.st_uid != replaced.st_uid:
        with contextlib.suppress(OSError):
            os.fchown(descriptor, replaced.st_uid, -1)
    if mine.st_gid != replaced.st_gid:
        try:
            os.fchown(descriptor, -1, replaced.st_gid)
        except OSError:
            mode &= ~0o070 | (mode & 0o007) << 3
    os.fchmod(descriptor, mode)


def _move_no_clobber(temporary: str, target: str) -> None:
    """Give the temporary file its name unless the name is taken (FileExistsError), even by a racing process.

    Where there are neither hard links nor a move that does not replace, the name is reserved by an empty file first:
    there alone, a process that is killed between two calls of the system leaves that empty file behind.
    """
    for move in (os.link, _rename_no_replace):
        try:
            move(temporary, target)
            return
        except FileExistsError:
            raise
        except OSError as error:
            if move is os.link and error.errno not in _NO_HARD_LINKS:
                raise
    os.close(os.open(target, _NEW))
    try:
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(target)
        raise


def _rename_no_replace(source: str, target: str) -> None:
    """Rename unless the target exists (FileExistsError). Raises OSError where the system cannot do both at once."""
    if os.name == "nt":
        os.rename(source, target)  # which replaces nothing there
        return
    import ctypes

    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        raise OSError(errno.ENOSYS, "this system has no renameat2")
    at_cwd, no_replace = -100, 1
    if rename(at_cwd, os.fsencode(source), at_cwd, os.fsencode(target), no_replace):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _sync_directory(target: str) -> None:
    with contextlib.suppress(OSError):  # some systems cannot open or sync a directory
        descriptor = os.open(os.path.dirname(target), os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
