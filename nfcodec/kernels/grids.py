# pyright: basic
"""Interpolation in grid levels, row by row, and its transpose.

All tables lie in one flat array; a level is described by a row of `levels`, columns as named here.
"""

from __future__ import annotations

from nfcodec.kernels.elementary import rounded
from nfcodec.kernels.jit import B1, I32, ONE, TWO, ZERO, F, U, kernel

OFFSET, FEATURES, FIRST, IS_HASH, LOG2_STRIDE, ROWS, COLS, MASK, IS_FINE = (U(i) for i in range(9))
"""Columns: the table's place in the flat array; features; number of its first feature in the encoding; 1 for hash
levels. Dense levels, (F, rows, cols): log2 of the stride, rows, cols. Hash levels, (entries, F): rows is the
resolution if entries lie in rows, else 0; cols, the entries; mask is cols - 1 if a power of two, else 0; 1 if a row of
the picture has fewer pixels than vertices."""

N_COLUMNS = 9


@kernel
def expand(tables, start, n_cols, log2_stride, step, out):
    """Interpolate a row of entries to pixels; pixel x lands in out[x + stride / 2]."""
    stride = ONE << log2_stride
    width = F(1) / F(stride)
    a = rounded(tables[start], step)
    b = a
    for cell in range(ZERO, n_cols + ONE, ONE):
        a = b
        if cell < n_cols:
            b = rounded(tables[start + cell], step)
        slope, at = (b - a) * width, cell << log2_stride
        for i in range(stride):
            out[at + i] = a + slope * (F(I32(i)) + F(0.5))


@kernel
def collapse(g, n_cols, log2_stride, tables, start):
    """The transpose of `expand`: add to a row of entries what its pixels' gradients say."""
    stride = ONE << log2_stride
    width = F(1) / F(stride)
    for cell in range(ZERO, n_cols + ONE, ONE):
        at, total, moment = cell << log2_stride, F(0), F(0)
        for i in range(stride):
            value = g[at + i]
            total += value
            moment += value * (F(I32(i)) + F(0.5))
        moment *= width
        left = cell - ONE if cell > ZERO else ZERO
        right = cell if cell < n_cols else n_cols - ONE
        tables[start + left] += total - moment
        tables[start + right] += moment


@kernel
def dense_lookup(grid, level, y, rows, cells):
    """Make `rows` hold the two rows of entries around pixel row y, expanded: (2 F, padded width) from row 2 FIRST.

    `cells` remembers, for each level, which rows are there; -1 for none.
    """
    levels, tables, step = grid.levels, grid.tables, grid.steps[level]
    features, first, log2_stride = levels[level, FEATURES], levels[level, FIRST], levels[level, LOG2_STRIDE]
    n_rows, n_cols = levels[level, ROWS], levels[level, COLS]
    cell = (y + ((ONE << log2_stride) >> ONE)) >> log2_stride
    if cells[level] == cell:
        return
    cells[level] = cell
    below = cell - ONE if cell > ZERO else ZERO
    above = cell if cell < n_rows else n_rows - ONE
    for f in range(features):
        table = levels[level, OFFSET] + f * n_rows * n_cols
        expand(tables, table + below * n_cols, n_cols, log2_stride, step, rows[TWO * (first + f)])
        expand(tables, table + above * n_cols, n_cols, log2_stride, step, rows[TWO * (first + f) + ONE])


@kernel
def dense_encode(grid, level, y, x0, n, rows, e):
    """The level's features of pixels x0 .. x0 + n - 1 of row y, into rows FIRST .. of the encoding `e`."""
    levels, tables, step = grid.levels, grid.tables, grid.steps[level]
    features, first, log2_stride = levels[level, FEATURES], levels[level, FIRST], levels[level, LOG2_STRIDE]
    n_rows, n_cols = levels[level, ROWS], levels[level, COLS]
    half = (ONE << log2_stride) >> ONE
    fraction = (F((y + half) & ((ONE << log2_stride) - ONE)) + F(0.5)) / F(ONE << log2_stride)
    for f in range(features):
        to = (first + f) * B1
        if log2_stride == ZERO:
            at = levels[level, OFFSET] + (f * n_rows + y) * n_cols + x0
            if step > F(0):
                for x in range(n):
                    e[to + x] = rounded(tables[at + x], step)
            else:
                for x in range(n):
                    e[to + x] = tables[at + x]
        else:
            below, above, at = rows[TWO * (first + f)], rows[TWO * (first + f) + ONE], half + x0
            for x in range(n):
                e[to + x] = below[at + x] + (above[at + x] - below[at + x]) * fraction


