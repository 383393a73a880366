"""Coding the symbols of dense levels: which context each symbol gets, and in which order they come.

Coarse levels come first; a level's features one after the other; a feature in four interleaved passes, so that whole
passes decode at once. The context is the weighted mean magnitude of what is already known around the symbol:
neighbours of earlier passes, the feature before it, the coarser level. docs/reference/format.md, "Dense levels", is
the normative text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.coding.adaptive import AdaptiveModel, adaptive_cost
from nfcodec.coding.entropy import Int64Array
from nfcodec.exact.arithmetic import MAX_SYMBOL, widened
from nfcodec.exact.part import Part, SymbolCoder, Symbols, every
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader, put_varint

PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))
_SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
_CORNERS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_KNOWN = ((), _CORNERS, _SIDES, _SIDES + _CORNERS)
"""The neighbours, as (dy, dx), whose pass comes before each pass."""

CLASS_BOUNDS = np.array([1, 2, 5, 7, 10, 13, 16, 21, 27, 35, 48, 64, 96, 144, 224])  # sixteenths of a symbol
CLASS_SCALES = [0, 0, 0, 0, 0, 1, 3, 4, 6, 7, 9, 11, 13, 15, 17, 21]  # prior scales for these classes
_CLASSES: npt.NDArray[np.int16] = np.searchsorted(CLASS_BOUNDS, np.arange(225), side="right").astype(np.int16)
"""The class of every mean magnitude up to the last bound."""
_SMALL = 1 << 18
"""The contexts of symbols below it are computed in 32-bit integers, which is faster."""


CONTEXT, NARROW_BYTES, WIDE_BYTES = 0.045e-6, 26, 46
"""Work to find the context of a symbol; and memory of each place of a level for that, in 32 bits and in 64."""


@dataclass(frozen=True)
class LevelShape:
    """A dense level: (rows, cols, features), one entry every 2^log2_stride pixels."""

    rows: int
    cols: int
    features: int
    log2_stride: int


class LevelsPart(Part):
    """Dense levels, from coarse to fine, each symbol by the magnitudes around it.

    The head is the largest magnitude of each feature over all levels (varints).

    Args:
        shapes: of the levels, by the names of their tensors.
    """

    def __init__(self, shapes: Mapping[str, LevelShape]) -> None:
        self._shapes = shapes
        self._limits: list[int] = []

    def head(self, symbols: Symbols) -> bytes:
        self._limits = [
            max(int(np.abs(symbols[name][:, :, f]).max()) for name, shape in self._shapes.items() if f < shape.features)
            for f in range(self._n_features)
        ]
        return b"".join(put_varint(limit) for limit in self._limits)

    def read_head(self, reader: ByteReader) -> None:
        self._limits = [reader.varint(MAX_SYMBOL) for _ in range(self._n_features)]

    def cost(self, stream_bytes: int) -> Cost:
        total = Cost()
        for shape in self._shapes.values():
            limits, n = self._limits[: shape.features], shape.rows * shape.cols
            level = Cost(kept_bytes=8 * n * len(limits))
            total = total.then(level).then(passes_cost(n, limits))
        return total

    def code(self, coder: SymbolCoder, symbols: Symbols | None, known: Symbols) -> Symbols:
        given = None if symbols is None else [widened(symbols[name]) for name in self._shapes]
        found = code_levels(coder, list(self._shapes.values()), self._limits, given)
        return dict(zip(self._shapes, found, strict=True))

    @property
    def _n_features(self) -> int:
        return max(shape.features for shape in self._shapes.values())


def code_levels(
    coder: SymbolCoder, shapes: Sequence[LevelShape], limits: Sequence[int], levels: Sequence[Int64Array] | None
) -> list[Int64Array]:
    """Code the symbols of dense levels, given coarse to fine; a decoder passes None for `levels`.

    Args:
        limits: for each feature index, the largest magnitude over all levels.

    Returns:
        One int64 array (rows, cols, features) a level.
    """
    models = [neighbour_model(limit) for limit in limits]
    done: list[Int64Array] = []
    for i, shape in enumerate(shapes):
        coder.enter(f"entries {every(1 << shape.log2_stride)}")
        level = np.zeros((shape.rows, shape.cols, shape.features), np.int64)
        for f in range(shape.features):
            values = None if levels is None else levels[i][:, :, f]
            coarser = _at_finer(done[-1], shapes[i - 1], shape, f) if i and f < shapes[i - 1].features else None
            code_in_passes(coder, models[f], level, f, coarser, values)
        done.append(level)
    return done


def _at_finer(coarser: Int64Array, shape: LevelShape, finer: LevelShape, f: int) -> Int64Array:
    """Magnitudes of the coarser level's feature `f`, at the entries of the finer level."""
    shift = shape.log2_stride - finer.log2_stride
    rows = np.arange(finer.rows) >> shift
    cols = np.arange(finer.cols) >> shift
    return np.abs(coarser[:, :, f])[rows][:, cols]


def neighbour_model(limit: int) -> AdaptiveModel:
    """The model that `code_in_passes` needs, for symbols of magnitudes up to `limit`."""
    return AdaptiveModel(limit, CLASS_SCALES * 2)


