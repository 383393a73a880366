"""What a permuted picture must take at least, whatever the codec."""

from __future__ import annotations

import math

from nfcodec.bounds import marginal_bound_bits
from nfcodec.raster import Raster
from nfcodec.transforms import parse_chain


def bound_bytes(raster: Raster, transform: str, psnr_db: float) -> int | None:
    """The least bytes for a picture at a PSNR once a chain has stripped it of all order; takes seconds at high PSNR.

    None for chains that leave or store some order (no rpp, or a zigzag), and where the computation would be too large.
    Raises UsageError for an unknown chain.
    """
    names = [spec.name for spec in parse_chain(transform)]
    if "rpp" not in names or "zigzag" in names:
        return None
    bits = marginal_bound_bits(raster.samples.reshape(-1, raster.channels), psnr_db, raster.peak)
    return None if bits is None else math.ceil(bits * raster.n_pixels / 8)
