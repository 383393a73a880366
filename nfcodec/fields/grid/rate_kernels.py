# pyright: basic
"""The entropy model of grids over bands of rows: bits, and the way back to the weights and to all entries around.

A block of columns goes through the network and back while it is in the cache. Layers are residual, which their matrices
have in them: a 1 is added to their diagonals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nfcodec.fields.grid.program import LARGEST_LOG_SCALE, LEAST_PROBABILITY, SMALLEST_LOG_SCALE
from nfcodec.kernels.arguments import Floats, Indices
from nfcodec.kernels.elementary import exp, exp2, log2
from nfcodec.kernels.jit import F, U, inlined, kernel
from nfcodec.kernels.tiles import ANY_VALUE, LANES, TILE, add_outer, add_sums, adjoint, affine

COLUMNS = 256
"""Of a block."""

PITCH = COLUMNS + 16
"""From a row of a block to the next; what is between them stays 0."""

_B, _P, _T, _L, _ONE, _TWO = U(COLUMNS), U(PITCH), U(TILE), U(LANES), U(1), U(2)
_LEFT, _AROUND = U(3), U(6)
_LN2 = F(np.log(2))

_FAR = F(40)
_LEAST, _WIDEST, _NARROWEST = F(LEAST_PROBABILITY), F(LARGEST_LOG_SCALE), F(SMALLEST_LOG_SCALE)
"""In scales. What lies further off weighs nothing, and numbers smaller still would be slow to compute with."""


class Place(NamedTuple):
    """A plane in a flat array: entry (y, x) at first + y * pitch + x."""

    first: np.uintp
    pitch: np.uintp
    rows: np.uintp
    cols: np.uintp


class EntropyNet(NamedTuple):
    """The network; matrices flat.

    Attributes:
        n, n_neighbours: inputs; the first of them are entries around.
        first, second: (n, n), with 1 added to the diagonal.
        out: (2, 2 n), of the second layer and of the inputs.
        of_second, of_out: transposed, (n, n) and (n, 2).
        of_inputs: (n, 2 + n), of the outputs and of the first layer, transposed.
        biases: 2 n + 2.
        none: n zeros.
        aboves, rights: rows up and columns to the right from an entry to those around; left as wrapped numbers.
        rows_at, out_at: where rows of a block begin, and where the inputs of the last layer do.
    """

    n: np.uintp
    n_neighbours: np.uintp
    first: Floats
    second: Floats
    out: Floats
    of_second: Floats
    of_out: Floats
    of_inputs: Floats
    biases: Floats
    none: Floats
    aboves: Indices
    rights: Indices
    rows_at: Indices
    out_at: Indices


class Rated(NamedTuple):
    """What is rated: rows y0 .. y1 - 1 of a grid.

    Attributes:
        place: the grid's.
        half: of what is mapped from coarser grids, at half the resolution; its `rows` are 0 where there is nothing.
        half_step: from one mapped number's plane to the next.
        slope: of the loss by bits; 0 for no gradients.
    """

    place: Place
    half: Place
    half_step: np.uintp
    y0: np.uintp
    y1: np.uintp
    slope: np.float32


def scratch_rows(n: int) -> int:
    """Rows of `PITCH` floats that a thread needs.

    They are the inputs, two layers and two outputs; slopes of the outputs, of the first layer, of the values, of the
    second layer and of the inputs; sums for four rows of the grid.
    """
    return 6 * n + 9


def found_floats(n: int) -> int:
    """Partial sums of gradients, in vectors: of the two layers, of the last one, and of biases."""
    return 2 * n * padded(n) + 2 * padded(2 * n) + 2 * n + 2


def padded(n: int) -> int:
    """The next multiple of four."""
    return -(-n // 4) * 4


@kernel
def rate_rows(rated, net, seen, mapped, slopes, mapped_slopes, found, scratch):
    """Bits of some rows; where gradients are asked for, add them to `slopes`, `mapped_slopes` and `found`.

    Args:
        seen, slopes: all grids, as `Rated.place` says, with zeros around; slopes up to three rows above are added to.
        mapped, mapped_slopes: as `Rated.half` says; slopes are set.
        found: partial sums, see `found_floats`.
        scratch: `scratch_rows` rows.
    """
    n, place, bits = net.n, rated.place, 0.0
    out = U(3) * n * _P
    for y in range(rated.y0, rated.y1):
        for x0 in range(U(0), place.cols, _B):
            n_cols = min(_B, place.cols - x0)
            n_tiles = (n_cols + _T - _ONE) // _T
            here = place.first + y * place.pitch + x0
            half = rated.half.first + (y >> _ONE) * rated.half.pitch + (x0 >> _ONE)
            gather(rated, net, seen, mapped, here, half, n_cols, n_tiles, scratch)
            affine(net.first, scratch, U(0), net.rows_at, n, scratch, n * _P, _P, n, net.biases, U(0), F(0), n_tiles)
            affine(
                net.second, scratch, n * _P, net.rows_at, n, scratch, _TWO * n * _P, _P, n, net.biases, n, F(0), n_tiles
            )
            affine(
                net.out,
                scratch,
                U(0),
                net.out_at,
                _TWO * n,
                scratch,
                out,
                _P,
                _TWO,
                net.biases,
                _TWO * n,
                ANY_VALUE,
                n_tiles,
            )
            bits += laplace(seen, here, scratch, out, (U(4) * n + U(4)) * _P, rated.slope, n_cols, n_tiles)
            if rated.slope != F(0):
                go_back(net, found, scratch, n_tiles)
                scatter(rated, net, slopes, mapped_slopes, here, half, (y & _ONE) != U(0), n_cols, n_tiles, scratch)
    return bits


@inlined
def gather(rated, net, seen, mapped, here, half, n_cols, n_tiles, scratch):
    """The inputs of a block: entries around, and what is mapped from coarser grids."""
    for k in range(net.n_neighbours):
        first, to = here - net.aboves[k] * rated.place.pitch + net.rights[k], U(k) * _P
        for x in range(n_tiles * _T):
            scratch[to + x] = seen[first + x]
    for k in range(net.n_neighbours, net.n):
        to = U(k) * _P
        if rated.half.rows == U(0):
            for x in range(n_tiles * _T):
                scratch[to + x] = F(0)
        else:
            first = half + (U(k) - net.n_neighbours) * rated.half_step
            for x in range((n_cols + _ONE) >> _ONE):
                value = mapped[first + x]
                scratch[to + _TWO * x] = value
                scratch[to + _TWO * x + _ONE] = value


@inlined
def laplace(seen, here, scratch, out, d_value, slope, n_cols, n_tiles):
    """Bits of a block under distributions of locations and logarithmic scales, two rows at `out`.

    The two rows behind them become slope times the bits' derivatives by them, and `d_value` that by the values.
    """
    total, second, d_out, d_second = F(0), out + _P, out + _TWO * _P, out + U(3) * _P
    for x in range(n_cols):
        offset, log_scale = seen[here + x] - scratch[out + x], scratch[second + x]
        limited = max(min(log_scale, _WIDEST), _NARROWEST)
        rate, far = exp2(-limited), abs(offset)
        above, below = far + F(0.5), far - F(0.5)
        p_above = F(0.5) * exp(-min(above * rate, _FAR))
        p_below = F(0.5) * exp(-min(abs(below) * rate, _FAR))
        share = p_below - p_above if below > F(0) else F(1) - (p_below + p_above)
        kept = max(share, _LEAST)
        total -= log2(kept)
        by_share = -slope / (_LN2 * kept) if share >= _LEAST else F(0)
        by_far = by_share * rate * (p_above - p_below)
        by_value = by_far if offset > F(0) else -by_far
        scratch[d_out + x] = -by_value
        scratch[d_value + x] = by_value
        by_scale = by_share * _LN2 * rate * (p_below * below - p_above * above)
        scratch[d_second + x] = by_scale if limited == log_scale else F(0)
    for x in range(n_cols, n_tiles * _T):
        scratch[d_out + x] = F(0)
        scratch[d_second + x] = F(0)
        scratch[d_value + x] = F(0)
    return total


@inlined
def go_back(net, found, scratch, n_tiles):
    """From the outputs' slopes to those of weights, in `found`, and of inputs, n rows behind all others."""
    n, n4, n_out4 = net.n, (net.n + U(3)) & ~U(3), (_TWO * net.n + U(3)) & ~U(3)
    x, h1, h2 = U(0), n * _P, _TWO * n * _P
    d_out = (U(3) * n + _TWO) * _P
    d1 = d_out + _TWO * _P
    d2 = d1 + (n + _ONE) * _P
    d_inputs = d2 + n * _P
    of_second = n * n4 * _L
    of_out = _TWO * of_second
    of_biases = of_out + _TWO * n_out4 * _L
    adjoint(net.of_out, scratch, d_out, net.rows_at, _TWO, scratch, d2, _P, n, scratch, h2, n_tiles)
    add_outer(scratch, d_out, _P, _TWO, scratch, x, net.out_at, n_out4, found, of_out, n_tiles)
    adjoint(net.of_second, scratch, d2, net.rows_at, n, scratch, d1, _P, n, scratch, h1, n_tiles)
    add_outer(scratch, d2, _P, n, scratch, h1, net.rows_at, n4, found, of_second, n_tiles)
    affine(
        net.of_inputs,
        scratch,
        d_out,
        net.rows_at,
        n + _TWO,
        scratch,
        d_inputs,
        _P,
        n,
        net.none,
        U(0),
        ANY_VALUE,
        n_tiles,
    )
    add_outer(scratch, d1, _P, n, scratch, x, net.rows_at, n4, found, U(0), n_tiles)
    add_sums(scratch, d1, _P, n, found, of_biases, n_tiles)
    add_sums(scratch, d2, _P, n, found, of_biases + n * _L, n_tiles)
    add_sums(scratch, d_out, _P, _TWO, found, of_biases + _TWO * n * _L, n_tiles)


