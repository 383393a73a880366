"""Lossless coding of an integer plane (alpha, sort keys): dyadic interpolation and adaptive tables.

The sample at (0, 0) comes first; then, for steps s = 2^k .. 1, the samples at odd multiples of s, each predicted by
the rounded mean of its nearest known neighbours: the four diagonal ones for (odd, odd), then the four direct ones for
(even, odd) and for (odd, even). The context is the bit length of those neighbours' spread. Planes to which this does
not do justice, as noise and masks with patterns, are packed instead.
docs/reference/format.md, "Lossless planes", is the normative text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nfcodec.coding import packed
from nfcodec.coding.adaptive import AdaptiveModel, adaptive_cost, prior_scale
from nfcodec.coding.entropy import Decoder, Encoder, Int64Array
from nfcodec.errors import FormatError
from nfcodec.exact.part import SymbolCoder
from nfcodec.limits import Cost
from nfcodec.raster import Samples

CODED, PACKED = 0, 1
"""How planes are held: in a range-coded stream, one after the other, or as the features of packed integers."""

_DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_DIRECT = ((-1, 0), (1, 0), (0, -1), (0, 1))
_MAX_RUNS = 50
CONTEXT, PLACE_BYTES = 0.05e-6, 14
"""Work to predict a sample, and memory for it, of each sample of the plane."""

_PHASES = ((1, 1, _DIAGONAL), (0, 1, _DIRECT), (1, 0, _DIRECT))


def encode_planes(planes: Sequence[Samples], depth: int) -> bytes:
    """Planes (H, W) of `depth` bits a sample as bytes, in the smaller way."""
    encoder = Encoder()
    for plane in planes:
        code_plane(encoder, plane.shape[0], plane.shape[1], depth, plane.astype(np.int64))
    stream = encoder.finish()
    together = np.stack(planes, axis=2)
    if packed.estimated_bytes(together) < len(stream):
        data = packed.pack(together)
        if len(data) < len(stream):
            return bytes([PACKED]) + data
    return bytes([CODED]) + stream


def decode_planes(payload: bytes, n_planes: int, rows: int, cols: int, depth: int) -> list[Samples]:
    """The inverse of `encode_planes`. Raises FormatError."""
    if payload[:1] == bytes([CODED]):
        decoder = Decoder(payload[1:])
        planes = [code_plane(decoder, rows, cols, depth, None) for _ in range(n_planes)]
        decoder.finish()
    elif payload[:1] == bytes([PACKED]):
        together = packed.unpack(payload[1:], (rows, cols, n_planes))
        planes = [together[:, :, i] for i in range(n_planes)]
    else:
        raise FormatError("lossless planes are held in an unknown way", code="packed")
    if any(plane.min() < 0 or plane.max() >> depth for plane in planes):
        raise FormatError("a lossless plane leaves the range of its samples", code="range")
    return [plane.astype(np.uint16) if depth == 16 else plane.astype(np.uint8) for plane in planes]


def planes_cost(payload: bytes, n_planes: int, n_pixels: int, depth: int) -> Cost:
    """What `decode_planes` takes; the planes are kept."""
    kept = n_planes * n_pixels * (depth // 8)
    if payload[:1] == bytes([PACKED]):
        return packed.packed_cost(payload[1:], n_planes * n_pixels).then(Cost(kept)).keeping(kept)
    coding = adaptive_cost(n_pixels, (1 << depth) - 1, [depth + 1], n_runs=_MAX_RUNS)
    each = Cost(PLACE_BYTES * n_pixels, CONTEXT * n_pixels, PLACE_BYTES * n_pixels).then(coding).keeping(0)
    total = Cost()
    for _ in range(n_planes):
        total = total.then(Cost(kept_bytes=8 * n_pixels)).then(each)
    return total.then(Cost(kept)).keeping(kept)


def code_plane(coder: SymbolCoder, rows: int, cols: int, depth: int, plane: Int64Array | None) -> Int64Array:
    """Code a plane of values 0 .. 2^depth - 1; a decoder passes None.

    Returns:
        The plane, int64 (rows, cols). From corrupt input its values can leave the range: check them.
    """
    peak = (1 << depth) - 1
    model = AdaptiveModel(peak, [prior_scale(2 << bits) for bits in range(depth + 1)])
    out = np.zeros((rows, cols), np.int64)
    half = 1 << (depth - 1)
    first = None if plane is None else plane[:1, 0] - half
    out[0, 0] = half + model.code(coder, np.array([depth]), first)[0]
    step = 1
    while step * 2 < max(rows, cols):
        step *= 2
    while step:
        for odd_row, odd_col, around in _PHASES:
            r, c = np.arange(odd_row * step, rows, 2 * step), np.arange(odd_col * step, cols, 2 * step)
            if not (len(r) and len(c)):
                continue
            mean, spread = _neighbourhood(out, r, c, step, around)
            contexts = np.searchsorted(1 << np.arange(depth), spread, side="right").reshape(-1)
            residual = None if plane is None else (plane[np.ix_(r, c)] - mean).reshape(-1)
            out[np.ix_(r, c)] = mean + model.code(coder, contexts, residual).reshape(mean.shape)
        step //= 2
    return out


def _neighbourhood(
    plane: Int64Array, rows: Int64Array, cols: Int64Array, step: int, around: tuple[tuple[int, int], ...]
) -> tuple[Int64Array, Int64Array]:
    """Rounded mean, and largest minus smallest, of the neighbours inside the plane at (rows x cols) + step * around."""
    shape = (len(rows), len(cols))
    total, count = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    low, high = np.full(shape, 1 << 62), np.full(shape, -(1 << 62))
    for dy, dx in around:
        r, c = rows + dy * step, cols + dx * step
        in_r, in_c = np.flatnonzero((r >= 0) & (r < plane.shape[0])), np.flatnonzero((c >= 0) & (c < plane.shape[1]))
        inside = np.ix_(in_r, in_c)
        values = plane[np.ix_(r[in_r], c[in_c])]
        total[inside] += values
        count[inside] += 1
        low[inside] = np.minimum(low[inside], values)
        high[inside] = np.maximum(high[inside], values)
    return (total + count // 2) // count, high - low
