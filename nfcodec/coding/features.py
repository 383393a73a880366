"""Coding tables whose entries say nothing about their neighbours: each feature follows from those before it.

docs/reference/format.md, "Tables of features", is the normative text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nfcodec.coding.adaptive import AdaptiveModel, adaptive_cost, prior_scale
from nfcodec.coding.convolutional import BUCKETS as CODED_BUCKETS
from nfcodec.coding.convolutional import code_trellis, trellis_model
from nfcodec.coding.entropy import Int64Array
from nfcodec.coding.nesting import around, feature_contexts, n_contexts
from nfcodec.exact.arithmetic import MAX_SYMBOL, widened
from nfcodec.exact.field import Tensor
from nfcodec.exact.part import Part, SymbolCoder, Symbols
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader, put_varint

BUCKETS = (16, 32, 128)
"""How many wide, narrower and narrow ones there are of a feature's symbols; see `nesting.around`."""

FEW_CONTEXTS = 1 << 10
"""So many there may be whatever the stream."""

PATH_WORK, PATH_BYTES, CONTEXT_BYTES = 40e-9, 3, 8
"""Work and memory of each symbol, to decode parities; and memory of each place, for contexts."""


class FeaturesPart(Part):
    """A table (rows, cols, features), one feature after the other in raster order.

    The context of a symbol is the pair of the two features coded before at the same place, narrow contexts inside
    wider ones. The head is the largest magnitude of each feature (varints).

    Args:
        coded: whether the parities of the symbols are those of a path through a convolutional code.
    """

    def __init__(self, tensor: Tensor, *, coded: bool) -> None:
        self._tensor, self._coded = tensor, coded
        self._limits: list[int] = []

    def head(self, symbols: Symbols) -> bytes:
        self._limits = [int(limit) for limit in np.abs(symbols[self._tensor.name]).max(axis=(0, 1))]
        return b"".join(put_varint(limit) for limit in self._limits)

    def read_head(self, reader: ByteReader) -> None:
        self._limits = [reader.varint(MAX_SYMBOL) for _ in range(self._tensor.shape[2])]

    def cost(self, stream_bytes: int) -> Cost:
        shape, buckets = self._tensor.shape, CODED_BUCKETS if self._coded else BUCKETS
        return features_cost(shape[0] * shape[1], self._limits, stream_bytes, buckets, coded=self._coded)

    def code(self, coder: SymbolCoder, symbols: Symbols | None, known: Symbols) -> Symbols:
        chosen = None if symbols is None else widened(symbols[self._tensor.name])
        if not self._coded:
            return {self._tensor.name: code_features(coder, self._tensor.shape, self._limits, chosen)}
        models = [trellis_model(f, limit) for f, limit in enumerate(self._limits)]
        return {self._tensor.name: code_trellis(coder, models, self._limits, self._tensor.shape, chosen)}


def features_cost(
    n_places: int,
    limits: Sequence[int],
    stream_bytes: int,
    buckets: tuple[int, int, int] = BUCKETS,
    *,
    coded: bool = False,
) -> Cost:
    """What a decoder takes for entries, one for each limit at each place, that `code_features` or `code_trellis` codes.

    Args:
        stream_bytes: that all symbols are read from. A pair of features that has not been seen before takes about a
            bit or more, for nothing but symbols seen before is ever nearly certain.
        coded: whether parities come from a convolutional code.
    """
    most = FEW_CONTEXTS + 8 * stream_bytes
    work, peak, n = 0.0, 0.0, n_places * len(limits)
    for f, limit in enumerate(limits):
        contexts = [min(each, most) for each in n_contexts(f, limits, buckets)]
        if coded:
            contexts = [2, *(2 * each for each in contexts)]
        model = adaptive_cost(n_places, (limit + 1) >> 1 if coded else limit, contexts, nested=bool(contexts))
        work, peak = work + model.work, max(peak, model.memory_bytes)
    if coded:
        work, peak = work + PATH_WORK * n, max(peak, PATH_BYTES * n)
    return Cost(8 * n + CONTEXT_BYTES * n_places + peak, work, 8 * n)


def code_features(
    coder: SymbolCoder, shape: tuple[int, ...], limits: Sequence[int], symbols: Int64Array | None
) -> Int64Array:
    """Code entries (rows, cols, features), one feature after the other; a decoder passes None for `symbols`.

    Args:
        limits: the largest magnitude of each feature.
    """
    table = np.zeros(shape, np.int64)
    for f in range(len(limits)):
        flat = None if symbols is None else symbols[:, :, f].reshape(-1)
        table[:, :, f] = _code_feature(coder, table, f, limits, flat)
    return table


def _code_feature(
    coder: SymbolCoder, table: Int64Array, f: int, limits: Sequence[int], values: Int64Array | None
) -> Int64Array:
    """Code feature f of a table whose features before it are known; the model is forgotten on the way back."""
    model = AdaptiveModel(limits[f], [prior_scale(2 * limits[f])], around(f, BUCKETS))
    contexts = feature_contexts(table, f, limits, BUCKETS[-1])
    return model.code(coder, contexts, values).reshape(table.shape[:2])
