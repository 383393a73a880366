"""File descriptors: writing to them whole, and the paths that are only other names of them, such as /dev/stdout."""

from __future__ import annotations

import os
import select

_MAX_LINKS = 8


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, however little the system takes at a time, and wait for a pipe that is full.

    Raises:
        OSError: the system refuses some of it; what came before that has been written.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            wait_for(descriptor, select.POLLOUT)


def wait_for(descriptor: int, event: int) -> None:
    """Wait until `select.POLLIN` or `select.POLLOUT` happens, or the other end is closed."""
    poll = select.poll()
    poll.register(descriptor, event)
    poll.poll()


def descriptor_of(path: str | os.PathLike[str]) -> int | None:
    """The descriptor that a path such as /dev/stdout or /dev/fd/63 names, through links or not; None for other paths.

    Such a path cannot be followed to a file like others: what is behind it may be a pipe, which has no path.
    """
    at, descriptors = os.path.abspath(path), os.path.realpath("/dev/fd")
    for _ in range(_MAX_LINKS):
        directory, name = os.path.split(at)
        if name.isascii() and name.isdecimal() and os.path.realpath(directory) == descriptors:
            return int(name)
        if not os.path.islink(at):
            return None
        at = os.path.abspath(os.path.join(directory, os.readlink(at)))
    return None
