"""The paper's preprocessing: centre square, Lanczos, gray, and (in `linear`) sRGB code values to linear light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Bytes = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]


def square(path: Path, side: int, *, gray: bool = True) -> Bytes:
    """The centre square of a picture, resized (Lanczos, also where that enlarges): (side, side), or with 3 channels."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    shorter = min(image.size)
    left, top = (image.width - shorter) // 2, (image.height - shorter) // 2
    image = image.crop((left, top, left + shorter, top + shorter))
    image = image.resize((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image.convert("L") if gray else image)


def linear(samples: Bytes) -> Reals:
    """sRGB code values 0 .. 255 to linear light in [0, 1] (IEC 61966-2-1)."""
    z = np.arange(256) / 255
    return np.where(z > 0.04045, ((z + 0.055) / 1.055) ** 2.4, z / 12.92)[samples]


def coded(values: Reals) -> Bytes:
    """The inverse of `linear`, clipped and rounded."""
    z = np.clip(values, 0, 1)
    code = np.where(z > 0.0031308, 1.055 * z ** (1 / 2.4) - 0.055, 12.92 * z)
    return (code * 255 + 0.5).astype(np.uint8)
