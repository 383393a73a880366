"""The WGHT payload: every symbol of a field's parameters in one range-coded stream.

    order u8 | models | stream

`models` holds, for dense grid levels, the largest magnitude of each feature over all levels (varints), or for a wavelet
level its regime (u8); then for each other tensor its largest magnitude (varint) and the scale of its prior (u8). The
stream codes the dense levels first, coarse to fine, or the wavelet level; then the other tensors in layout order, each
in raster order with a single context; of some tensors, each symbol's difference from the one before. Where there is
neither, the order `MATRICES` codes tensors by scales of their columns instead, and `models` has these scales alone;
`CODED_MATRICES` is the same for matrices whose parities a convolutional code gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from nfcodec.coding.adaptive import N_SCALES, AdaptiveModel, prior_scale
from nfcodec.coding.convolutional import path_of
from nfcodec.coding.entropy import Decoder, Encoder, Estimator, Int64Array, SymbolCoder
from nfcodec.coding.laplace import MAX_SCALE, code_flat
from nfcodec.coding.levels import FEATURES, NEIGHBOURS, NESTED, TRELLIS, LevelShape, code_levels
from nfcodec.coding.matrices import code_matrix, folded, has_path, suitable_scale, unfolded
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL
from nfcodec.fields.wavelet.contexts import REGIME_ORIGIN
from nfcodec.fields.wavelet.payload import WaveletShape, code_wavelet
from nfcodec.wire import put_varint, take_varint

SLOPES = 6
"""The order of wavelet levels; NEIGHBOURS, FEATURES, NESTED and TRELLIS are those of dense ones."""

MATRICES, CODED_MATRICES = 7, 8
"""The orders for fields with neither, which may have NEIGHBOURS, too. The number 3 is not used."""

_BY_COLUMN = (MATRICES, CODED_MATRICES)

Symbols = dict[str, Int64Array]


class TensorLike(Protocol):
    """What the coder needs to know of a tensor."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def log2_stride(self) -> int | None: ...
    @property
    def wavelet_levels(self) -> int | None: ...
    @property
    def differences(self) -> bool: ...


Dense = Sequence[tuple[str, LevelShape]]
Wavelet = Sequence[tuple[str, WaveletShape]]


def _split(layout: Sequence[TensorLike]) -> tuple[Dense, Wavelet, Sequence[TensorLike]]:
    """Dense grid levels, wavelet levels, and all other tensors."""
    dense = [
        (t.name, LevelShape(t.shape[0], t.shape[1], t.shape[2], t.log2_stride))
        for t in layout
        if t.log2_stride is not None
    ]
    wavelet = [
        (t.name, WaveletShape(t.shape[0], t.shape[1], t.shape[2], t.wavelet_levels))
        for t in layout
        if t.wavelet_levels is not None
    ]
    return dense, wavelet, [t for t in layout if t.log2_stride is None and t.wavelet_levels is None]


def _n_features(dense: Dense) -> int:
    return max((shape.features for _, shape in dense), default=0)


def _limits(dense: Dense, symbols: Mapping[str, Int64Array]) -> list[int]:
    limits = [0] * _n_features(dense)
    for name, shape in dense:
        for f in range(shape.features):
            limits[f] = max(limits[f], int(np.abs(symbols[name][:, :, f]).max()))
    return limits


def _scale(values: Int64Array) -> int:
    return prior_scale(int(8 * np.abs(values).mean())) if values.size else 0


def _code_adaptive(
    coder: SymbolCoder, tensor: TensorLike, limit: int, scale: int, values: Int64Array | None
) -> Int64Array:
    """Code a tensor's n symbols, or their differences, in raster order with one adaptive table."""
    n = int(np.prod(tensor.shape, dtype=np.int64))
    return AdaptiveModel(limit, [scale]).code(coder, np.zeros(n, np.int64), values)