def passes_cost(n_places: int, limits: Sequence[int], n_contexts: int = 2 * len(CLASS_SCALES)) -> Cost:
    """What a decoder takes for a symbol for each limit at each of the places of a level, beside the level itself.

    Args:
        n_contexts: of the model of each.
    """
    total, place_bytes = Cost(), NARROW_BYTES if max(limits) < _SMALL else WIDE_BYTES
    for limit in limits:
        coding = adaptive_cost(n_places, limit, [n_contexts], n_runs=len(PASSES))
        total = total.then(Cost(coding.memory_bytes + place_bytes * n_places, coding.work + CONTEXT * n_places))
    return total


def code_in_passes(
    coder: SymbolCoder,
    model: AdaptiveModel,
    level: Int64Array,
    f: int,
    coarser: Int64Array | None,
    values: Int64Array | None,
) -> None:
    """Code feature `f` into `level`, (rows, cols, features), in four passes; a decoder passes None for `values`.

    Args:
        coarser: magnitudes of feature f of the coarser level at the entries of this one; None without one.
        values: (rows, cols).
    """
    largest = max(model.largest, 0 if coarser is None else int(coarser.max()))
    for run in neighbour_runs(level, f, largest, coarser):
        chosen = None if values is None else values[run.place].reshape(-1)
        run.put(model.code(coder, run.contexts.reshape(-1), chosen))


@dataclass(frozen=True)
class NeighbourRun:
    """The symbols of one pass over a feature.

    Attributes:
        place: their index in the (rows, cols) plane.
        contexts: (rows, cols) of the run, 0 .. 2 len(CLASS_SCALES) - 1.
        plane, magnitudes: where `put` leaves the symbols, and their magnitudes for later runs.
    """

    place: tuple[slice, slice]
    contexts: npt.NDArray[np.int16]
    plane: Int64Array
    magnitudes: npt.NDArray[np.signedinteger]

    def put(self, values: Int64Array) -> None:
        """Make the symbols, (n,), known to later runs."""
        square = values.reshape(self.contexts.shape)
        self.plane[self.place] = square
        self.magnitudes[self.place] = np.abs(square)


def neighbour_runs(
    level: Int64Array, f: int, largest: int, coarser: Int64Array | None = None
) -> Iterator[NeighbourRun]:
    """The four passes over feature `f` of `level`; each must be `put` before the next is asked for.

    Args:
        level: (rows, cols, features); features before f are known.
        largest: magnitude that neither feature f nor `coarser` exceeds.
        coarser: magnitudes of the coarser level, (rows, cols), if there is one.
    """
    rows, cols = level.shape[:2]
    known_largest = max(int(level.max()), -int(level.min()))
    integer = np.int32 if max(largest, known_largest) < _SMALL else np.int64
    base: npt.NDArray[np.signedinteger] = np.zeros((rows, cols), integer)
    base_weight = 0
    if coarser is not None:
        base, base_weight = 16 * coarser.astype(integer), 16
    if f:
        before = np.pad(np.abs(level[:, :, f - 1]).astype(integer), 1, mode="edge")
        cross = before[:-2, 1:-1] + before[2:, 1:-1] + before[1:-1, :-2] + before[1:-1, 2:]
        base, base_weight = base + 3 * (4 * before[1:-1, 1:-1] + cross), base_weight + 24
    magnitude = np.zeros((rows + 2, cols + 2), integer)
    for known, (row, col) in zip(_KNOWN, PASSES, strict=True):
        if row >= rows or col >= cols:
            continue
        here = np.s_[row::2, col::2]
        total: npt.NDArray[np.signedinteger] = np.array(base[here])
        for dy, dx in known:
            gain = 8 if dy and dx else 16
            total += gain * magnitude[1 + row + dy : 1 + rows + dy : 2, 1 + col + dx : 1 + cols + dx : 2]
        weight = base_weight + _known_weight(known, (row, col), (rows, cols))
        mean = 16 * total // np.maximum(weight, 1).astype(integer)
        contexts = _CLASSES[np.minimum(mean, len(_CLASSES) - 1)]
        contexts += len(CLASS_SCALES) if known else 0  # the first pass knows no neighbours: tables of its own
        yield NeighbourRun(here, contexts, level[:, :, f], magnitude[1:-1, 1:-1])


def _known_weight(
    known: Sequence[tuple[int, int]], first: tuple[int, int], size: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """The summed weights of the known neighbours that lie inside the level, for each symbol of a pass.

    Args:
        first: row and column of the pass's first symbol; size: rows and columns of the level.
    """
    y, x = np.arange(first[0], size[0], 2), np.arange(first[1], size[1], 2)
    weight = np.zeros((len(y), len(x)), np.int64)
    for dy in (-1, 0, 1):
        of_row = np.zeros(len(x), np.int64)
        for dx in (dx for other, dx in known if other == dy):
            of_row += (8 if dy and dx else 16) * ((x + dx >= 0) & (x + dx < size[1]))
        if of_row.any():
            weight += np.where((y + dy >= 0) & (y + dy < size[0]), 1, 0)[:, None] * of_row
    return weight
