# pyright: basic
"""What the entropy model sees of coarser grids: linear maps of their entries, each repeated at finer resolutions.

As maps are linear, entries are mapped at their own resolution, and sums are repeated from level to level, the coarsest
first. One plane is one mapped number of one grid, at all levels above that grid's, the finest first.
"""

from __future__ import annotations

from nfcodec.kernels.jit import F, U, kernel

_ONE, _TWO = U(1), U(2)


@kernel
def map_up(planes, mapped, bias, grids, seen, weights):
    """All levels of a plane.

    Args:
        planes: (levels, 4) of `Place`s in `mapped`, the finest first.
        grids: (n, 5): of each coarser grid its level among those of `planes`, and its place in `seen`; finest first.
        weights: of each coarser grid.
    """
    n_levels = U(planes.shape[0])
    for back in range(n_levels):
        level = n_levels - _ONE - U(back)
        first, pitch, rows, cols = planes[level, 0], planes[level, 1], planes[level, 2], planes[level, 3]
        for y in range(rows):
            to = first + U(y) * pitch
            if back == U(0):
                for x in range(cols):
                    mapped[to + x] = bias
            else:
                start = planes[level + _ONE, 0] + (U(y) >> _ONE) * planes[level + _ONE, 1]
                for x in range(cols >> _ONE):
                    value = mapped[start + x]
                    mapped[to + _TWO * x] = value
                    mapped[to + _TWO * x + _ONE] = value
                if cols & _ONE:
                    mapped[to + cols - _ONE] = mapped[start + (cols >> _ONE)]
            for i in range(U(grids.shape[0])):
                if grids[i, 0] == level:
                    here, weight = grids[i, 1] + U(y) * grids[i, 2], weights[i]
                    for x in range(cols):
                        mapped[to + x] += weight * seen[here + x]


@kernel
def map_down(planes, slopes, grids, seen, found):
    """From the slopes of a plane's finest level to those of coarser levels, of its weights and of its bias.

    Args:
        found: of each coarser grid's weight, and the last one of the bias; set.
    """
    n_levels, n_grids = U(planes.shape[0]), U(grids.shape[0])
    for i in range(n_grids + _ONE):
        found[i] = F(0)
    for level in range(n_levels):
        first, pitch, rows, cols = planes[level, 0], planes[level, 1], planes[level, 2], planes[level, 3]
        for y in range(rows):
            to = first + U(y) * pitch
            if level > U(0):
                start = planes[level - _ONE, 0] + _TWO * U(y) * planes[level - _ONE, 1]
                finer_rows, finer_cols = planes[level - _ONE, 2], planes[level - _ONE, 3]
                for x in range(cols):
                    slopes[to + x] = F(0)
                for below in range(min(_TWO, finer_rows - _TWO * U(y))):
                    here = start + U(below) * planes[level - _ONE, 1]
                    for x in range(finer_cols >> _ONE):
                        slopes[to + x] += slopes[here + _TWO * x] + slopes[here + _TWO * x + _ONE]
                    if finer_cols & _ONE:
                        slopes[to + cols - _ONE] += slopes[here + finer_cols - _ONE]
            for i in range(n_grids):
                if grids[i, 0] == level:
                    here, total = grids[i, 1] + U(y) * grids[i, 2], F(0)
                    for x in range(cols):
                        total += slopes[to + x] * seen[here + x]
                    found[i] += total
            if level + _ONE == n_levels:
                total = F(0)
                for x in range(cols):
                    total += slopes[to + x]
                found[n_grids] += total


@kernel
def add_mapped(place, plane, step, weights, mapped_slopes, slopes):
    """Add to the slopes of a grid's entries those that come through mapped numbers at their level.

    Args:
        place: of the grid; plane, step: of the first mapped number, and from one to the next.
        weights: of each.
    """
    for y in range(place.rows):
        here, to = plane.first + U(y) * plane.pitch, place.first + U(y) * place.pitch
        for k in range(U(weights.size)):
            first, weight = here + k * step, weights[k]
            for x in range(place.cols):
                slopes[to + x] += weight * mapped_slopes[first + x]
