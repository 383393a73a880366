# pyright: basic
"""Latent grids smoothed and doubled in size by separable, symmetric filters, and the way back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nfcodec.fields.grid.rate_kernels import Place
from nfcodec.kernels.jit import F, U, kernel

ROWS = 16
"""Rows that are doubled or smoothed together."""

_ONE, _TWO, _THREE = U(1), U(2), U(3)
_PAD = U(16)


class Step(NamedTuple):
    """A plane and what a filter makes of it.

    Attributes:
        source, target: their places; y0, y1: rows of the target, or of the source on the way back.
    """

    source: Place
    target: Place
    y0: np.uintp
    y1: np.uintp


def scratch_floats(cols: int) -> int:
    """Floats that a thread needs for targets of so many columns."""
    return (ROWS + 16) * (cols + 64)


@kernel
def _double_row(source, first, n, target, to, n_target, taps, row):
    """One row twice as long; `row` becomes the source with two values before and behind that repeat its ends."""
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for x in range(n):
        row[_TWO + x] = source[first + x]
    row[0] = row[1] = row[2]
    row[n + _TWO] = row[n + _THREE] = row[n + _ONE]
    for m in range(n_target >> _ONE):
        v0, v1, v2, v3, v4 = row[m], row[m + _ONE], row[m + _TWO], row[m + _THREE], row[m + U(4)]
        target[to + _TWO * m] = a * v0 + c * v1 + d * v2 + b * v3
        target[to + _TWO * m + _ONE] = b * v1 + d * v2 + c * v3 + a * v4
    if n_target & _ONE:
        m = n_target >> _ONE
        target[to + _TWO * m] = a * row[m] + c * row[m + _ONE] + d * row[m + _TWO] + b * row[m + _THREE]


@kernel
def double(step, source, target, taps, scratch):
    """Rows of a plane twice as large."""
    near, far, cols = step.source, step.target, step.target.cols
    pitch = cols + _PAD
    row, across, last = scratch, scratch[near.cols + _PAD :], near.rows - _ONE
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for y0 in range(step.y0, step.y1, U(ROWS)):
        y1 = min(U(y0) + U(ROWS), step.y1)
        m0 = max(U(y0) >> _ONE, _TWO) - _TWO
        for m in range(m0, min(((y1 - _ONE) >> _ONE) + _TWO, last) + _ONE):
            _double_row(source, near.first + m * near.pitch, near.cols, across, (m - m0) * pitch, cols, taps, row)
        for y in range(y0, y1):
            m, to = U(y) >> _ONE, far.first + U(y) * far.pitch
            r0, r1 = (max(m, _TWO) - _TWO - m0) * pitch, (max(m, _ONE) - _ONE - m0) * pitch
            r2, r3, r4 = (m - m0) * pitch, (min(m + _ONE, last) - m0) * pitch, (min(m + _TWO, last) - m0) * pitch
            if U(y) & _ONE:
                for x in range(cols):
                    target[to + x] = b * across[r1 + x] + d * across[r2 + x] + c * across[r3 + x] + a * across[r4 + x]
            else:
                for x in range(cols):
                    target[to + x] = a * across[r0 + x] + c * across[r1 + x] + d * across[r2 + x] + b * across[r3 + x]


@kernel
def _add_row(d, first, tap, across, down, n):
    """Add tap times a row of slopes to `down`; returns the row's product with `across`."""
    total = F(0)
    for x in range(n):
        value = d[first + x]
        down[x] += tap * value
        total += value * across[x]
    return total


