"""The quality setting, 0 .. 100, at which another codec is as good as a target, found by encoding."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from benchmarks.data.pictures import Bytes
from benchmarks.rates.codecs import Lossy
from nfcodec.metrics import psnr_db

HIGHEST = 100
QUALITIES_PER_DB = 2
"""About; it only says where a search goes on."""


def lowest_quality(picture: Bytes, target_db: float, rival: Lossy) -> int | None:
    """The lowest quality whose PSNR reaches the target; None if none does."""
    reached = _lowest(_psnr_at(picture, rival), target_db)
    return reached if reached <= HIGHEST else None


def nearest_quality(picture: Bytes, target_db: float, rival: Lossy, near: int | None = None) -> int:
    """The quality whose PSNR is nearest to the target.

    Args:
        near: a quality that may be close to it; then a slow codec has to encode a few times only.
    """
    psnr_at = _psnr_at(picture, rival)
    reached = _lowest(psnr_at, target_db, near)
    candidates = [quality for quality in (reached - 1, reached) if 0 <= quality <= HIGHEST]
    return min(candidates, key=lambda quality: abs(psnr_at(quality) - target_db))


def like(picture: Bytes, image: Image.Image) -> Bytes:
    """A decoded picture with as many channels as the original."""
    return np.asarray(image.convert("L" if picture.ndim == 2 else "RGB"))


def _psnr_at(picture: Bytes, rival: Lossy) -> Callable[[int], float]:
    @cache
    def psnr_at(quality: int) -> float:
        codec = rival.at(quality)
        data, _ = codec.encode(picture)
        return psnr_db(picture, like(picture, codec.decode(data)), 255)

    return psnr_at


def _lowest(psnr_at: Callable[[int], float], target_db: float, near: int | None = None) -> int:
    """The lowest quality that reaches the target, by bisection or from a guess on; 101 if none does."""
    below, reaching, quality = -1, HIGHEST + 1, near
    while reaching - below > 1:
        quality = (below + reaching) // 2 if quality is None else min(max(quality, below + 1), reaching - 1)
        missing_db = target_db - psnr_at(quality)
        if missing_db <= 0:
            reaching = quality
        else:
            below = quality
        quality = None if near is None else quality + round(QUALITIES_PER_DB * missing_db)
    return reaching
