"""Triton kernels for hashed `ngp` fields: the grid encoding, and a whole small ReLU network, forward and backward.

Triton comes with torch's CUDA builds. Where `TRITON_INTERPRET=1` is set before it is imported, the kernels run on the
CPU, slowly: that is how they are tested without a GPU.

Arrays are contiguous: tables (entries, F) of all levels one after the other; encodings (n, E); weights (out, in).
"""

# pyright: basic, reportIndexIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportCallIssue=false, reportGeneralTypeIssues=false, reportMissingImports=false

from __future__ import annotations

import triton
import triton.language as tl

HASH_PRIME = tl.constexpr(2654435761)


@triton.jit
def _entries(cells, fractions, levels, level, pixels, inside, n_cols, n_rows, CORNER: tl.constexpr):
    """Table entries and weights of one corner around each pixel.

    Args:
        cells, fractions: (levels, cols + rows): of pixel columns, then of rows; fractions of a cell as float32.
        levels: (levels, 4): first entry, entries, vertices a side, and 1 if the level is hashed.
    """
    first, size = tl.load(levels + level * 4), tl.load(levels + level * 4 + 1).to(tl.uint32)
    resolution, hashed = tl.load(levels + level * 4 + 2).to(tl.uint32), tl.load(levels + level * 4 + 3)
    at = level * (n_cols + n_rows)
    col, row = at + pixels % n_cols, at + n_cols + pixels // n_cols
    x, y = tl.load(cells + col, inside, 0).to(tl.uint32), tl.load(cells + row, inside, 0).to(tl.uint32)
    fx, fy = tl.load(fractions + col, inside, 0.0), tl.load(fractions + row, inside, 0.0)
    if CORNER % 2:
        x, wx = x + 1, fx
    else:
        wx = 1 - fx
    if CORNER >= 2:
        y, wy = y + 1, fy
    else:
        wy = 1 - fy
    index = tl.where(hashed == 1, x ^ (y * HASH_PRIME), x + y * resolution) % size  # modulo 2^32, as uint32 is
    return first + index.to(tl.int64), wx * wy


@triton.jit
def encode(table, cells, fractions, levels, out, start, n, n_cols, n_rows, n_out, F: tl.constexpr, BLOCK: tl.constexpr):
    """Interpolate every level at pixels start .. start + n - 1: out (n, n_out). Grid (blocks of pixels, levels)."""
    level, mine = tl.program_id(1), tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside, f = mine < n, tl.arange(0, F)
    total = tl.zeros((BLOCK, F), tl.float32)
    for corner in tl.static_range(4):
        entry, weight = _entries(cells, fractions, levels, level, start + mine, inside, n_cols, n_rows, corner)
        total += weight[:, None] * tl.load(table + entry[:, None] * F + f[None, :], inside[:, None], 0.0)
    tl.store(out + mine[:, None].to(tl.int64) * n_out + level * F + f[None, :], total, inside[:, None])


@triton.jit
def encode_backward(
    slopes, cells, fractions, levels, gradient, start, n, n_cols, n_rows, n_out, F: tl.constexpr, BLOCK: tl.constexpr
):
    """Add to the tables' gradient what derivatives by the encoding (n, n_out) make of it."""
    level, mine = tl.program_id(1), tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside, f = mine < n, tl.arange(0, F)
    slope = tl.load(slopes + mine[:, None].to(tl.int64) * n_out + level * F + f[None, :], inside[:, None], 0.0)
    for corner in tl.static_range(4):
        entry, weight = _entries(cells, fractions, levels, level, start + mine, inside, n_cols, n_rows, corner)
        tl.atomic_add(gradient + entry[:, None] * F + f[None, :], weight[:, None] * slope, inside[:, None])


@triton.jit
def _matrix(weights, n_out, n_in, OUT: tl.constexpr, IN: tl.constexpr):
    """A matrix (out, in), padded with zeros to (OUT, IN)."""
    rows, cols = tl.arange(0, OUT)[:, None], tl.arange(0, IN)[None, :]
    return tl.load(weights + rows * n_in + cols, (rows < n_out) & (cols < n_in), 0.0)