@kernel
def dense_scatter(levels, level, f, rows, slopes, gradient, scratch):
    """Add to the table of the level's feature f the gradients of some rows of pixels, the first ones of `slopes`.

    Args:
        rows, slopes: see `Rows` and `Slopes`.
        scratch: for two expanded rows.
    """
    y0, y1, width, d = rows.y0, rows.y1, slopes.width, slopes.encoding[levels[level, FIRST] + f]
    below, above = scratch[0], scratch[1]
    log2_stride, n_rows, n_cols = levels[level, LOG2_STRIDE], levels[level, ROWS], levels[level, COLS]
    table = levels[level, OFFSET] + f * n_rows * n_cols
    if log2_stride == ZERO:
        for y in range(y0, y1):
            to, at = table + y * n_cols, (y - y0) * width
            for x in range(width):
                gradient[to + x] += d[at + x]
        return
    stride = ONE << log2_stride
    half, size = stride >> ONE, (n_cols + ONE) << log2_stride
    for cell in range((y0 + half) >> log2_stride, ((y1 - ONE + half) >> log2_stride) + ONE):
        for x in range(size):
            below[x] = F(0)
            above[x] = F(0)
        origin = cell << log2_stride  # of y + half
        begin = origin if origin > y0 + half else y0 + half
        end = origin + stride if origin + stride < y1 + half else y1 + half
        for shifted in range(begin, end):
            fraction = (F(shifted - origin) + F(0.5)) / F(stride)
            at = (shifted - half - y0) * width
            for x in range(width):
                below[half + x] += (F(1) - fraction) * d[at + x]
                above[half + x] += fraction * d[at + x]
        lower = cell - ONE if cell > ZERO else ZERO
        upper = cell if cell < n_rows else n_rows - ONE
        collapse(below, n_cols, log2_stride, gradient, table + lower * n_cols)
        collapse(above, n_cols, log2_stride, gradient, table + upper * n_cols)


@kernel
def hash_entry(levels, level, x, y):
    """Number of the entry of vertex (x, y): tiny-cuda-nn's grid_index."""
    resolution, size, mask = levels[level, ROWS], levels[level, COLS], levels[level, MASK]
    if resolution > ZERO:
        entry = x + y * resolution
        return entry if entry < size else entry % size
    scrambled = x ^ ((y * U(2654435761)) & U(0xFFFFFFFF))
    return scrambled & mask if mask > ZERO else scrambled % size


@kernel
def hash_lookup(grid, level, y, width, rows):
    """Interpolate vertically: the vertices that a row of pixels touches, into `rows` (2 F rows from 2 FIRST)."""
    levels, tables, step, col_cells = grid.levels, grid.tables, grid.steps[level], grid.col_cells[level]
    row, fraction = grid.row_cells[level, y], grid.row_fractions[level, y]
    features, first, table = levels[level, FEATURES], levels[level, FIRST], levels[level, OFFSET]
    origin, n = col_cells[ZERO], col_cells[width - ONE] - col_cells[ZERO] + TWO
    for i in range(n):
        a = table + hash_entry(levels, level, origin + i, row) * features
        b = table + hash_entry(levels, level, origin + i, row + ONE) * features
        for f in range(features):
            low, high = rounded(tables[a + f], step), rounded(tables[b + f], step)
            rows[TWO * (first + f), i] = low + (high - low) * fraction