def _code_matrix(
    coder: SymbolCoder, tensor: TensorLike, order: int, scale: int, values: Int64Array | None
) -> Int64Array:
    """The same with a scale for each column; differences, after a bit that tells whether all rise, are one column."""
    n = int(np.prod(tensor.shape, dtype=np.int64))
    if not tensor.differences:
        shape = (tensor.shape[0], n // tensor.shape[0])
        rows, coded = None if values is None else values.reshape(shape), order == CODED_MATRICES and _is_matrix(tensor)
        return code_matrix(coder, shape, scale, rows, coded=coded).reshape(-1)
    known = None if values is None else np.array([_rises(values)], np.int64)
    rises = bool(code_flat(coder, 1, 1, known)[0])
    column = None if values is None else (folded(values) if rises else values)[:, None]
    found = code_matrix(coder, (n, 1), scale, column)[:, 0]
    return unfolded(found) if rises else found


def _is_matrix(tensor: TensorLike) -> bool:
    """Whether its parities may be a code's."""
    return len(tensor.shape) > 1 and not tensor.differences


def _rises(differences: Int64Array) -> bool:
    return bool(differences.min(initial=0) >= 0)


def _coded_values(tensor: TensorLike, symbols: Mapping[str, Int64Array]) -> Int64Array:
    """What is coded of a tensor: its symbols in raster order, or their differences."""
    values = symbols[tensor.name].reshape(-1)
    return np.diff(values, prepend=0) if tensor.differences else values


def _symbols_of(tensor: TensorLike, coded: Int64Array) -> Int64Array:
    """The inverse of `_coded_values`. Raises FormatError."""
    if tensor.differences:
        coded = np.cumsum(coded)
        if np.abs(coded).max(initial=0) > MAX_SYMBOL:
            raise FormatError("differences add up to a symbol that is out of range")
    return coded.reshape(tensor.shape)


def _write(
    coder: SymbolCoder, layout: Sequence[TensorLike], order: int, symbols: Mapping[str, Int64Array], regime: int
) -> bytes:
    """Code everything into `coder`; returns the bytes before the stream."""
    dense, wavelet, rest = _split(layout)
    limits = _limits(dense, symbols)
    head = bytes([order]) + b"".join(put_varint(limit) for limit in limits)
    code_levels(coder, order, [shape for _, shape in dense], limits, [symbols[name] for name, _ in dense])
    for name, shape in wavelet:
        head += bytes([regime])
        code_wavelet(coder, shape, regime, symbols[name])
    for tensor in rest:
        values = _coded_values(tensor, symbols)
        if order in _BY_COLUMN:
            scale = suitable_scale(folded(values) if tensor.differences and _rises(values) else values)
            head += bytes([scale])
            _code_matrix(coder, tensor, order, scale, values)
        else:
            limit, scale = int(np.abs(values).max(initial=0)), _scale(values)
            head += put_varint(limit) + bytes([scale])
            _code_adaptive(coder, tensor, limit, scale, values)
    return head


def orders(layout: Sequence[TensorLike], symbols: Mapping[str, Int64Array] | None = None) -> tuple[int, ...]:
    """The orders worth trying for a layout's symbols; without `symbols`, those that any file may have."""
    dense, wavelet, rest = _split(layout)
    if wavelet:
        return (SLOPES,)
    if not dense:
        if symbols is None:
            return (NEIGHBOURS, *_BY_COLUMN)
        if any(np.abs(_coded_values(tensor, symbols)).max(initial=0) > MAX_SYMBOL for tensor in rest):
            return (NEIGHBOURS,)
        coded = all(has_path(symbols[tensor.name]) for tensor in rest if _is_matrix(tensor))
        return (CODED_MATRICES,) if coded else (NEIGHBOURS, MATRICES)
    coded = symbols is None or all(path_of(symbols[name]) is not None for name, _ in dense)
    return (NEIGHBOURS, FEATURES, NESTED, TRELLIS) if coded else (NEIGHBOURS, FEATURES, NESTED)


def encode_weights(
    layout: Sequence[TensorLike], order: int, symbols: Mapping[str, Int64Array], regime: int = REGIME_ORIGIN
) -> bytes:
    """The WGHT payload of the symbols, by tensor name; int64 arrays of the layout's shapes, magnitudes <= 2^24.

    Args:
        order: one of `orders(layout)`; TRELLIS and CODED_MATRICES only if `orders(layout, symbols)` has it.
        regime: for wavelet levels, see `code_wavelet`.
    """
    encoder = Encoder()
    head = _write(encoder, layout, order, symbols, regime)
    return head + encoder.finish()


def estimate_bytes(
    layout: Sequence[TensorLike], order: int, symbols: Mapping[str, Int64Array], regime: int = REGIME_ORIGIN
) -> float:
    """The size of `encode_weights`'s result, without making it."""
    estimator = Estimator()
    return len(_write(estimator, layout, order, symbols, regime)) + estimator.bits / 8


def decode_weights(layout: Sequence[TensorLike], payload: bytes) -> Symbols:
    """The inverse of `encode_weights`. Raises FormatError."""
    dense, wavelet, rest = _split(layout)
    order, at = payload[0] if payload else 0, 1
    if order not in orders(layout):
        raise FormatError("the order of the grid symbols is unknown, or does not suit the field")
    limits: list[int] = []
    for _ in range(_n_features(dense)):
        limit, at = _take_limit(payload, at)
        limits.append(limit)
    if len(payload) < at + len(wavelet):
        raise FormatError("the regime of a wavelet level is missing")
    regimes, at = payload[at : at + len(wavelet)], at + len(wavelet)
    models: list[tuple[int, int]] = []
    for tensor in rest:
        limit = 0
        if order not in _BY_COLUMN:
            limit, at = _take_limit(payload, at, 2 * MAX_SYMBOL if tensor.differences else MAX_SYMBOL)
        if at >= len(payload) or payload[at] >= (MAX_SCALE + 1 if order in _BY_COLUMN else N_SCALES):
            raise FormatError("a tensor's scale is missing or out of range")
        models.append((limit, payload[at]))
        at += 1
    decoder = Decoder(payload[at:])
    levels = code_levels(decoder, order, [shape for _, shape in dense], limits, None)
    symbols = {name: level for (name, _), level in zip(dense, levels, strict=True)}
    for (name, shape), regime in zip(wavelet, regimes, strict=True):
        symbols[name] = code_wavelet(decoder, shape, regime, None)
    for tensor, (limit, scale) in zip(rest, models, strict=True):
        if order in _BY_COLUMN:
            coded = _code_matrix(decoder, tensor, order, scale, None)
        else:
            coded = _code_adaptive(decoder, tensor, limit, scale, None)
        symbols[tensor.name] = _symbols_of(tensor, coded)
    decoder.finish()
    return symbols


def _take_limit(payload: bytes, at: int, largest: int = MAX_SYMBOL) -> tuple[int, int]:
    limit, at = take_varint(payload, at)
    if limit > largest:
        raise FormatError("a symbol's magnitude is out of range")
    return limit, at
