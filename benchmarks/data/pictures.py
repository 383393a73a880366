"""Pictures from files as they are measured: whole, cropped, or as the paper has them.

The paper's preprocessing is `square`: centre square, Lanczos, gray; and `linear`: sRGB code values to linear light.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Bytes = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]


def square(path: Path, side: int, *, gray: bool = True) -> Bytes:
    """The centre square of a picture, resized in RGB, then made gray: (side, side), or with 3 channels."""
    with Image.open(path) as image:
        resized = _centre_square(image.convert("RGB"), side)
    return np.asarray(resized.convert("L") if gray else resized)


def prepared(
    source: Path | Image.Image, *, crop: int = 0, side: int = 0, gray: bool = False
) -> Image.Image:  # fmt: skip
    """A picture in RGB or gray; of it the centre crop, or the centre square resized, where a size is given."""
    if isinstance(source, Path):
        with Image.open(source) as opened:
            return prepared(opened, crop=crop, side=side, gray=gray)
    image = source.convert("L" if gray else "RGB")
    if crop:
        left, top = (image.width - crop) // 2, (image.height - crop) // 2
        image = image.crop((left, top, left + crop, top + crop))
    return _centre_square(image, side) if side else image


def _centre_square(image: Image.Image, side: int) -> Image.Image:
    """Resized by Lanczos, also where that enlarges."""
    shorter = min(image.size)
    left, top = (image.width - shorter) // 2, (image.height - shorter) // 2
    return image.crop((left, top, left + shorter, top + shorter)).resize((side, side), Image.Resampling.LANCZOS)


def linear(samples: Bytes) -> Reals:
    """sRGB code values 0 .. 255 to linear light in [0, 1] (IEC 61966-2-1)."""
    z = np.arange(256) / 255
    return np.where(z > 0.04045, ((z + 0.055) / 1.055) ** 2.4, z / 12.92)[samples]


def coded(values: Reals) -> Bytes:
    """The inverse of `linear`, clipped and rounded."""
    z = np.clip(values, 0, 1)
    code = np.where(z > 0.0031308, 1.055 * z ** (1 / 2.4) - 0.055, 12.92 * z)
    return (code * 255 + 0.5).astype(np.uint8)
