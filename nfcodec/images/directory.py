"""The structure of TIFF files, which EXIF has, too: a header, and a directory of entries that a tag names.

The value of an entry lies in the entry where it fits into four bytes, else anywhere in the file, at a place that the
entry tells. Whoever wrote the file may have written anything there.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
"""Types of values."""

EMPTY = b"II*\0\x08\0\0\0" + bytes(6)
"""A header, and a directory without entries."""

NOTHING = bytes(4)
"""The place of the next directory where none follows."""

HEADER_BYTES, ENTRY_BYTES, INLINE_BYTES = 8, 12, 4

Entry = tuple[int, int, bytes]
"""Type, count, and the four bytes of the value or of its place."""

Value = tuple[int, int, bytes]
"""Type, count, and all bytes of the value, however many."""


class Directory(NamedTuple):
    """The first directory of a file.

    Attributes:
        order: of bytes, for `struct`: "<" or ">".
        entries: by tag.
        following: the place of the next directory, as it stands in the file.
        places: where each entry's four bytes of a value are, by tag.
    """

    order: str
    entries: Mapping[int, Entry]
    following: bytes
    places: Mapping[int, int]


def first(data: bytes) -> Directory:
    """Read the first directory. Raises struct.error where there is none, or not all of it."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        raise struct.error("no TIFF header")
    (at,) = struct.unpack_from(order + "I", data, 4)
    (n_entries,) = struct.unpack_from(order + "H", data, at)
    starts = [at + 2 + ENTRY_BYTES * i for i in range(n_entries)]
    entries: dict[int, Entry] = {}
    places: dict[int, int] = {}
    for start in starts:
        tag, kind, count, value = struct.unpack_from(order + "HHI4s", data, start)
        entries[tag], places[tag] = (kind, count, value), start + ENTRY_BYTES - INLINE_BYTES
    (following,) = struct.unpack_from("4s", data, at + 2 + ENTRY_BYTES * n_entries)
    return Directory(order, entries, following, places)


def with_first(
    data: bytes | bytearray,
    order: str,
    entries: Mapping[int, Entry],
    values: Mapping[int, Value],
    following: bytes = NOTHING,
) -> bytes:
    """The same file with another first directory, written behind all that is there, which keeps its place.

    Args:
        data: a file, or its header and whatever entries refer to.
        entries: that are taken over as they are.
        values: that are written anew, in place of entries of the same tags.

    Raises:
        struct.error: the file would be larger than 4 GiB, which is more than such a file can be.
    """
    start = bytearray(data) + bytes(len(data) % 2)
    n_entries = len(entries.keys() | values.keys())
    at = len(start) + 2 + ENTRY_BYTES * n_entries + INLINE_BYTES
    struct.pack_into(order + "I", start, 4, len(start))
    behind = bytearray()
    rows = dict(entries)
    for tag, (kind, count, value) in values.items():
        if len(value) <= INLINE_BYTES:
            rows[tag] = (kind, count, value.ljust(INLINE_BYTES, b"\0"))
        else:
            rows[tag] = (kind, count, struct.pack(order + "I", at + len(behind)))
            behind += value + bytes(len(value) % 2)
    directory = struct.pack(order + "H", n_entries)
    for tag in sorted(rows):
        kind, count, inline = rows[tag]
        directory += struct.pack(order + "HHI", tag, kind, count) + inline
    return bytes(start + directory + following + behind)
