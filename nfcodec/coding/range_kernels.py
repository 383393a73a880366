# pyright: basic
"""The range coder for compiled loops; `range_coder` is the same in plain Python.

A state is three uint64: a decoder's (difference, range, words read), at first `range_coder.first_state`, and an
encoder's (lower end, range, words written), at first (0, 2^64 - 1, 0).
"""

from __future__ import annotations

import numpy as np

from nfcodec.coding.entropy import TABLE_BITS
from nfcodec.coding.range_coder import BAD_SYMBOL, WORD_BITS
from nfcodec.kernels.jit import ONE, U, kernel

STATE = np.uint64
_TABLE_BITS, _WORD_BITS, _WORD = STATE(TABLE_BITS), STATE(WORD_BITS), STATE((1 << WORD_BITS) - 1)
_ALL, _ZERO, _ONE = STATE((1 << 64) - 1), STATE(0), STATE(1)


@kernel
def _narrow_decoder(state, words, start, width):
    difference = state[0] - start
    if width <= _WORD:
        width <<= _WORD_BITS
        at = state[2]
        word = STATE(words[U(at)]) if at < STATE(words.size) else _ZERO
        difference = difference << _WORD_BITS | word
        state[2] = at + _ONE
    state[0], state[1] = difference, width


@kernel
def decoded(state, words, ends):
    """A symbol of a table, whose frequencies add up to ends, uint32, from 0 to 2^24; or BAD_SYMBOL."""
    unit, difference = state[1] >> _TABLE_BITS, state[0]
    low, high = U(0), U(ends.size - 1)  # the symbol is from low on, and under high
    if difference >= unit * STATE(ends[high]):
        return BAD_SYMBOL
    while high - low > ONE:
        middle = (low + high) >> ONE
        if difference >= unit * STATE(ends[middle]):
            low = middle
        else:
            high = middle
    start = STATE(ends[low])
    _narrow_decoder(state, words, unit * start, unit * (STATE(ends[high]) - start))
    return np.int64(low)


@kernel
def decoded_bits(state, words, n):
    """A number of n bits, uint64; or BAD_SYMBOL."""
    width = (state[1] >> _TABLE_BITS) << (_TABLE_BITS - n)
    found = state[0] // width
    if found >> n:
        return BAD_SYMBOL
    _narrow_decoder(state, words, width * found, width)
    return np.int64(found)


@kernel
def _carry(state, words):
    """The lower end is over 64 bits: add one to the words before."""
    i = U(state[2]) - ONE
    while words[i] == _WORD:
        words[i] = 0
        i -= ONE
    words[i] += np.uint32(1)


@kernel
def encode(state, words, start, frequency):
    """Write what a table has between start and start + frequency, uint64."""
    unit = state[1] >> _TABLE_BITS
    lower, width = state[0] + unit * start, unit * frequency
    if lower < state[0]:
        _carry(state, words)
    if width <= _WORD:
        words[U(state[2])] = np.uint32(lower >> _WORD_BITS)
        state[2] += _ONE
        lower, width = lower << _WORD_BITS, width << _WORD_BITS
    state[0], state[1] = lower, width


@kernel
def encode_bits(state, words, value, n):
    """Write a number of n bits, both uint64."""
    left = _TABLE_BITS - n
    encode(state, words, value << left, _ONE << left)


@kernel
def finish_encoding(state, words):
    """Write the last words, at most two."""
    if state[1] == _ALL:
        return
    end = (state[0] + state[1]) >> _WORD_BITS
    lower = state[0] + _WORD
    if lower < state[0]:
        _carry(state, words)
    last = lower >> _WORD_BITS
    words[U(state[2])] = np.uint32(last)
    state[2] += _ONE
    if last == end:
        words[U(state[2])] = 0
        state[2] += _ONE