@triton.jit
def _rows(values, pixels, n, width, PADDED: tl.constexpr):
    """Rows of (n, width), padded with zeros."""
    cols = tl.arange(0, PADDED)[None, :]
    at = values + pixels[:, None].to(tl.int64) * width + cols
    return tl.load(at, (pixels[:, None] < n) & (cols < width), 0.0)


@triton.jit
def network(
    encoding, w0, w1, w2, out, n, n_in, n_out,
    HIDDEN: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr, TWO: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Outputs (n, n_out) of one hidden layer of HIDDEN neurons (w0, w2), or TWO (w0, w1, w2)."""
    pixels = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = _rows(encoding, pixels, n, n_in, IN)
    h = tl.maximum(tl.dot(x, tl.trans(_matrix(w0, HIDDEN, n_in, HIDDEN, IN)), input_precision=PRECISION), 0.0)
    if TWO:
        h = tl.maximum(tl.dot(h, tl.trans(_matrix(w1, HIDDEN, HIDDEN, HIDDEN, HIDDEN)), input_precision=PRECISION), 0.0)
    y = tl.dot(h, tl.trans(_matrix(w2, n_out, HIDDEN, OUT, HIDDEN)), input_precision=PRECISION)
    cols = tl.arange(0, OUT)[None, :]
    tl.store(out + pixels[:, None].to(tl.int64) * n_out + cols, y, (pixels[:, None] < n) & (cols < n_out))


@triton.jit
def network_backward(
    encoding, w0, w1, w2, slopes, encoding_slopes, partial, n, n_in, n_out, n_programs,
    HIDDEN: tl.constexpr, IN: tl.constexpr, OUT: tl.constexpr, TWO: tl.constexpr, BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Derivatives by the encoding (n, n_in), and sums over the program's pixels of those by the weights.

    The activations are computed again, which takes less time than keeping them. Each program goes through the blocks
    of pixels that are its own and leaves padded matrices w0, w1, w2, one after the other, in its row of `partial`.
    """
    program = tl.program_id(0)
    m0 = _matrix(w0, HIDDEN, n_in, HIDDEN, IN)
    m1 = _matrix(w1, HIDDEN, HIDDEN, HIDDEN, HIDDEN)
    m2 = _matrix(w2, n_out, HIDDEN, OUT, HIDDEN)
    g0 = tl.zeros((HIDDEN, IN), tl.float32)
    g1 = tl.zeros((HIDDEN, HIDDEN), tl.float32)
    g2 = tl.zeros((OUT, HIDDEN), tl.float32)
    for block in range(program, tl.cdiv(n, BLOCK), n_programs):
        pixels = block * BLOCK + tl.arange(0, BLOCK)
        x = _rows(encoding, pixels, n, n_in, IN)
        h = tl.maximum(tl.dot(x, tl.trans(m0), input_precision=PRECISION), 0.0)
        top = h
        if TWO:
            top = tl.maximum(tl.dot(h, tl.trans(m1), input_precision=PRECISION), 0.0)
        d = _rows(slopes, pixels, n, n_out, OUT)
        g2 += tl.dot(tl.trans(d), top, input_precision=PRECISION)
        d = tl.where(top > 0, tl.dot(d, m2, input_precision=PRECISION), 0.0)
        if TWO:
            g1 += tl.dot(tl.trans(d), h, input_precision=PRECISION)
            d = tl.where(h > 0, tl.dot(d, m1, input_precision=PRECISION), 0.0)
        g0 += tl.dot(tl.trans(d), x, input_precision=PRECISION)
        d = tl.dot(d, m0, input_precision=PRECISION)
        cols = tl.arange(0, IN)[None, :]
        at = encoding_slopes + pixels[:, None].to(tl.int64) * n_in + cols
        tl.store(at, d, (pixels[:, None] < n) & (cols < n_in))
    row = partial + program * (HIDDEN * IN + HIDDEN * HIDDEN + OUT * HIDDEN)
    h_rows, h_cols = tl.arange(0, HIDDEN)[:, None], tl.arange(0, HIDDEN)[None, :]
    tl.store(row + h_rows * IN + tl.arange(0, IN)[None, :], g0)
    tl.store(row + HIDDEN * IN + h_rows * HIDDEN + h_cols, g1)
    tl.store(row + HIDDEN * IN + HIDDEN * HIDDEN + tl.arange(0, OUT)[:, None] * HIDDEN + h_cols, g2)
