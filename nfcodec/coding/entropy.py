"""The range coder: integer frequency tables in, bytes out. The only module that imports constriction.

A table is a vector of integers >= 1 that sum to 2^24. constriction's `Categorical(perfect=False)`, given the float64
values f - 1, reproduces exactly this integer cumulative distribution on every platform, so files do not depend on
anybody's floating-point library. Its three traps are kept in here: a coder is never reused (`clear()` loses its carry
state), parameters are valid by construction (invalid ones panic), and corrupt input decodes silently (callers check
a CRC first and `Decoder.finish` after).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import constriction
import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.exact.part import Table

# the library has no stubs
_stream: Any = constriction.stream  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]

TABLE_BITS = 24
TABLE_TOTAL = 1 << TABLE_BITS

Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]


Frequencies = Int64Array | Table


def _model(frequencies: Frequencies) -> Any:
    return _kept_model(frequencies) if isinstance(frequencies, Table) else _categorical(frequencies)


@lru_cache(maxsize=1024)
def _kept_model(table: Table) -> Any:
    return _categorical(table.frequencies)


@lru_cache(maxsize=1024)
def _kept_logs(table: Table) -> npt.NDArray[np.float64]:
    return np.log2(table.frequencies)


def _categorical(frequencies: Int64Array) -> Any:
    return _stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)


def _bits(symbols: Int32Array, frequencies: Frequencies, n: int) -> float:
    logs = _kept_logs(frequencies) if isinstance(frequencies, Table) else np.log2(frequencies)
    return float(n * TABLE_BITS - logs[symbols].sum())


class Coder:
    """What codes or counts symbols. None but `Meter` minds which these are."""

    def enter(self, piece: str) -> None:
        """See `SymbolCoder`."""


class Encoder(Coder):
    """Writes symbols into a range-coded stream."""

    def __init__(self) -> None:
        self._coder = _stream.queue.RangeEncoder()

    def code(self, symbols: Int32Array | None, frequencies: Frequencies, n: int) -> Int32Array:
        if symbols is None:
            raise ValueError("an encoder needs symbols")
        self._coder.encode(symbols, _model(frequencies))
        return symbols

    def finish(self) -> bytes:
        """The stream, as 32-bit little-endian words."""
        return self._coder.get_compressed().astype("<u4").tobytes()


class Decoder(Coder):
    """Reads symbols back. Any bytes decode to *something*: check a CRC before."""

    def __init__(self, stream: bytes) -> None:
        if len(stream) % 4:
            raise FormatError("an entropy-coded stream must be a whole number of 32-bit words", code="stream")
        self._coder = _stream.queue.RangeDecoder(np.frombuffer(stream, "<u4").astype(np.uint32))

    def code(self, symbols: Int32Array | None, frequencies: Frequencies, n: int) -> Int32Array:
        try:
            return self._coder.decode(_model(frequencies), n)
        except AssertionError as error:
            raise FormatError("the entropy-coded stream is corrupt", code="stream") from error

    def finish(self) -> None:
        """Raise FormatError if the stream has words that no symbol used."""
        if not self._coder.maybe_exhausted():
            raise FormatError("the entropy-coded stream is longer than its symbols", code="stream")


class Estimator(Coder):
    """Counts the bits that an Encoder would write, to within a word."""

    def __init__(self) -> None:
        self.bits = 0.0

    def code(self, symbols: Int32Array | None, frequencies: Frequencies, n: int) -> Int32Array:
        if symbols is None:
            raise ValueError("an estimator needs symbols")
        self.bits += _bits(symbols, frequencies, n)
        return symbols


class Meter(Decoder):
    """A decoder that counts the bits of each piece that it has heard of since `begin`, to within a word in all."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.begin()

    def begin(self) -> None:
        """Count anew."""
        self.bits: dict[str, float] = {}
        self._piece = ""

    def enter(self, piece: str) -> None:
        self._piece = piece

    def code(self, symbols: Int32Array | None, frequencies: Frequencies, n: int) -> Int32Array:
        found = super().code(symbols, frequencies, n)
        self.bits[self._piece] = self.bits.get(self._piece, 0.0) + _bits(found, frequencies, n)
        return found
