"""PNGs with a palette, which are the smaller ones of pictures in few colours."""

from __future__ import annotations

import io

import numpy as np

from nfcodec.images.files import raster_to_pil
from nfcodec.raster import Raster

MAX_COLOURS = 256


def indexed_png(raster: Raster) -> bytes | None:
    """Return `raster` as a PNG of 1, 2, 4 or 8 bits a pixel and a palette, without metadata.

    None where the picture has over MAX_COLOURS colours, 16 bits a sample, or alpha.
    """
    from PIL import Image

    if raster.depth != 8 or raster.alpha is not None:
        return None
    colours = raster_to_pil(raster).getcolors(MAX_COLOURS)
    if colours is None:
        return None
    palette = np.array(sorted(colour for _, colour in colours), np.uint8).reshape(len(colours), raster.channels)
    image = Image.fromarray(np.searchsorted(_keys(palette), _keys(raster.samples)).astype(np.uint8))
    image.putpalette(np.broadcast_to(palette, (len(palette), 3)).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _keys(colours: np.ndarray) -> np.ndarray:
    """A number for each colour, in the order of the colours."""
    keys = np.zeros(colours.shape[:-1], np.int32)
    for channel in np.moveaxis(colours, -1, 0):
        keys = 256 * keys + channel
    return keys
