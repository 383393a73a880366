"""Pairs of pictures to compare."""

from __future__ import annotations

import numpy as np

from nfcodec.pages.comparison import Source
from nfcodec.raster import Raster

HOSTILE = "\"><script>alert(1)</script>&amp;'\u202egnp.nfc\udcff\n"
"""A file's name: markup, quotes, a character that turns the others round, and a byte that is no text."""


NAMES, SIZES = ("first.png", "second.nfc"), (1000, 100)


def pair(height=30, width=40, channels=3, depth=8, *, alpha=False, noise=6.0):
    """Two pictures of a size as sources, the second one a noisy copy."""
    rng = np.random.default_rng(0)
    peak = (1 << depth) - 1
    shape = (height, width, channels + alpha)
    first = np.linspace(0, peak, height * width * shape[2]).reshape(shape)
    second = first + rng.normal(0, noise * peak / 255, shape) if noise else first
    kind = np.uint8 if depth == 8 else np.uint16
    arrays = (each.round().clip(0, peak).astype(kind) for each in (first, second))
    return [Source(name, Raster.from_array(array)) for name, array in zip(NAMES, arrays, strict=True)]
