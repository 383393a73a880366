"""Rasters as Pillow images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nfcodec.errors import UsageError
from nfcodec.images import exif
from nfcodec.raster import Raster

if TYPE_CHECKING:
    from PIL import Image

INFO_KEYS = {"icc": "icc_profile", "exif": "exif", "xmp": "xmp"}
"""What metadata is called in `Image.info`."""


def raster_to_pil(raster: Raster) -> Image.Image:
    """Convert to a Pillow image: L, LA, RGB, RGBA, or I;16 for 16-bit gray.

    Metadata goes into `info`, and the pixels an inch that EXIF tells as "dpi", too.

    Raises:
        UsageError: 16-bit colour or 16-bit alpha, for which Pillow has no mode.
    """
    from PIL import Image

    if raster.depth == 16 and (raster.channels == 3 or raster.alpha is not None):
        raise UsageError(
            "Pillow has no mode for 16-bit colour or 16-bit alpha; nfcodec.decode_array gives an array, and the command"
            " `nfcodec decode` writes a PNG of 16 bits"
        )
    image = Image.fromarray(np.ascontiguousarray(raster.to_array()))
    for key, value in raster.metadata.items():
        image.info[INFO_KEYS[key]] = exif.PREFIX + value.removeprefix(exif.PREFIX) if key == "exif" else value
    if dpi := exif.resolution(raster.metadata.get("exif", b"")):
        image.info["dpi"] = dpi
    return image
