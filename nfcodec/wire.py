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


class ByteReader:
    """Reads a field's bytes; every overrun is a FormatError."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, n: int) -> bytes:
        if self._at + n > len(self._data):
            raise FormatError("the field description is truncated")
        self._at += n
        return self._data[self._at - n : self._at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def last_u8(self) -> int:
        """A last byte that may be missing, which means 0, and is never 0; then `finish`."""
        value = 0
        if self._at < len(self._data):
            value = self.u8()
            if value == 0:
                raise FormatError("the field description is too long")
        self.finish()
        return value

    def finish(self) -> None:
        if self._at != len(self._data):
            raise FormatError("the field description is too long")
