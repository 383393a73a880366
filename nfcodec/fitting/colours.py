"""The axes of a picture's colours along which its details are uncorrelated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nfcodec.exact.geometry import Geometry

Image = npt.NDArray[np.float64]

ROWS_PIXELS = 1 << 16
"""Pixels that are looked at at a time, so that memory is bounded."""


def color_basis(targets: npt.NDArray[np.float32], geometry: Geometry) -> tuple[Image, Image]:
    """Mean (C,) of targets (H * W, C), and axes (C, C), one a column, in which their details are uncorrelated.

    They are the principal axes of the differences between neighbouring pixels, largest first. It is details that take
    the bits: those of the colours themselves can be quite different axes, and made files up to a fifth larger.
    """
    mean = targets.mean(axis=0, dtype=np.float64)
    image = targets.reshape(geometry.height, geometry.width, geometry.channels)
    moments: Image = np.zeros((geometry.channels, geometry.channels))
    rows = max(1, ROWS_PIXELS // geometry.width)
    for start in range(0, geometry.height, rows):
        part = image[start : start + rows + 1].astype(np.float64)  # the last row is the next part's first
        for differences in (np.diff(part, axis=0), np.diff(part[:rows], axis=1)):
            flat = differences.reshape(-1, geometry.channels)
            moments += np.matmul(np.transpose(flat), flat)
    _, axes = np.linalg.eigh(moments)
    axes = axes[:, ::-1]
    return mean, axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)
