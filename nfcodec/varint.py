"""LEB128 integers: seven bits a byte, least significant first, the high bit set on all but the last."""

from __future__ import annotations

from nfcodec.errors import FormatError


def put_varint(value: int) -> bytes:
    """The shortest encoding of a non-negative integer."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def take_varint(data: bytes, at: int) -> tuple[int, int]:
    """The integer at `at`, of at most five bytes, and the position after it. Raises FormatError."""
    value = 0
    for i in range(5):
        if at + i >= len(data):
            raise FormatError("a number is truncated")
        byte = data[at + i]
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            if i and byte == 0:
                raise FormatError("a number is not in its shortest form")
            return value, at + i + 1
    raise FormatError("a number is too long")
