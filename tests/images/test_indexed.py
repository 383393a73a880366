"""PNGs with a palette: the same pixels in fewer bytes, where there are few colours."""

from __future__ import annotations

import io

import numpy as np
import pytest

from nfcodec.images.files import image_bytes, raster_from_bytes
from nfcodec.images.indexed import indexed_png
from nfcodec.raster import Raster


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n_colours", [1, 2, 3, 5, 17, 256])
def test_the_pixels_are_the_same(n_colours, channels):
    rng = np.random.default_rng(n_colours)
    palette = np.arange(256, dtype=np.uint8)[:, None] * np.array([1, 3, 5], np.uint8)[:channels]
    raster = Raster.from_array(palette[:n_colours][rng.integers(0, n_colours, (31, 45))])
    png = indexed_png(raster)
    assert png is not None
    found = raster_from_bytes(png).samples
    assert np.array_equal(found, np.broadcast_to(raster.samples, found.shape))


def test_bitmaps_are_as_small_as_pillow_makes_them():
    from PIL import Image

    bits = np.random.default_rng(0).integers(0, 2, (64, 64)).astype(bool)
    buffer = io.BytesIO()
    Image.fromarray(bits).save(buffer, "PNG")
    raster = raster_from_bytes(buffer.getvalue())
    png = indexed_png(raster)
    assert png is not None
    assert len(png) <= len(buffer.getvalue()) + 18  # a palette of two colours
    assert len(png) < len(image_bytes(raster))


def test_there_is_none_for_other_pictures():
    many = np.arange(3 * 400).reshape(20, 20, 3).astype(np.uint8)
    many[..., 1] = np.arange(400).reshape(20, 20) // 256
    assert indexed_png(Raster.from_array(many)) is None
    assert indexed_png(Raster.from_array(np.zeros((4, 4), np.uint16))) is None
    assert indexed_png(Raster.from_array(np.zeros((4, 4, 2), np.uint8))) is None