@kernel
def hash_encode(grid, level, x0, n, rows, e):
    """Interpolate horizontally, from what `hash_lookup` left."""
    levels, col_cells, col_fractions = grid.levels, grid.col_cells[level], grid.col_fractions[level]
    features, first, origin = levels[level, FEATURES], levels[level, FIRST], col_cells[ZERO]
    for f in range(features):
        vertices, to = rows[TWO * (first + f)], (first + f) * B1
        for x in range(n):
            i = col_cells[x0 + x] - origin
            e[to + x] = vertices[i] + (vertices[i + ONE] - vertices[i]) * col_fractions[x0 + x]


@kernel
def hash_encode_fine(grid, level, y, x0, n, e):
    """The same for levels with more vertices than pixels: four entries a pixel."""
    levels, tables, step = grid.levels, grid.tables, grid.steps[level]
    row, fraction = grid.row_cells[level, y], grid.row_fractions[level, y]
    col_cells, col_fractions = grid.col_cells[level], grid.col_fractions[level]
    features, first, table = levels[level, FEATURES], levels[level, FIRST], levels[level, OFFSET]
    for x in range(n):
        col, f_x = col_cells[x0 + x], col_fractions[x0 + x]
        i00 = table + hash_entry(levels, level, col, row) * features
        i01 = table + hash_entry(levels, level, col + ONE, row) * features
        i10 = table + hash_entry(levels, level, col, row + ONE) * features
        i11 = table + hash_entry(levels, level, col + ONE, row + ONE) * features
        for f in range(features):
            t00, t01 = rounded(tables[i00 + f], step), rounded(tables[i01 + f], step)
            t10, t11 = rounded(tables[i10 + f], step), rounded(tables[i11 + f], step)
            low, high = t00 + (t01 - t00) * f_x, t10 + (t11 - t10) * f_x
            e[(first + f) * B1 + x] = low + (high - low) * fraction


@kernel
def hash_scatter(grid, level, rows, slopes, gradient, sums):
    """Add to a hash level's table the gradients of some rows of pixels, the first ones of `slopes`.

    Args:
        grid, rows, slopes: see `Grid`, `Rows` and `Slopes`.
        sums: scratch, one float a vertex of a row.
    """
    levels, y0, y1 = grid.levels, rows.y0, rows.y1
    row_cells, row_fractions = grid.row_cells[level], grid.row_fractions[level]
    col_cells, col_fractions = grid.col_cells[level], grid.col_fractions[level]
    d, d_stride = slopes.encoding.reshape(-1), U(slopes.encoding.shape[1])
    features, first, table = levels[level, FEATURES], levels[level, FIRST], levels[level, OFFSET]
    width = U(col_cells.size)
    origin, n = col_cells[ZERO], col_cells[width - ONE] - col_cells[ZERO] + TWO
    for y in range(y0, y1):
        row, f_y = row_cells[y], row_fractions[y]
        if levels[level, IS_FINE]:
            at = first * d_stride + (y - y0) * width
            for x in range(width):
                col, f_x = col_cells[x], col_fractions[x]
                i00 = table + hash_entry(levels, level, col, row) * features
                i01 = table + hash_entry(levels, level, col + ONE, row) * features
                i10 = table + hash_entry(levels, level, col, row + ONE) * features
                i11 = table + hash_entry(levels, level, col + ONE, row + ONE) * features
                for f in range(features):
                    value = d[at + f * d_stride + x]
                    high = value * f_y
                    low = value - high
                    gradient[i00 + f] += low - low * f_x
                    gradient[i01 + f] += low * f_x
                    gradient[i10 + f] += high - high * f_x
                    gradient[i11 + f] += high * f_x
            continue
        for f in range(features):
            at = (first + f) * d_stride + (y - y0) * width
            for i in range(n):
                sums[i] = F(0)
            x = ZERO
            while x < width:
                col, total, moment = col_cells[x], F(0), F(0)
                while x < width and col_cells[x] == col:
                    total += d[at + x]
                    moment += d[at + x] * col_fractions[x]
                    x += ONE
                sums[col - origin] += total - moment
                sums[col - origin + ONE] += moment
            for i in range(n):
                a = table + hash_entry(levels, level, origin + i, row) * features + f
                b = table + hash_entry(levels, level, origin + i, row + ONE) * features + f
                gradient[a] += sums[i] * (F(1) - f_y)
                gradient[b] += sums[i] * f_y
