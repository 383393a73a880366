"""Bytes against quality: nfcodec at several targets beside ordinary image codecs at several settings, same pictures.

PSNR is over all RGB samples at 8 bits; MS-SSIM the mean over channels; SSIMULACRA2 that of `ssimulacra2`. Bits a pixel
are those of whole files, as written by the encoder with no metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from benchmarks.data.pictures import Bytes, prepared
from benchmarks.rates.codecs import LOSSY, OURS, Codec, Ours, there_and_back
from benchmarks.rates.measures import measures
from benchmarks.records.store import Job, Row
from nfcodec.codec import bound_bytes
from nfcodec.raster import Raster

TARGETS_DB = (25.0, 28.0, 30.0, 32.0, 35.0, 40.0, 45.0, 50.0)


@dataclass(frozen=True)
class RatePoint(Job):
    """One file.

    Attributes:
        codec: `OURS` or a key of `LOSSY`.
        setting: the target, or what the codec is given.
        effort, field, transform, seed: of ours; a record also has the family that `field` led to, and the bound on the
            bytes where the transform has one.
        target: of ours, what `setting` is: "psnr", in dB, or "bpp", bits a pixel.
    """

    codec: str
    setting: float
    effort: int = 0
    field: str = ""
    transform: str = "none"
    target: str = "psnr"
    seed: int = 0

    study: ClassVar[str] = "rate"

    def load(self, path: Path) -> Bytes:
        return np.asarray(prepared(path))

    def run(self, picture: Bytes) -> Row:
        decoded, row = there_and_back(self._codec(), picture)
        return {**row, **measures(picture, decoded), **self._bound(picture)}

    def _bound(self, picture: Bytes) -> Row:
        """The least bytes for the target, where the transform leaves nothing but the colours."""
        if self.codec != OURS or self.target != "psnr":
            return {}
        found = bound_bytes(Raster.from_array(picture), self.transform, self.setting)
        return {} if found is None else {"bound_bytes": found}

    def _codec(self) -> Codec:
        if self.codec != OURS:
            return LOSSY[self.codec].at(self.setting)
        given = {"effort": self.effort, "field": self.field, "transform": self.transform, "seed": self.seed}
        return Ours({self.target: self.setting, **given})
