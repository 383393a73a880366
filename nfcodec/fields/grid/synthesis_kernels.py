# pyright: basic
"""Samples read out of upsampled latents, and the way back, over bands of rows.

All planes lie in one array: the upsampled latents, which become their slopes in the end; `y0` and `y1`, inputs of the
two 3 x 3 layers; `d2` and `d1`, slopes of the last layer's outputs and of its inputs. Until there are slopes, `d2` has
the linear map of the latents. Row y of a plane begins at y * pitch, and there are two more rows above and below. What
stands around a plane repeats its border in `y0` and `y1`, and is 0 in slopes. Rows that are read where they are made
are in `lines`, which each thread has of its own: (2 C, pitch).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nfcodec.fields.grid.rate_kernels import COLUMNS, PITCH, padded
from nfcodec.kernels.arguments import Floats, Indices
from nfcodec.kernels.jit import F, U, kernel
from nfcodec.kernels.tiles import ANY_VALUE, LANES, TILE, add_outer, add_sums, adjoint, affine

_B, _P, _T, _L, _ONE, _TWO = U(COLUMNS), U(PITCH), U(TILE), U(LANES), U(1), U(2)


class Planes(NamedTuple):
    """Where planes are; row 0 of each.

    Attributes:
        u, y0, y1, d2, d1: of the first of the planes.
        step: from one plane to the next of the same name.
        u_at: places of the latents from `u`, and more to a multiple of four.
        near_at: places of the 3 x 3 values around one, in all channels, from the first plane's.
        back_at: places where slopes are that a value has a part in.
        rows_at, lines_at: of rows of a block, and of lines.
    """

    u: np.uintp
    y0: np.uintp
    y1: np.uintp
    d2: np.uintp
    d1: np.uintp
    step: np.uintp
    pitch: np.uintp
    height: np.uintp
    width: np.uintp
    u_at: Indices
    near_at: Indices
    back_at: Indices
    rows_at: Indices
    lines_at: Indices


class ReadNet(NamedTuple):
    """The network; matrices flat, with 1 added where a layer is residual.

    Attributes:
        hidden: (n_hidden, n_levels); out: (C, n_hidden); of_out: transposed.
        linear: (C, n_levels), beside all others.
        first, last: (C, 9 C).
        of_first, of_last: (C, 9 C), from slopes around to a value.
        of_latents: (n_levels, n_hidden + C), transposed of the hidden layer and of the linear map.
        biases: n_hidden + 3 C; none: zeros.
        scale, offset: of each channel.
    """

    n_levels: np.uintp
    n_hidden: np.uintp
    channels: np.uintp
    hidden: Floats
    out: Floats
    linear: Floats
    first: Floats
    last: Floats
    of_out: Floats
    of_first: Floats
    of_last: Floats
    of_latents: Floats
    biases: Floats
    none: Floats
    scale: Floats
    offset: Floats


class Target(NamedTuple):
    """What samples are compared with.

    Attributes:
        values, weights: (C, H * W); no weights, (C, 0), are 1.
        picture: (C, H * W), becomes the samples; or (C, 0).
        factor: of slopes; 0 for none.
    """

    values: Floats
    weights: Floats
    picture: Floats
    factor: np.float32


def found_floats(n_levels: int, n_hidden: int, channels: int) -> int:
    """Partial sums of gradients, in vectors: hidden and linear, out, first, last, biases."""
    of_out = channels * (padded(n_hidden) + 2 * padded(9 * channels))
    return (n_hidden + channels) * padded(n_levels) + of_out + n_hidden + 3 * channels


@kernel
def _repeat_border(planes, data, first, y, channels):
    """Fill in what is around a row of values, and the row beyond it if there is none."""
    for c in range(channels):
        row = first + U(c) * planes.step + y * planes.pitch
        data[row - _ONE] = data[row]
        data[row + planes.width] = data[row + planes.width - _ONE]
        for x in range(planes.width + _TWO):
            value = data[row - _ONE + x]
            if y == U(0):
                data[row - planes.pitch - _ONE + x] = value
            if y + _ONE == planes.height:
                data[row + planes.pitch - _ONE + x] = value


@kernel
def begin(planes, net, data, y0, y1, scratch):
    """Rows of `y0`, and the linear map, in `d2`."""
    for y in range(y0, y1):
        for x0 in range(U(0), planes.width, _B):
            n_tiles = (min(_B, planes.width - x0) + _T - _ONE) // _T
            here = U(y) * planes.pitch + x0
            affine(
                net.hidden, data, planes.u + here, planes.u_at, net.n_levels,
                scratch, U(0), _P, net.n_hidden, net.biases, U(0), F(0), n_tiles,
            )  # fmt: skip
            affine(
                net.out, scratch, U(0), planes.rows_at, net.n_hidden,
                data, planes.y0 + here, planes.step, net.channels, net.biases, net.n_hidden, ANY_VALUE, n_tiles,
            )  # fmt: skip
            affine(
                net.linear, data, planes.u + here, planes.u_at, net.n_levels,
                data, planes.d2 + here, planes.step, net.channels, net.none, U(0), ANY_VALUE, n_tiles,
            )  # fmt: skip
        _repeat_border(planes, data, planes.y0, U(y), net.channels)


@kernel
def go_on(planes, net, data, y0, y1):
    """Rows of `y1`."""
    n_tiles = (planes.width + _T - _ONE) // _T
    for y in range(y0, y1):
        here = U(y) * planes.pitch
        affine(
            net.first, data, planes.y0 + here, planes.near_at, U(9) * net.channels,
            data, planes.y1 + here, planes.step, net.channels, net.biases, net.n_hidden + net.channels, F(0), n_tiles,
        )  # fmt: skip
        _repeat_border(planes, data, planes.y1, U(y), net.channels)


@kernel
def compare(planes, net, data, target, y0, y1, errors, found, lines):
    """Rows of samples, their weighted squared errors, and `d2`.

    Args:
        errors: (C,), of each channel, added to.
        found: (2, C): gradients of the scales and the offsets, added to.
    """
    n_tiles = (planes.width + _T - _ONE) // _T
    for y in range(y0, y1):
        here, pixel = U(y) * planes.pitch, U(y) * planes.width
        affine(
            net.last, data, planes.y1 + here, planes.near_at, U(9) * net.channels,
            lines, U(0), planes.pitch, net.channels,
            net.biases, net.n_hidden + _TWO * net.channels, ANY_VALUE, n_tiles,
        )  # fmt: skip
        for c in range(net.channels):
            row, last = planes.d2 + here + U(c) * planes.step, U(c) * planes.pitch
            scale, offset = net.scale[c], net.offset[c]
            values, weights, picture = target.values[c], target.weights[c], target.picture[c]
            error, of_scale, of_offset = F(0), F(0), F(0)
            if picture.size > 0:
                for x in range(planes.width):
                    picture[pixel + x] = (data[row + x] + lines[last + x]) * scale + offset
            if weights.size > 0:
                for x in range(planes.width):
                    y2 = data[row + x] + lines[last + x]
                    difference = y2 * scale + offset - values[pixel + x]
                    weighted = difference * weights[pixel + x]
                    error += difference * weighted
                    d = target.factor * weighted
                    of_scale += d * y2
                    of_offset += d
                    data[row + x] = d * scale
            else:
                for x in range(planes.width):
                    y2 = data[row + x] + lines[last + x]
                    difference = y2 * scale + offset - values[pixel + x]
                    error += difference * difference
                    d = target.factor * difference
                    of_scale += d * y2
                    of_offset += d
                    data[row + x] = d * scale
            for x in range(planes.width, planes.pitch):
                data[row + x] = F(0)
            errors[c] += error
            found[0, c] += of_scale
            found[1, c] += of_offset


@kernel
def _row_back(planes, matrix, none, data, source, z, to, step, y, channels, n_tiles):
    """Slopes of a row of values, by one 3 x 3 layer, and in the first and last column also of those beside."""
    here, n_inputs = source + y * planes.pitch, U(9) * channels
    affine(matrix, data, here, planes.back_at, n_inputs, z, to, step, channels, none, U(0), ANY_VALUE, n_tiles)
    for c in range(channels):
        left, right = F(0), F(0)
        for k in range(n_inputs):
            place, factor = here + planes.back_at[k], matrix[U(c) * n_inputs + k]
            left += factor * data[place - _ONE]
            right += factor * data[place + planes.width]
        row = to + U(c) * step
        z[row] += left
        z[row + planes.width - _ONE] += right


@kernel
def _layer_back(planes, matrix, none, data, source, z, to, step, lines, y, channels):
    """Slopes of row y of values, in z; the first and last row stand for those beyond, too."""
    n_tiles, spare = (planes.width + _T - _ONE) // _T, channels * planes.pitch
    _row_back(planes, matrix, none, data, source, z, to, step, y, channels, n_tiles)
    for is_last in range(2):
        if (y + _ONE == planes.height) if is_last else (y == U(0)):
            beyond = y + _ONE if is_last else y - _ONE
            _row_back(planes, matrix, none, data, source, lines, spare, planes.pitch, beyond, channels, n_tiles)
            for c in range(channels):
                for x in range(planes.width):
                    z[to + U(c) * step + x] += lines[spare + U(c) * planes.pitch + x]
    for c in range(channels):
        for x in range(planes.width, planes.pitch):
            z[to + U(c) * step + x] = F(0)


@kernel
def last_back(planes, net, data, y0, y1, found, lines):
    """Rows of `d1`, and gradients of the last layer, in `found`."""
    n_tiles, channels, near = (planes.width + _T - _ONE) // _T, net.channels, U(9) * net.channels
    near4, levels4, hidden4 = (near + U(3)) & ~U(3), (net.n_levels + U(3)) & ~U(3), (net.n_hidden + U(3)) & ~U(3)
    of_last = (net.n_hidden + channels) * levels4 + channels * (hidden4 + near4)
    of_bias = of_last + channels * near4 + net.n_hidden + _TWO * channels
    for y in range(y0, y1):
        here = U(y) * planes.pitch
        d2, inputs = planes.d2 + here, planes.y1 + here
        add_outer(
            data, d2, planes.step, channels, data, inputs, planes.near_at, near4, found, of_last * _L, n_tiles
        )  # fmt: skip
        add_sums(data, d2, planes.step, channels, found, of_bias * _L, n_tiles)
        d1 = planes.d1 + here
        _layer_back(planes, net.of_last, net.none, data, planes.d2, data, d1, planes.step, lines, U(y), channels)
        for c in range(channels):
            row, values = d1 + U(c) * planes.step, inputs + U(c) * planes.step
            for x in range(planes.width):
                data[row + x] = data[row + x] if data[values + x] > F(0) else F(0)


@kernel
def first_back(planes, net, data, y0, y1, found, scratch, lines):
    """Rows of slopes of the latents, over the latents, and the other layers' gradients, in `found`."""
    n, channels, n_levels = net.n_hidden, net.channels, net.n_levels
    row_tiles, near4 = (planes.width + _T - _ONE) // _T, (U(9) * channels + U(3)) & ~U(3)
    n4, levels4, d_hidden = (n + U(3)) & ~U(3), (n_levels + U(3)) & ~U(3), n * _P
    of_out = (n + channels) * levels4
    of_first = of_out + channels * n4
    of_biases = of_first + _TWO * channels * near4
    for y in range(y0, y1):
        row = U(y) * planes.pitch
        d1, inputs, pitch = planes.d1 + row, planes.y0 + row, planes.pitch
        add_outer(
            data, d1, planes.step, channels, data, inputs, planes.near_at, near4, found, of_first * _L, row_tiles
        )  # fmt: skip
        add_sums(data, d1, planes.step, channels, found, (of_biases + n + channels) * _L, row_tiles)
        _layer_back(planes, net.of_first, net.none, data, planes.d1, lines, U(0), pitch, lines, U(y), channels)
        add_sums(lines, U(0), pitch, channels, found, (of_biases + n) * _L, row_tiles)
        for x0 in range(U(0), planes.width, _B):
            n_tiles = (min(_B, planes.width - x0) + _T - _ONE) // _T
            u, at, lines_at = planes.u + row + x0, planes.u_at, planes.lines_at
            for c in range(channels):
                to, first = _TWO * d_hidden + U(c) * _P, planes.d2 + row + x0 + U(c) * planes.step
                for x in range(n_tiles * _T):
                    scratch[to + x] = data[first + x]
            affine(net.hidden, data, u, at, n_levels, scratch, U(0), _P, n, net.biases, U(0), F(0), n_tiles)
            adjoint(net.of_out, lines, x0, lines_at, channels, scratch, d_hidden, _P, n, scratch, U(0), n_tiles)
            add_outer(lines, x0, pitch, channels, scratch, U(0), planes.rows_at, n4, found, of_out * _L, n_tiles)
            add_outer(scratch, d_hidden, _P, n + channels, data, u, at, levels4, found, U(0), n_tiles)
            add_sums(scratch, d_hidden, _P, n, found, of_biases * _L, n_tiles)
            affine(
                net.of_latents, scratch, d_hidden, planes.rows_at, n + channels,
                data, u, planes.step, n_levels, net.none, U(0), ANY_VALUE, n_tiles,
            )  # fmt: skip
