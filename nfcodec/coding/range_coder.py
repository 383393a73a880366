"""The range coder in plain Python, symbol by symbol, for models whose tables differ from symbol to symbol.

It reads and writes what `nfcodec.coding.entropy` does; `range_kernels` has the same for compiled loops.
docs/reference/format.md, "Range decoder", is the normative text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nfcodec.coding.entropy import TABLE_BITS
from nfcodec.errors import FormatError

WORD_BITS, STATE_BITS = 32, 64
WORD_BYTES = WORD_BITS // 8

FIRST_WORDS = STATE_BITS // WORD_BITS
"""That a decoder begins with. Each symbol, and each group of bits, takes one more at most."""

Words = npt.NDArray[np.uint32]

BAD_SYMBOL = -1
"""What compiled loops return in place of a symbol where no encoder leads to the state."""

_WORD, _STATE = (1 << WORD_BITS) - 1, (1 << STATE_BITS) - 1


def corrupt() -> FormatError:
    """What a decoder raises for a state that no encoder leads to."""
    return FormatError("the entropy-coded stream is corrupt", code="stream")


def check_end(n_read: int, n_words: int) -> None:
    """Raise FormatError if the stream has words that no symbol used.

    Args:
        n_read: words that a decoder took, the first two included.
    """
    if n_read < n_words:
        raise FormatError("the entropy-coded stream is longer than its symbols", code="stream")


def first_state(words: Words) -> npt.NDArray[np.uint64]:
    """The state of a decoder of `range_kernels` at the start of words."""
    first, second = [*words[:2].tolist(), 0, 0][:2]
    return np.array([first << WORD_BITS | second, _STATE, 2], np.uint64)


class RangeDecoder:
    """Reads symbols. Any words decode to something; `check_end` tells whether there were too many."""

    def __init__(self, words: Words) -> None:
        self._words, self.n_read = [*words.tolist(), 0, 0], FIRST_WORDS
        self._difference = self._words[0] << WORD_BITS | self._words[1]
        self._range = _STATE

    def symbol(self, ends: Sequence[int]) -> int:
        """A symbol of a table.

        Args:
            ends: its frequencies, summed up from 0 to 2^24.
        """
        unit = self._range >> TABLE_BITS
        i = bisect_right(ends, self._difference // unit)
        if i == len(ends):
            raise corrupt()
        start = ends[i - 1]
        self._difference -= unit * start
        self._range = unit * (ends[i] - start)
        if self._range <= _WORD:
            self._take()
        return i - 1

    def bits(self, n: int) -> int:
        """A number of n bits, all equally likely; at most 24."""
        width = (self._range >> TABLE_BITS) << TABLE_BITS - n
        found = self._difference // width
        if found >> n:
            raise corrupt()
        self._difference -= width * found
        self._range = width
        if self._range <= _WORD:
            self._take()
        return found

    def _take(self) -> None:
        """The next word, or 0 behind the last one."""
        word = self._words[self.n_read] if self.n_read < len(self._words) else 0
        self._difference, self._range = self._difference << WORD_BITS | word, self._range << WORD_BITS
        self.n_read += 1


class RangeEncoder:
    """Writes symbols."""

    def __init__(self) -> None:
        self._words: list[int] = []
        self._lower, self._range = 0, _STATE

    def symbol(self, i: int, ends: Sequence[int]) -> None:
        """The counterpart of `RangeDecoder.symbol`."""
        self._narrow(ends[i], ends[i + 1] - ends[i])

    def bits(self, value: int, n: int) -> None:
        """The counterpart of `RangeDecoder.bits`."""
        self._narrow(value << TABLE_BITS - n, 1 << TABLE_BITS - n)

    def finish(self) -> bytes:
        """The stream, as 32-bit little-endian words; none without symbols."""
        if self._range != _STATE:
            end = (self._lower + self._range >> WORD_BITS) & _WORD
            self._raise(self._lower + _WORD)
            self._words.append(self._lower >> WORD_BITS)
            if self._words[-1] == end:
                self._words.append(0)
        return np.array(self._words, "<u4").tobytes()

    def _narrow(self, start: int, frequency: int) -> None:
        unit = self._range >> TABLE_BITS
        self._raise(self._lower + unit * start)
        self._range = unit * frequency
        if self._range <= _WORD:
            self._words.append(self._lower >> WORD_BITS)
            self._lower, self._range = (self._lower & _WORD) << WORD_BITS, self._range << WORD_BITS

    def _raise(self, lower: int) -> None:
        """Take a new lower end; where it is over 64 bits, it carries into the words before."""
        self._lower = lower & _STATE
        if lower > _STATE:
            i = len(self._words) - 1
            while self._words[i] == _WORD:
                self._words[i] = 0
                i -= 1
            self._words[i] += 1