@inlined
def scatter(rated, net, slopes, mapped_slopes, here, half, is_second, n_cols, n_tiles, scratch):
    """From the slopes of a block's inputs and values to those of entries around and of what is mapped.

    They are summed up for each row of the grid first, from three columns left of the block to three right of it.
    """
    n, end, wide = net.n, n_tiles * _T, n_cols + _AROUND
    d_value, d_inputs, sums = (U(4) * n + U(4)) * _P, (U(5) * n + U(5)) * _P, (U(6) * n + U(5)) * _P
    for x in range(end, end + U(16)):
        scratch[d_value + x] = F(0)
    for k in range(net.n):
        for x in range(end, end + U(16)):
            scratch[d_inputs + U(k) * _P + x] = F(0)
    for x in range(wide):
        scratch[sums + x] = scratch[d_value - _LEFT + x]
    for x in range(_P, U(4) * _P):
        scratch[sums + x] = F(0)
    for k in range(net.n_neighbours):
        first, to = d_inputs + U(k) * _P - net.rights[k] - _LEFT, sums + net.aboves[k] * _P
        for x in range(wide):
            scratch[to + x] += scratch[first + x]
    for above in range(U(4)):
        first, to = sums + U(above) * _P, here - U(above) * rated.place.pitch - _LEFT
        for x in range(wide):
            slopes[to + x] += scratch[first + x]
    if rated.half.rows > U(0):
        for k in range(net.n_neighbours, net.n):
            first, to = d_inputs + U(k) * _P, half + (U(k) - net.n_neighbours) * rated.half_step
            for x in range((n_cols + _ONE) >> _ONE):
                both = scratch[first + _TWO * x] + scratch[first + _TWO * x + _ONE]
                mapped_slopes[to + x] = both + (mapped_slopes[to + x] if is_second else F(0))
