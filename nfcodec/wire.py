"""Numbers as bytes: LEB128 integers, and the one way to read bytes that somebody else wrote.

A LEB128 integer has seven bits a byte, least significant first, the high bit set on all but the last.
"""

from __future__ import annotations

from nfcodec.errors import FormatError

MAX_VARINT_BYTES = 5


def put_varint(value: int) -> bytes:
    """The shortest encoding of a non-negative integer."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class ByteReader:
    """Reads bytes from the first to the last; every overrun is a FormatError.

    Args:
        what: the name of what is read, for messages.
    """

    def __init__(self, data: bytes, what: str = "the field description") -> None:
        self._data, self._at, self._what = data, 0, what

    def take(self, n: int) -> bytes:
        """The next n bytes."""
        if self._at + n > len(self._data):
            raise FormatError(f"{self._what} is truncated", code="truncated")
        self._at += n
        return self._data[self._at - n : self._at]

    def u8(self) -> int:
        return self.take(1)[0]

    def i8(self) -> int:
        return int.from_bytes(self.take(1), "little", signed=True)

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def varint(self, largest: int | None = None) -> int:
        """An integer of at most five bytes, in its shortest form, at most `largest`."""
        value = 0
        for i in range(MAX_VARINT_BYTES):
            byte = self.u8()
            value |= (byte & 127) << (7 * i)
            if byte < 128:
                if i and byte == 0:
                    raise FormatError(f"a number in {self._what} is not in its shortest form", code="number")
                if largest is not None and value > largest:
                    raise FormatError(f"a number in {self._what} is out of range", code="number")
                return value
        raise FormatError(f"a number in {self._what} is too long", code="number")

    def sized(self) -> bytes:
        """Bytes after a LEB128 integer that says how many."""
        return self.take(self.varint())

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(len(self._data) - self._at)

    @property
    def n_left(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._at

    def finish(self) -> None:
        """Nothing may be left."""
        if self.n_left:
            raise FormatError(f"{self._what} is too long", code="trailing")
