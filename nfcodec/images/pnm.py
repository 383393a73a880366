"""Binary PGM and PPM with 8 or 16 bits a sample (16-bit samples are big-endian, as the format says)."""

from __future__ import annotations

import re

import numpy as np

from nfcodec.errors import ImageReadError
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.raster import Raster

_SPACE = rb"(?:\s|#[^\n\r]*[\n\r])+"
_HEADER = re.compile(rb"P([56])%b(\d{1,9})%b(\d{1,9})%b(\d{1,9})\s" % ((_SPACE,) * 3))


def is_deep(data: bytes) -> bool:
    """Tell whether `data` is a binary PGM or PPM with more than 8 bits a sample."""
    header = _HEADER.match(data[:4096])
    return header is not None and int(header[4]) > 255


def read(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Raster:
    """Read a binary PGM or PPM whose largest value is 255 or 65535.

    Raises:
        ImageReadError: another largest value, or not enough samples.
        LimitError: the picture is over the limits.
    """
    header = _HEADER.match(data[:4096])
    if header is None:
        raise ImageReadError("the PGM or PPM header is not valid", code="damaged")
    channels = 1 if header[1] == b"5" else 3
    width, height, peak = int(header[2]), int(header[3]), int(header[4])
    if peak not in (255, 65535):
        raise ImageReadError(
            f"a PGM or PPM with the largest value {peak} is not supported, only 255 and 65535", code="depth"
        )
    if min(width, height) < 1:
        raise ImageReadError("the PGM or PPM has no pixels", code="damaged")
    limits.check_geometry(width, height)
    dtype = np.dtype(np.uint8) if peak == 255 else np.dtype(">u2")
    n_samples = width * height * channels
    if len(data) - header.end() < n_samples * dtype.itemsize:
        raise ImageReadError("the PGM or PPM is truncated", code="damaged")
    samples = np.frombuffer(data, dtype, n_samples, header.end()).reshape(height, width, channels)
    return Raster(samples.astype(np.uint8) if peak == 255 else samples.astype(np.uint16))


def write(raster: Raster) -> bytes:
    """Return `raster` as a binary PGM (gray) or PPM (RGB); alpha and metadata have no place there and are left out."""
    kind = 5 if raster.channels == 1 else 6
    header = f"P{kind}\n{raster.width} {raster.height}\n{raster.peak}\n".encode("ascii")
    return header + raster.samples.astype(">u2" if raster.depth == 16 else "u1").tobytes()
