"""Fitting the picture at half its size first, where an iteration takes a quarter of the time.

The grids of the smaller picture are the coarser grids of the whole one: level l there is level l + 1 here. So what was
found goes on, and the finest grid begins at 0.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.shape import MOST_MAPPED_GRIDS, Lattice

LEAST_LEVELS, LEAST_SIDE = 5, 64
"""Of a field and a picture that have a coarser field."""

MOST_BITS_A_PIXEL = 0.55
"""Of wavelets, where a fit goes on from half the size. Where more is spent, most of it goes to the finest grids, and
what was found without them is in their way."""

SAME = ("entropy", "entropy_bias", "out", "near", "synthesis_bias", "scale", "offset")
"""Tensors that do not depend on the levels."""


def has_coarser(field: Grid, geometry: Geometry) -> bool:
    """Whether starts of a field of a picture can be tried at half its size."""
    return field.n_levels >= LEAST_LEVELS and min(geometry.height, geometry.width) >= LEAST_SIDE


def goes_on(geometry: Geometry, n_bytes: float) -> bool:
    """Whether a fit goes on from what it found at half the size, where wavelets take so many bytes."""
    return 8 * n_bytes < MOST_BITS_A_PIXEL * geometry.n_pixels


def halved(targets: FloatArray) -> FloatArray:
    """Means of 2 x 2 targets, (C, H, W); the last row or column of an odd size counts twice."""
    even = np.pad(targets, ((0, 0), (0, targets.shape[1] % 2), (0, targets.shape[2] % 2)), "edge")
    channels, height, width = even.shape
    return even.reshape(channels, height // 2, 2, width // 2, 2).mean(axis=(2, 4), dtype=np.float32)


def coarser(field: Grid) -> Grid:
    """The field of the picture at half its size."""
    n_levels = field.n_levels - 1
    return replace(field, n_levels=n_levels, n_hyper=min(field.n_hyper, max(0, n_levels - MOST_MAPPED_GRIDS)))


def refined(field: Grid, geometry: Geometry, start: Parameters, found: Parameters) -> Parameters:
    """Where the field of a picture begins: at what was found at half the size; the finest grid at a start.

    Args:
        geometry: of the whole picture.
        start: of `field`.
        found: parameters of `coarser(field)`, latents before the gain.
    """
    small = coarser(field)
    half = Geometry(-(-geometry.height // 2), -(-geometry.width // 2), geometry.channels)
    lattices, coarse = field.lattices(geometry), small.lattices(half)
    there = {(each.level + 1, each.is_hyper): i for i, each in enumerate(coarse)}

    def twin(lattice: Lattice) -> int | None:
        return there.get((lattice.level, lattice.is_hyper))

    out: Parameters = {name: np.array(found[name] if name in SAME else each) for name, each in start.items()}
    flat = found["latents"].reshape(-1)
    for lattice in lattices:
        if (i := twin(lattice)) is not None:
            out["latents"][lattice.entries, 0] = flat[coarse[i].entries]
    n = field.n_levels
    out["synthesis"][:, 1:] = found["synthesis"]
    out["filters"][1 : n - 1], out["filters"][n:] = found["filters"][: n - 2], found["filters"][n - 2 :]
    _refine_maps(field, small, [twin(each) for each in lattices], out, found)
    return out


def _refine_maps(field: Grid, small: Grid, twins: list[int | None], out: Parameters, found: Parameters) -> None:
    """The maps of a grid that had maps at half the size, column by column: one for each grid that both see."""
    if not field.n_mapped:
        return
    ends, small_ends = (np.cumsum([0, *each.n_coarser]) for each in (field, small))
    bias, small_bias = (each["map_bias"].reshape(-1, field.n_mapped) for each in (out, found))
    for i, j in enumerate(twins[: len(field.n_coarser)]):
        if j is None or j >= len(small.n_coarser):
            continue
        bias[i] = small_bias[j]
        for column in range(field.n_coarser[i]):
            seen = twins[i + 1 + column]
            here = out["maps"][:, ends[i] + column]
            here[:] = 0 if seen is None else found["maps"][:, small_ends[j] + seen - j - 1]