@kernel
def double_back(step, source, d_target, d_source, taps, found, scratch):
    """From slopes of a plane twice as large to those of rows of its source, set, and of the taps, added."""
    near, far, cols, n = step.source, step.target, step.target.cols, step.source.cols
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    row = scratch
    across = row[n + _PAD :]
    down = across[cols + _PAD :]
    even = down[cols + _PAD :]
    odd = even[n + _PAD :]
    g_a, g_b, g_c, g_d = F(0), F(0), F(0), F(0)
    rows, height = np.int64(near.rows), np.int64(far.rows)
    for y in range(step.y0, step.y1):
        _double_row(source, near.first + U(y) * near.pitch, n, across, U(0), cols, taps, row)
        for x in range(cols + _TWO):
            down[x] = F(0)
        first = np.int64(y) if y > U(0) else np.int64(-2)
        stop = np.int64(y) + 1 if U(y) + _ONE < near.rows else rows + 2
        for q in range(first, stop):
            for k in range(-3, 5):
                at = 2 * q + k
                if at >= 0 and at < height:
                    here = far.first + U(at) * far.pitch
                    if k == 4 or k == -3:
                        g_a += _add_row(d_target, here, a, across, down, cols)
                    elif k == 2 or k == -1:
                        g_c += _add_row(d_target, here, c, across, down, cols)
                    elif k == -2 or k == 3:
                        g_b += _add_row(d_target, here, b, across, down, cols)
                    else:
                        g_d += _add_row(d_target, here, d, across, down, cols)
        for x in range(_TWO):
            even[x] = odd[x] = even[n + _TWO + x] = odd[n + _TWO + x] = F(0)
        for m in range(n):
            even[m + _TWO] = down[_TWO * m]
            odd[m + _TWO] = down[_TWO * m + _ONE]
        to = near.first + U(y) * near.pitch
        s_a, s_b, s_c, s_d = F(0), F(0), F(0), F(0)
        for m in range(n):
            e0, e1, e2, e3 = even[m + _ONE], even[m + _TWO], even[m + _THREE], even[m + U(4)]
            o0, o1, o2, o3 = odd[m], odd[m + _ONE], odd[m + _TWO], odd[m + _THREE]
            d_source[to + m] = a * (e3 + o0) + c * (e2 + o1) + d * (e1 + o2) + b * (e0 + o3)
            v0, v1, v2, v3, v4 = row[m], row[m + _ONE], row[m + _TWO], row[m + _THREE], row[m + U(4)]
            s_a += e1 * v0 + o2 * v4
            s_c += e1 * v1 + o2 * v3
            s_d += (e1 + o2) * v2
            s_b += e1 * v3 + o2 * v1
        g_a, g_b, g_c, g_d = g_a + s_a, g_b + s_b, g_c + s_c, g_d + s_d
        d_source[to] += a * (even[3] + even[2]) + c * even[2] + b * odd[2]
        end = n + _ONE
        d_source[to + n - _ONE] += b * even[end] + c * odd[end] + a * (odd[end - _ONE] + odd[end])
    found[0] += g_a
    found[1] += g_b
    found[2] += g_c
    found[3] += g_d


@kernel
def _smooth_row(source, first, target, to, n, taps):
    """One row through seven taps; there are three more values before and behind the source's."""
    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
    for x in range(n):
        i = first + x
        outer, middle = source[i - _THREE] + source[i + _THREE], source[i - _TWO] + source[i + _TWO]
        target[to + x] = a * outer + b * middle + c * (source[i - _ONE] + source[i + _ONE]) + d * source[i]


@kernel
def smooth(step, source, target, taps, scratch):
    """Rows of a smoothed grid; the source has zeros around."""
    near, far, cols = step.source, step.target, step.target.cols
    pitch, rows = cols + _PAD, near.rows
    for y0 in range(step.y0, step.y1, U(ROWS)):
        y1 = min(U(y0) + U(ROWS), step.y1)
        r0 = max(U(y0), _THREE) - _THREE
        for r in range(r0, min(y1 + _THREE, rows)):
            _smooth_row(source, near.first + U(r) * near.pitch, scratch, (U(r) - r0) * pitch, cols, taps)
        for y in range(y0, y1):
            to = far.first + U(y) * far.pitch
            middle = (U(y) - r0) * pitch
            for x in range(cols):
                target[to + x] = taps[3] * scratch[middle + x]
            for distance in range(_ONE, U(4)):
                tap = taps[_THREE - U(distance)]
                if U(y) >= U(distance):
                    here = middle - U(distance) * pitch
                    for x in range(cols):
                        target[to + x] += tap * scratch[here + x]
                if U(y) + U(distance) < rows:
                    here = middle + U(distance) * pitch
                    for x in range(cols):
                        target[to + x] += tap * scratch[here + x]


