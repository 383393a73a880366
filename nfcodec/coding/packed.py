"""Integers as they are, compressed: for samples that no model of pictures suits, as few-valued ones, lines and noise.

    least varint (folded) | unit varint | how u8 | body

An integer is `least + unit * number`. Of the numbers, differences along rows, columns and features may be taken,
modulo 256, 2^16 or 2^32; they are laid out pixel by pixel or plane by plane, and the body holds their bytes as they
are, or a Zstandard frame of them. So it is never more than a few bytes longer than the samples, and where a picture
repeats itself it is far shorter. docs/reference/format.md, "Packed integers", is the normative text.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec import zstd
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL, SymbolArray
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader, put_varint

Integers = npt.NDArray[np.integer]
Unsigned = npt.NDArray[np.unsignedinteger]
Shape = tuple[int, int, int]
"""(rows, cols, features)."""

TYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32))
"""Of numbers, by `how`."""

PLANAR, TYPE_BITS, COMPRESSED = 1 << 3, 4, 1 << 6
"""In `how`: features follow each other rather than pixels; where the type of the numbers is; and the body is a frame.
The lowest three bits say along which axes there are differences."""

INTEGER, INTEGER_BYTES, COPIES = 60e-9, 4, 5
"""Work and memory of an integer that is unpacked, and in how many arrays its number is meanwhile."""

TRIED = 1 << 16
"""Arrangements are tried on about so many integers."""

WHOLE_OVER_PART = 0.9
"""A picture may repeat what is in its part, and so take less than the part lets expect."""

WHAT = "a frame of packed integers"


def pack(integers: Integers) -> bytes:
    """Integers (rows, cols, features), magnitudes up to MAX_SYMBOL, as bytes."""
    least, unit, numbers = _numbers(integers)
    how = _best_arrangement(_middle(numbers))[0]
    frame = zstd.compress(_arranged(numbers, how))
    if len(frame) < numbers.nbytes:
        how, body = how | COMPRESSED, frame
    else:
        how = _type_bits(numbers)
        body = _arranged(numbers, how)
    return put_varint(2 * least if least >= 0 else -2 * least - 1) + put_varint(unit) + bytes([how]) + body


def estimated_bytes(integers: Integers) -> float:
    """About the size of `pack`'s result, rather less than more, from a part of the picture."""
    part = _middle(integers)
    numbers = _numbers(part)[2]
    frame = WHOLE_OVER_PART * _best_arrangement(numbers)[1]
    return min(frame, numbers.nbytes) * integers.size / part.size


def unpack(data: bytes, shape: Shape) -> SymbolArray:
    """The inverse of `pack`. Raises FormatError."""
    reader = ByteReader(data, "packed integers")
    least, unit, how, kind = _read_head(reader)
    body = reader.rest()
    n_bytes = math.prod(shape) * kind.itemsize
    if how & COMPRESSED:
        if zstd.stated_size(body, WHAT) != n_bytes:
            raise FormatError("packed integers are more or fewer than the picture's", code="packed")
        body = zstd.decompress(body, WHAT)
    elif len(body) != n_bytes:
        raise FormatError("packed integers are more or fewer than the picture's", code="packed")
    numbers = _in_places(body, kind, shape, how)
    if least + unit * int(numbers.max()) > MAX_SYMBOL:
        raise FormatError("a packed integer is out of range", code="range")
    integers = numbers.astype(np.int32)
    integers *= unit
    integers += least
    return integers


def packed_cost(data: bytes, n: int) -> Cost:
    """What `unpack` takes for n integers, which are kept, beside the bytes that they come from. Raises FormatError."""
    *_, kind = _read_head(ByteReader(data, "packed integers"))
    return Cost((INTEGER_BYTES + COPIES * kind.itemsize) * n, INTEGER * n, INTEGER_BYTES * n)


def _read_head(reader: ByteReader) -> tuple[int, int, int, np.dtype[Any]]:
    """The least integer, the unit, `how`, and the type of numbers that this says."""
    folded, unit, how = reader.varint(2 * MAX_SYMBOL), reader.varint(2 * MAX_SYMBOL), reader.u8()
    if not unit or how >> TYPE_BITS & 3 == 3 or how >= COMPRESSED << 1:
        raise FormatError("integers are packed in an unknown way", code="packed")
    least = -(folded + 1 >> 1) if folded & 1 else folded >> 1
    return least, unit, how, TYPES[how >> TYPE_BITS & 3]


def _numbers(integers: Integers) -> tuple[int, int, Unsigned]:
    """The least integer, the unit in which others are over it, and by how many."""
    least = int(integers.min())
    over = integers - least
    unit = int(np.gcd.reduce(over, axis=None)) or 1
    numbers = over // unit
    kind = next(each for each in TYPES if int(numbers.max()) <= np.iinfo(each).max)
    return least, unit, numbers.astype(kind)


def _middle(integers: Integers) -> Integers:
    """Rows of the middle, about `TRIED` integers."""
    n_rows = max(1, TRIED // math.prod(integers.shape[1:]))
    first = max(0, (len(integers) - n_rows) // 2)
    return integers[first : first + n_rows]


def _type_bits(numbers: Integers) -> int:
    return TYPES.index(numbers.dtype) << TYPE_BITS


def _best_arrangement(numbers: Integers) -> tuple[int, int]:
    """Which one makes the smallest frame, and its size.

    Quick frames tell which differences and which layout, but only the best level finds what repeats itself at a
    distance; and that is best left as it is.
    """
    axes, layouts = (8, (0, PLANAR)) if numbers.shape[2] > 1 else (4, (0,))
    ways = [_type_bits(numbers) | layout | differences for layout, differences in product(layouts, range(axes))]
    quickly = min(ways, key=lambda way: len(zstd.compress(_arranged(numbers, way), zstd.QUICK)))
    sizes = {way: len(zstd.compress(_arranged(numbers, way))) for way in (ways[0], quickly)}
    smallest = min(sizes, key=sizes.__getitem__)
    return smallest, sizes[smallest]


def _arranged(numbers: Integers, how: int) -> bytes:
    """The bytes of numbers: all highest ones, then all lower ones."""
    for axis in range(3):
        if how >> axis & 1:
            numbers = np.diff(numbers, axis=axis, prepend=np.zeros_like(np.take(numbers, [0], axis)))
    if how & PLANAR:
        numbers = np.moveaxis(numbers, 2, 0)
    size = numbers.dtype.itemsize
    return b"".join((numbers >> 8 * place & 255).astype(np.uint8).tobytes() for place in reversed(range(size)))


def _in_places(body: bytes, kind: np.dtype[np.unsignedinteger], shape: Shape, how: int) -> Unsigned:
    """The inverse of `_arranged`."""
    numbers = np.zeros(math.prod(shape), kind)
    for plane in np.frombuffer(body, np.uint8).reshape(kind.itemsize, -1):
        numbers = (numbers << 8 | plane if kind.itemsize > 1 else plane).astype(kind)
    rows, cols, features = shape
    numbers = np.moveaxis(numbers.reshape(features, rows, cols), 0, 2) if how & PLANAR else numbers.reshape(shape)
    for axis in range(3):
        if how >> axis & 1:
            numbers = np.cumsum(numbers, axis=axis, dtype=kind)
    return numbers
