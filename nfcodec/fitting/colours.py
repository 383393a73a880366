"""The axes of a picture's colours along which its details are uncorrelated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nfcodec.exact.geometry import Geometry

Image = npt.NDArray[np.float64]


def color_basis(targets: npt.NDArray[np.float32], geometry: Geometry) -> tuple[Image, Image]:
    """Mean (C,) of targets (H * W, C), and axes (C, C), one a column, in which their details are uncorrelated.

    They are the principal axes of the differences between neighbouring pixels, largest first. It is details that take
    the bits: those of the colours themselves can be quite different axes, and made files up to a fifth larger.
    """
    mean = targets.mean(axis=0, dtype=np.float64)
    image = targets.reshape(geometry.height, geometry.width, geometry.channels)
    moments: Image = np.zeros((geometry.channels, geometry.channels))
    for axis in (0, 1):
        differences: Image = np.diff(image, axis=axis).reshape(-1, geometry.channels).astype(np.float64)
        moments += np.matmul(np.transpose(differences), differences)
    _, axes = np.linalg.eigh(moments)
    axes = axes[:, ::-1]
    return mean, axes * np.where(axes.sum(axis=0) < 0, -1.0, 1.0)
