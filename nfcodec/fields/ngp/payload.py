"""How a file holds the entries of hashed levels: those alone that some pixel uses, level after level.

Where each vertex has an entry of its own, the magnitudes around it may tell about it; otherwise its other features do.
docs/reference/format.md, "Entries of hash levels", is the normative text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nfcodec.coding.adaptive import AdaptiveModel
from nfcodec.coding.entropy import Int64Array
from nfcodec.coding.features import code_features, features_cost
from nfcodec.coding.levels import code_in_passes, neighbour_model, passes_cost
from nfcodec.exact.arithmetic import MAX_SYMBOL, widened
from nfcodec.exact.geometry import Geometry
from nfcodec.exact.part import Part, SymbolCoder, Symbols
from nfcodec.fields.ngp.levels import HashLevel, UsedEntries
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader, put_varint

BYTE = 2.0e-9
"""Work of each byte of a table, to get it from the system."""


class EntriesPart(Part):
    """The tables `level0`, `level1`, .. of an Instant-NGP.

    The head is the largest magnitude of each feature of each level (varints).

    Args:
        by_neighbours: whether entries on the lattice are coded by the magnitudes around them.
    """

    def __init__(self, levels: Sequence[HashLevel], geometry: Geometry, *, by_neighbours: bool) -> None:
        self._levels, self._by_neighbours = levels, by_neighbours
        self._geometry = geometry
        self._found: list[UsedEntries] = []
        self._limits: list[list[int]] = []

    @property
    def _used(self) -> list[UsedEntries]:
        """The entries of each level, found when they are asked for first: `cost` does without."""
        if not self._found:
            self._found = [level.used(self._geometry) for level in self._levels]
        return self._found

    def head(self, symbols: Symbols) -> bytes:
        self._limits = [
            [int(limit) for limit in np.abs(entries).max(axis=(0, 1))] for entries in self._entries(symbols)
        ]
        return b"".join(put_varint(limit) for limits in self._limits for limit in limits)

    def read_head(self, reader: ByteReader) -> None:
        self._limits = [[reader.varint(MAX_SYMBOL) for _ in range(level.features)] for level in self._levels]

    def cost(self, stream_bytes: int) -> Cost:
        total, largest = Cost(), max(limit for limits in self._limits for limit in limits)
        for level, limits in zip(self._levels, self._limits, strict=True):
            n_used, n_bytes = level.most_used(self._geometry), 8 * level.touched * level.features
            if self._by_neighbours and level.is_on_lattice(self._geometry):
                coded = Cost(kept_bytes=8 * n_used * (level.features + 2))
                coding = coded.then(passes_cost(n_used, [largest] * level.features))
            else:
                coding = features_cost(n_used, limits, stream_bytes)
            used = Cost(level.size, level.use_work(self._geometry) + BYTE * n_bytes, 8 * n_used + n_bytes)
            total = total.then(used).then(coding.keeping(0))
        return total

    def code(self, coder: SymbolCoder, symbols: Symbols | None, known: Symbols) -> Symbols:
        given = [None] * len(self._levels) if symbols is None else self._entries(symbols)
        models, coarser = self._models(), None
        found: dict[str, Int64Array] = {}
        for i, (level, used, limits, entries) in enumerate(
            zip(self._levels, self._used, self._limits, given, strict=True)
        ):
            coder.enter(f"level{i}")
            shape = (*used.index.shape, level.features)
            if self._by_neighbours and used.on_lattice:
                coded = _code_lattice(coder, models, shape, coarser, entries)
                coarser = coded
            else:
                coded = code_features(coder, shape, limits, entries)
            table = np.zeros(level.shape, np.int64)
            table[used.index] = coded
            found[f"level{i}"] = table
        return found

    def _entries(self, symbols: Symbols) -> list[Int64Array]:
        """Of each level, those used, (rows, cols, features)."""
        return [widened(symbols[f"level{i}"])[used.index] for i, used in enumerate(self._used)]

    def _models(self) -> list[AdaptiveModel]:
        """One for each feature, that all levels on the lattice share."""
        if not self._by_neighbours:
            return []
        on_lattice = [limits for limits, used in zip(self._limits, self._used, strict=True) if used.on_lattice]
        n_features = max((len(limits) for limits in on_lattice), default=0)
        return [neighbour_model(max(limits[f] for limits in on_lattice if f < len(limits))) for f in range(n_features)]


def _code_lattice(
    coder: SymbolCoder,
    models: Sequence[AdaptiveModel],
    shape: tuple[int, int, int],
    coarser: Int64Array | None,
    entries: Int64Array | None,
) -> Int64Array:
    """Code a level (rows, cols, features) by the magnitudes in it and in the coarser level, if there is one."""
    level = np.zeros(shape, np.int64)
    for f in range(shape[2]):
        around = None if coarser is None or f >= coarser.shape[2] else _at_finer(np.abs(coarser[:, :, f]), shape)
        code_in_passes(coder, models[f], level, f, around, None if entries is None else entries[:, :, f])
    return level


def _at_finer(coarser: Int64Array, shape: tuple[int, int, int]) -> Int64Array:
    """The entries of a coarser lattice at the places of a finer one."""
    rows, cols = ((2 * np.arange(n) + 1) * size // (2 * n) for n, size in zip(shape, coarser.shape, strict=False))
    return coarser[rows][:, cols]
