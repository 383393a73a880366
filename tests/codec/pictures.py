"""Small pictures and fields that the tests of codec share."""

from __future__ import annotations

import numpy as np

from nfcodec.exact.field import Field
from nfcodec.exact.geometry import Geometry
from nfcodec.fields import Siren
from nfcodec.fields.table.family import default_pyramid
from nfcodec.raster import Raster

METADATA = {"icc": b"profile" * 40, "exif": b"Exif\0\0II*\0", "xmp": b"<x:xmpmeta/>"}
SMALL_SIREN = Siren(width=12, hidden_layers=1)


def picture(height=9, width=11, channels=3, depth=8, alpha=False, metadata=None) -> Raster:
    """Waves and a slope with a little noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:height, 0:width]
    planes = [120 + 70 * np.sin(x / (4 + c)) * np.cos(y / 5) + 2 * x for c in range(channels + alpha)]
    noisy = np.stack(planes, axis=2) + rng.normal(0, 2, (height, width, channels + alpha))
    scale = ((1 << depth) - 1) / 255
    raster = Raster.from_array((noisy.clip(0, 255) * scale).astype(np.uint8 if depth == 8 else np.uint16))
    return Raster(raster.samples, raster.alpha, metadata or {})


def noise(height=12, width=12, channels=3, depth=8) -> Raster:
    """All samples alike in how often they occur."""
    samples = np.random.default_rng(0).integers(0, 1 << depth, (height, width, channels))
    return Raster(samples.astype(np.uint8 if depth == 8 else np.uint16))


def flat(value: int, shape=(9, 7, 3)) -> Raster:
    """One colour."""
    return Raster(np.full(shape, value, np.uint8))


def field_of(field: str | Field, raster: Raster) -> str | Field:
    """A field, or for "pyramid" the one that a picture gets from its family where a pyramid promises less."""
    return default_pyramid(Geometry(raster.height, raster.width, raster.channels)) if field == "pyramid" else field


def suited(transform: str) -> str:
    """The family that `auto` takes for a chain where pictures are large enough that packed samples do not win."""
    return "table" if {"rpp", "zigzag"} & set(transform.split("+")) else "wavelet"
