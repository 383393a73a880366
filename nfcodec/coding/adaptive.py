"""Adaptive frequency tables in integer arithmetic: the probability model of every symbol in a file.

A model codes integers v in [-limit, limit], each in a context 0 .. n_contexts - 1 that the caller computes from what
is already decoded. Symbols come in batches that double in size; inside a batch the tables stand still, so a whole
group of symbols with one context is coded in one call. Nothing about the tables is transmitted but `limit` and the
scale of the prior. docs/reference/format.md, "Adaptive tables", is the normative text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.coding.entropy import TABLE_BITS, TABLE_TOTAL, Int32Array, Int64Array
from nfcodec.errors import FormatError
from nfcodec.exact.part import SymbolCoder
from nfcodec.limits import Cost

FIRST_BATCH = 32
LAST_BATCH = 8192
COUNT_WEIGHT = 64
INNER_COUNT_WEIGHT = 1 << 10
"""Of a symbol in a context inside a wider one."""

PRIOR_WEIGHT = 2048
PRIOR_FLOOR = 4
MAX_ALPHABET = 512
N_SCALES = 64

SYMBOL, TABLE, TABLE_SYMBOL, INNER_SYMBOL = 0.055e-6, 3.5e-6, 3.2e-9, 9.5e-9
"""Work: of a symbol; of each table that is made, whatever its size; and of each symbol that it holds, without and with
contexts inside wider ones."""

RUN_BYTES, SLICE_VALUES = 40, 1 << 18
"""Memory that a run takes for each of its symbols while it is coded; and how many numbers of tables there are at a
time, beside counts."""

TABLE_BYTES = 12 * 8
"""Of memory for each of these numbers."""

PRIOR_SYMBOL, COUNT_BYTE, SAME_SYMBOL, SAME_BYTES = 0.2e-6, 0.3e-9, 8e-9, 16
"""Work of each symbol of a prior and of each byte of counts; and work and memory of symbols that are all the same, as
there are no others."""


def prior_weights(limit: int, scale: int) -> Int64Array:
    """The two-sided geometric start of a table over -limit .. limit, as integers.

    `scale` (0 .. N_SCALES - 1) is logarithmic: B = (4 + scale % 4) * 2^(scale // 4) eighths; each step away from zero
    multiplies by B / (B + 8), in 16-bit fixed point, rounded down.
    """
    eighths = (4 + (scale & 3)) << (scale >> 2)
    ratio = (eighths << 16) // (eighths + 8)
    side = np.zeros(limit + 1, np.int64)
    weight = 1 << 24
    for k in range(limit + 1):
        side[k] = weight
        weight = (weight * ratio) >> 16
        if weight == 0:
            break
    both = np.concatenate([side[:0:-1], side])
    return both * PRIOR_WEIGHT // int(both.sum()) + PRIOR_FLOOR


def prior_scale(eighths: int) -> int:
    """The largest `scale` whose B is at most `eighths` (a mean magnitude in eighths of a symbol), at least 0."""
    octave = max(0, eighths.bit_length() - 3)
    return min(N_SCALES - 1, max(0, 4 * octave + (eighths >> octave) - 4))


def frequencies(weights: Int64Array) -> Int64Array:
    """Scale non-negative integer weights (..., n) to integers >= 1 that sum to 2^24 along the last axis.

    The remainder goes to the first largest.
    """
    tables = 1 + weights * (TABLE_TOTAL - weights.shape[-1]) // weights.sum(axis=-1, keepdims=True)
    largest = tables.argmax(axis=-1, keepdims=True)
    remainder = TABLE_TOTAL - tables.sum(axis=-1, keepdims=True)
    np.put_along_axis(tables, largest, np.take_along_axis(tables, largest, -1) + remainder, -1)
    return tables


@dataclass(frozen=True)
class PriorSymbols:
    """How many symbols the table of the context around one counts as: some, and some for each different one seen.

    Many different ones tell that there will be more (Moffat 1990, PPM's method C).
    """

    least: int = 32
    more: int = 0


class _Tables:
    """Counts of one alphabet 0 .. n_symbols - 1 in each context."""

    last_batch = LAST_BATCH

    def __init__(self, priors: Sequence[Int64Array]) -> None:
        self._counts = np.array(priors, np.int64)
        self._n_coded = 0

    def code(self, coder: SymbolCoder, contexts: npt.NDArray[np.integer], symbols: Int32Array | None) -> Int32Array:
        coded = np.empty(len(contexts), np.int32)
        if self._counts.shape[1] == 1:  # nothing to tell apart
            coded[:] = 0
            return coded
        start = 0
        while start < len(contexts):
            stop = min(len(contexts), start + min(max(FIRST_BATCH, self._n_coded), self.last_batch))
            batch = contexts[start:stop]
            by_context = np.argsort(batch, kind="stable")
            sizes = np.bincount(batch)
            ends = np.cumsum(sizes)
            for context, table in self._tables_of(np.flatnonzero(sizes)):
                group = by_context[ends[context] - sizes[context] : ends[context]]
                chosen = None if symbols is None else symbols[start:stop][group]
                coded[start:stop][group] = coder.code(chosen, table, len(group))
            self._count(batch, coded[start:stop])
            self._n_coded += stop - start
            start = stop
        return coded

    def _tables_of(self, present: npt.NDArray[np.integer]) -> Iterator[tuple[int, Int64Array]]:
        """Some contexts and the table of each; few tables are in memory at a time."""
        at_a_time = max(1, SLICE_VALUES // self._counts.shape[1])
        for start in range(0, len(present), at_a_time):
            some = present[start : start + at_a_time]
            yield from zip(some.tolist(), self._tables(some), strict=True)

    def _tables(self, present: npt.NDArray[np.integer]) -> Int64Array:
        """The tables of some contexts."""
        return frequencies(self._counts[present])

    def _count(self, contexts: npt.NDArray[np.integer], symbols: Int32Array) -> None:
        _add(self._counts, COUNT_WEIGHT, contexts, symbols)


class _NestedTables(_Tables):
    """The same with contexts inside wider ones, up to one of all symbols: these tell what those do not know yet.

    Args:
        prior: of the widest context.
        weight: of the others' priors.
        around: from the widest to the narrowest contexts but the widest, the index of the one around each of them.
    """

    last_batch = 1 << 62

    def __init__(self, prior: Int64Array, around: Sequence[npt.NDArray[np.integer]], weight: PriorSymbols) -> None:
        super().__init__([prior])
        self._around, self._weight = around, weight
        self._inner = [np.zeros((len(each), len(prior)), np.int32) for each in around]

    def _tables(self, present: npt.NDArray[np.integer]) -> Int64Array:
        chain = [present]
        for around in self._around[::-1]:
            chain.insert(0, np.unique(around[chain[0]]))
        tables = super()._tables(chain[0])
        for wider, narrower, around, counts in zip(chain, chain[1:], self._around, self._inner, strict=False):
            prior, seen = tables[np.searchsorted(wider, around[narrower])], counts[narrower].astype(np.int64)
            n_prior = self._weight.least + self._weight.more * np.count_nonzero(seen, axis=1, keepdims=True)
            tables = frequencies(INNER_COUNT_WEIGHT * seen + (INNER_COUNT_WEIGHT * n_prior * prior >> TABLE_BITS))
        return tables

    def _count(self, contexts: npt.NDArray[np.integer], symbols: Int32Array) -> None:
        for counts, around in zip(self._inner[::-1], self._around[::-1], strict=True):
            _add(counts, 1, contexts, symbols)
            contexts = around[contexts]
        super()._count(contexts, symbols)


def _add(counts: npt.NDArray[np.integer], weight: int, contexts: npt.NDArray[np.integer], symbols: Int32Array) -> None:
    """Add a weight for each symbol in its context."""
    flat, one = counts.reshape(-1), counts.dtype.type(weight)  # of the same type, which is much quicker
    for start in range(0, len(contexts), SLICE_VALUES):
        some = slice(start, start + SLICE_VALUES)
        np.add.at(flat, contexts[some].astype(np.int64) * counts.shape[1] + symbols[some], one)


def adaptive_cost(n: int, limit: int, contexts: Sequence[int], *, n_runs: int = 1, nested: bool = False) -> Cost:
    """What a decoder takes for an `AdaptiveModel` and the symbols that it codes; the symbols are not kept.

    Args:
        n: symbols.
        limit: of the model.
        contexts: how many there are, or, where they are nested, from the widest but one to the narrowest.
        n_runs: calls of `code`.
    """
    (high, shift), narrowest = _parts_of(limit), contexts[-1] if contexts else 1
    n_high, n_low = 2 * high + 1, 1 << shift
    if n_high == 1:
        return Cost(SAME_BYTES * n, SAME_SYMBOL * n)
    inner = INNER_SYMBOL if nested else TABLE_SYMBOL
    work = n * SYMBOL + narrowest * high * PRIOR_SYMBOL * (not nested)
    work += _n_tables(n, n_runs, narrowest, LAST_BATCH if not nested else n) * (TABLE + n_high * inner)
    if shift:
        work += n * SYMBOL + _n_tables(n, n_runs, 3, LAST_BATCH) * (TABLE + n_low * TABLE_SYMBOL)
    counts = 4 * sum(contexts) * n_high if nested else 8 * narrowest * n_high
    longest = n if n_runs == 1 else -(-n // 2)
    work += COUNT_BYTE * counts
    tables = TABLE_BYTES * (min(SLICE_VALUES + n_high, narrowest * n_high) + 3 * n_low * (shift > 0))
    return Cost(RUN_BYTES * longest + counts + tables, work)


def _n_tables(n: int, n_runs: int, contexts: int, last_batch: int) -> int:
    """How many tables are made at most while n symbols are coded, in so many contexts."""
    total, coded = 0, 0
    while coded < n and coded < last_batch:
        batch = min(n - coded, max(FIRST_BATCH, coded))
        total, coded = total + min(batch, contexts), coded + batch
    full = -(-(n - coded) // last_batch) if coded < n else 0
    return min(n, total + (full + n_runs - 1) * min(contexts, last_batch))


def _parts_of(limit: int) -> tuple[int, int]:
    """The limit of the high part of symbols up to a limit, and the bits of the low part."""
    shift = 0
    while (2 * limit >> shift) + 2 > MAX_ALPHABET:
        shift += 1
    return (limit + (1 << shift) - 1) >> shift, shift


class AdaptiveModel:
    """Codes integers in [-limit, limit] in contexts; large alphabets split into a high and a low part.

    Args:
        limit: largest magnitude, >= 0.
        scales: the prior scale of each context (see `prior_weights`).
        around: for contexts inside wider ones, from the widest to the narrowest but the widest, the index of the one
            around each; `scales` then has only that of the widest, and `code` takes the narrowest.
        weight: of the priors of contexts inside wider ones.
    """

    def __init__(
        self,
        limit: int,
        scales: Sequence[int],
        around: Sequence[npt.NDArray[np.integer]] = (),
        weight: PriorSymbols = PriorSymbols(),
    ) -> None:
        self.largest, (self.limit, self.shift) = limit, _parts_of(limit)  # of the high part: -limit .. limit
        priors = [prior_weights(self.limit, max(0, s - 4 * self.shift)) for s in scales]
        self._high = _NestedTables(priors[0], around, weight) if around else _Tables(priors)
        flat = np.full(1 << self.shift, PRIOR_FLOOR, np.int64)
        self._low = _Tables([flat] * 3)

    def code(self, coder: SymbolCoder, contexts: npt.NDArray[np.integer], values: Int64Array | None) -> Int64Array:
        """Code one run of values; returns them as int64. A decoder passes None; FormatError for one over the limit."""
        high_in = None if values is None else ((values >> self.shift) + self.limit).astype(np.int32)
        high = self._high.code(coder, contexts, high_in).astype(np.int64)
        high -= self.limit
        if self.shift == 0:
            return high
        low_in = None if values is None else (values & ((1 << self.shift) - 1)).astype(np.int32)
        kind = np.where(high == 0, 0, np.where(high == -1, 1, 2))
        coded = (high << self.shift) + self._low.code(coder, kind, low_in)
        if values is None and max(coded.max(initial=0), -coded.min(initial=0)) > self.largest:
            raise FormatError("a symbol is over the limit that the file states", code="symbol")
        return coded
