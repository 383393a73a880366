"""Crops of the pictures that are trained on, and what both trainings do with the weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from nfcodec.raster import Samples

QUALITIES_DB = (28.0, 50.0)
"""Crops are fitted to a random PSNR between these."""


def crops(folders: Sequence[Path], n: int, side: int, rng: np.random.Generator) -> list[Samples]:
    """Random square crops, (side, side, 3) uint8 or smaller, of the pictures in some folders."""
    paths = sorted(path for folder in folders for path in folder.iterdir() if path.suffix == ".png")
    found: list[Samples] = []
    for _ in range(n):
        with Image.open(paths[rng.integers(len(paths))]) as image:
            left, top = (int(rng.integers(0, max(1, size - side + 1))) for size in image.size)
            box = (left, top, min(left + side, image.width), min(top + side, image.height))
            found.append(np.asarray(image.convert("RGB").crop(box)))
    return found


def packed(values: np.ndarray) -> bytes:
    """Weights as little-endian 16-bit integers.

    Raises:
        ValueError: one does not fit.
    """
    rounded = np.round(values)
    if np.abs(rounded).max() >= 2**15:
        raise ValueError("a weight does not fit 16 bits")
    return rounded.astype("<i2").tobytes()


def install(blob: bytes, out: Path) -> str:
    """Write the weights; returns the line that says what was written."""
    out.write_bytes(blob)
    return f"{len(blob)} bytes, SHA-256 {hashlib.sha256(blob).hexdigest()}"
