"""Bytes without loss: `nfcodec encode --lossless` beside PNG, WebP and JPEG XL on the same pictures."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

import nfcodec
from benchmarks.data.pictures import Bytes
from benchmarks.rates.rate_distortion import CODECS, OURS, library_version, prepare
from benchmarks.records.store import Job, Row

OTHERS: dict[str, Mapping[str, Any]] = {
    "png": {"format": "PNG", "optimize": True},
    "webp": {"format": "WEBP", "lossless": True, "quality": 100, "method": 6},
    "jxl": {"format": "JXL", "lossless": True, "effort": 7},
}
"""Pillow's options."""


@dataclass(frozen=True)
class LosslessFile(Job):
    """One file.

    Attributes:
        codec: `OURS` or a key of `OTHERS`.
        effort: of ours.
    """

    codec: str
    effort: int = 0

    study: ClassVar[str] = "lossless"

    def load(self, path: Path) -> Bytes:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))

    def run(self, picture: Bytes) -> Row:
        """Raises RuntimeError if the picture does not come back."""
        began = time.perf_counter()
        data, more = self._encoded(picture)
        encoded = time.perf_counter()
        decoded = nfcodec.decode(data) if self.codec == OURS else Image.open(io.BytesIO(data))
        same = np.array_equal(np.asarray(decoded), picture)
        done = time.perf_counter()
        if not same:
            raise RuntimeError(f"{self.codec} is not lossless on {self.image}")
        return {
            "bytes": len(data), "bpp": 8 * len(data) / (picture.shape[0] * picture.shape[1]),
            "encode_seconds": round(encoded - began, 3), "decode_seconds": round(done - encoded, 3), **more,
        }  # fmt: skip

    def _encoded(self, picture: Bytes) -> tuple[bytes, Row]:
        if self.codec == OURS:
            return nfcodec.encode(picture, lossless=True, effort=self.effort), {}
        more: Row = {}
        if self.codec in CODECS:
            prepare(self.codec)
            more["library"] = library_version(CODECS[self.codec].library)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, **OTHERS[self.codec])
        return buffer.getvalue(), more
