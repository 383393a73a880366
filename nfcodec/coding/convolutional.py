"""Symbols whose parities a convolutional code gives: a lattice of many dimensions, and how it is coded.

A rounded number is as good as its cell is round, and a cube is not. Parities that come from a code make a lattice whose
cells are nearly balls: 1.27 dB less error at the same rate, of the 1.53 dB that there are to gain (trellis-coded
quantization, Marcellin & Fischer 1990; as a lattice by construction A, Kudryashov & Yurkov 2009). One bit of the path
through the code gives the parities of three symbols. The path comes first in a file, so all parities are known before
any symbol is, and decoding knows no trellis: parities are sums of bits.

docs/reference/format.md, "Convolutional codes", is the normative text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nfcodec.coding.adaptive import AdaptiveModel, PriorSymbols, prior_scale
from nfcodec.coding.entropy import TABLE_TOTAL, Int64Array
from nfcodec.coding.nesting import around, feature_contexts
from nfcodec.errors import FormatError
from nfcodec.exact.part import SymbolCoder

CODES = ((0o557, 0o663, 0o711), (0o561, 0o753, 0))
"""Generators of the three parities that a bit of the path gives: the bits that they sum, it and the MEMORY before it.

The codes of rates 1/3 and 1/2 with the largest free distance (Larsen 1973); the highest bit stands for the newest. The
second leaves each third symbol even, which suits a feature that takes about a bit or less.
"""

MEMORY = 8
RUN = 1024
"""Bits of the path after which it starts anew: zeros came before."""

BUCKETS = (16, 48, 192)
PRIOR_SYMBOLS = PriorSymbols(8, 4)

Bits = npt.NDArray[np.uint8]


def path_length(n: int) -> int:
    """How many bits give the parities of n symbols."""
    return -(-n // 3)


def parities(path: Bits, code: int, run: int = RUN) -> Bits:
    """The parities (T, 3) that a path (T,) through one of CODES gives, which starts anew after each `run` bits."""
    run = max(1, min(run, len(path)))
    runs = np.pad(path, (0, -len(path) % run)).reshape(-1, run)
    out = np.zeros((*runs.shape, 3), np.uint8)
    for age in range(min(MEMORY + 1, run)):
        for j, generator in enumerate(CODES[code]):
            if generator >> (MEMORY - age) & 1:
                out[:, age:, j] ^= runs[:, : run - age]
    return out.reshape(-1, 3)[: len(path)]


def path_of(symbols: Int64Array) -> tuple[int, Bits] | None:
    """The code, and the path through it, whose parities the symbols have in raster order; None if there is none."""
    for code in range(len(CODES)):
        path = path_by_first(symbols.reshape(-1)[::3] & 1, code)
        if np.array_equal(_parities_of(path, code, symbols.shape), symbols & 1):
            return code, path
    return None


def path_by_first(first: Int64Array, code: int, run: int = RUN) -> Bits:
    """The only path (T,) that gives the first of each three parities, (T,)."""
    older = CODES[code][0] & (1 << MEMORY) - 1
    sums = [(bits & older).bit_count() & 1 for bits in range(1 << MEMORY)]
    path = bytearray(len(first))
    state = 0
    for t, parity in enumerate(first.tolist()):
        if t % run == 0:
            state = 0
        path[t] = bit = parity ^ sums[state]  # the newest bit is part of the sum
        state = (bit << MEMORY | state) >> 1
    return np.frombuffer(path, np.uint8)


def code_trellis(
    coder: SymbolCoder,
    models: Sequence[AdaptiveModel],
    limits: Sequence[int],
    shape: tuple[int, ...],
    symbols: Int64Array | None,
) -> Int64Array:
    """Code a level's symbols, (rows, cols, features); a decoder passes None.

    Args:
        models: `trellis_model` of each feature; limits: the largest magnitude of each.

    Raises:
        ValueError: no code has a path for the symbols' parities.
        FormatError: a decoded symbol is over its limit.
    """
    path = None if symbols is None else path_of(symbols)
    if symbols is not None and path is None:
        raise ValueError("the symbols' parities are no code's")
    flat, n_steps = np.full(2, TABLE_TOTAL // 2, np.int64), path_length(int(np.prod(shape)))
    code = int(coder.code(None if path is None else np.array([path[0]], np.int32), flat, 1)[0])
    bits = coder.code(None if path is None else path[1].astype(np.int32), flat, n_steps)
    parity = _parities_of(bits.astype(np.uint8), code, shape)
    level = np.zeros(shape, np.int64)
    for f in range(shape[2]):
        contexts = feature_contexts(level, f, limits, BUCKETS[-1])
        contexts *= 2
        contexts += parity[:, :, f].reshape(-1)
        halves = None if symbols is None else symbols[:, :, f].reshape(-1) >> 1
        found = models[f].code(coder, contexts, halves).reshape(shape[:2])
        found *= 2
        found += parity[:, :, f]
        if max(found.max(initial=0), -found.min(initial=0)) > limits[f]:
            raise FormatError("a symbol is over the limit that the file states", code="symbol")
        level[:, :, f] = found
    return level


def trellis_model(f: int, limit: int) -> AdaptiveModel:
    """Of feature f, whose magnitudes are at most `limit`: codes halves, rounded down, of symbols of known parity."""
    chain = [2 * np.repeat(outer, 2) + np.tile([0, 1], len(outer)) for outer in around(f, BUCKETS)]
    half = (limit + 1) >> 1
    return AdaptiveModel(half, [prior_scale(2 * half)], [np.zeros(2, np.int64), *chain], PRIOR_SYMBOLS)


def _parities_of(path: Bits, code: int, shape: tuple[int, ...]) -> Bits:
    """The parities of symbols of a shape, in raster order."""
    return parities(path, code).reshape(-1)[: int(np.prod(shape))].reshape(shape)
