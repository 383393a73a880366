"""Reading all of a file or a stream that may be far too long, or have no end."""

from __future__ import annotations

import io
import os
import select
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from nfcodec.errors import ImageReadError, LimitError, NfcError
from nfcodec.images.descriptors import wait_for
from nfcodec.limits import DEFAULT_LIMITS, Limits

CheckStart = Callable[[bytes], object]
"""Gets the first bytes of a file; raises what is to be raised if they are not those of what is wanted."""

_HEAD_BYTES, _CHUNK_BYTES = 64, 1 << 20

_LONGEST_REASON = 200
"""Characters of an error of another library that are passed on."""


def read_bytes(
    source: str | Path | BinaryIO,
    limits: Limits = DEFAULT_LIMITS,
    check_start: CheckStart = lambda head: None,
    name: str | None = None,
) -> bytes:
    """Return all bytes of a file or stream, as one that never ends is refused by its start or by its length.

    Args:
        source: a path, or a stream of bytes.
        limits: of which `max_file_bytes` and `max_memory_bytes` count here.
        check_start: called with the first bytes, up to 64, before others are read; raises what is to be raised.
        name: of the source in error messages.

    Raises:
        ImageReadError: it cannot be opened or read.
        LimitError: it is larger than these limits, or does not fit in memory.
    """
    name = name or name_of(source)
    try:
        if not isinstance(source, str | Path):
            return _read_stream(source, limits, check_start)
        with open(source, "rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode):
                _check_size(status.st_size, limits)
            return _read_stream(file, limits, check_start)
    except NfcError:  # some of them are ValueErrors, too
        raise
    except MemoryError as error:
        raise LimitError(f"{name} does not fit in memory", code="exhausted") from error
    except (OSError, ValueError) as error:
        raise ImageReadError(f"cannot read {name}: {reason_of(error)}", code="unreadable") from error


def name_of(source: str | Path | BinaryIO) -> str:
    """What a source is called in messages."""
    if isinstance(source, str | Path):
        return str(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "the input stream"


def reason_of(error: BaseException) -> str:
    """What an error says, in one line that is not too long: some errors quote the file."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = text.strip().splitlines()[0] if text.strip() else type(error).__name__
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}.."


def _check_size(n_bytes: int, limits: Limits) -> None:
    """Hold the bytes of a file against the limits; in memory they are, too."""
    limits.check("file_bytes", n_bytes)
    limits.check("memory_bytes", n_bytes)


def _read_stream(stream: BinaryIO, limits: Limits, check_start: CheckStart) -> bytes:
    buffer = io.BytesIO()  # which gives its bytes away without a copy
    n_bytes = _read_up_to(stream, buffer, _HEAD_BYTES)
    check_start(buffer.getvalue())
    while n_bytes:
        _check_size(buffer.tell(), limits)
        n_bytes = _read_up_to(stream, buffer, _CHUNK_BYTES)
    return buffer.getvalue()


def _read_up_to(stream: BinaryIO, buffer: io.BytesIO, n_bytes: int) -> int:
    """Append as many bytes as there are, at most `n_bytes`; fewer than that only at the end. Returns how many."""
    start = buffer.tell()
    while missing := start + n_bytes - buffer.tell():
        chunk = cast("bytes | None", stream.read(missing))
        if chunk is None:  # nothing yet, in a pipe that does not block
            wait_for(stream.fileno(), select.POLLIN)
        elif chunk:
            buffer.write(chunk)
        else:
            break
    return buffer.tell() - start
