"""Rasters as Pillow images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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

    pil_mode(raster.channels, raster.depth, raster.alpha is not None)
    image = Image.fromarray(np.ascontiguousarray(raster.to_array()))
    image.info |= pil_info(raster.metadata)
    return image


def pil_mode(channels: int, depth: int, alpha: bool) -> str:
    """Pillow's mode for pictures of a kind. Raises UsageError where there is none.

    Args:
        channels: 1 or 3, alpha not counted; depth: bits a sample, 8 or 16.
    """
    if depth == 16 and (channels == 3 or alpha):
        raise UsageError(
            "Pillow has no mode for 16-bit colour or 16-bit alpha; nfcodec.decode_array gives an array, and the command"
            " `nfcodec decode` writes a PNG of 16 bits"
        )
    if depth == 16:
        return "I;16"
    return ("L" if channels == 1 else "RGB") + "A" * alpha


def pil_info(metadata: Mapping[str, bytes]) -> dict[str, Any]:
    """A raster's metadata as Pillow has it in `info`, and the pixels an inch that EXIF tells as "dpi", too."""
    info: dict[str, Any] = {INFO_KEYS[key]: value for key, value in metadata.items()}
    if "exif" in info:
        info["exif"] = exif.PREFIX + metadata["exif"].removeprefix(exif.PREFIX)
    if dpi := exif.resolution(metadata.get("exif", b"")):
        info["dpi"] = dpi
    return info