@kernel
def smooth_back(step, source, d_target, d_source, taps, found, scratch):
    """From slopes of a smoothed grid to those of rows of its source and of the taps, added to both."""
    near, far, cols = step.source, step.target, step.target.cols
    across, line = scratch, scratch[cols + _PAD :]
    down = line[_PAD:]
    behind = down[cols + _PAD :]
    for x in range(_PAD):
        line[x] = down[cols + x] = F(0)
    for y in range(step.y0, step.y1):
        here = near.first + U(y) * near.pitch
        _smooth_row(source, here, across, U(0), cols, taps)
        for x in range(cols):
            down[x] = F(0)
        for distance in range(U(4)):
            tap = _THREE - U(distance)
            if U(y) >= U(distance):
                first = far.first + (U(y) - U(distance)) * far.pitch
                found[tap] += _add_row(d_target, first, taps[tap], across, down, cols)
            if U(distance) > U(0) and U(y) + U(distance) < far.rows:
                first = far.first + (U(y) + U(distance)) * far.pitch
                found[tap] += _add_row(d_target, first, taps[tap], across, down, cols)
        g_a, g_b, g_c, g_d = F(0), F(0), F(0), F(0)
        for x in range(cols):
            i, value = here + x, down[x]
            g_a += value * (source[i - _THREE] + source[i + _THREE])
            g_b += value * (source[i - _TWO] + source[i + _TWO])
            g_c += value * (source[i - _ONE] + source[i + _ONE])
            g_d += value * source[i]
        found[0] += g_a
        found[1] += g_b
        found[2] += g_c
        found[3] += g_d
        _smooth_row(line, _PAD, behind, U(0), cols, taps)
        for x in range(cols):
            d_source[here + x] += behind[x]


@kernel
def double_all(sources, targets, y0, y1, source, target, taps, scratch):
    """`double` for several planes: (n, 4) of places, the same rows of all targets."""
    for i in range(sources.shape[0]):
        near = Place(sources[i, 0], sources[i, 1], sources[i, 2], sources[i, 3])
        far = Place(targets[i, 0], targets[i, 1], targets[i, 2], targets[i, 3])
        double(Step(near, far, y0, y1), source, target, taps, scratch)


@kernel
def double_all_back(sources, targets, y0, y1, source, d_target, d_source, taps, found, scratch):
    """`double_back` for several planes: (n, 4) of places, the same rows of all sources."""
    for i in range(sources.shape[0]):
        near = Place(sources[i, 0], sources[i, 1], sources[i, 2], sources[i, 3])
        far = Place(targets[i, 0], targets[i, 1], targets[i, 2], targets[i, 3])
        double_back(Step(near, far, y0, y1), source, d_target, d_source, taps, found, scratch)


@kernel
def copy(step, source, target):
    """Rows of a plane to another."""
    for y in range(step.y0, step.y1):
        first, to = step.source.first + U(y) * step.source.pitch, step.target.first + U(y) * step.target.pitch
        for x in range(step.source.cols):
            target[to + x] = source[first + x]


@kernel
def add(step, source, target):
    """As `copy`, but added."""
    for y in range(step.y0, step.y1):
        first, to = step.source.first + U(y) * step.source.pitch, step.target.first + U(y) * step.target.pitch
        for x in range(step.source.cols):
            target[to + x] += source[first + x]
