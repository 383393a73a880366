"""Bytes without loss: `nfcodec encode --lossless` beside PNG, WebP and JPEG XL on the same pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from benchmarks.data.pictures import Bytes, prepared
from benchmarks.rates.codecs import LOSSLESS, OURS, Ours, there_and_back
from benchmarks.records.store import Job, Row


@dataclass(frozen=True)
class LosslessFile(Job):
    """One file.

    Attributes:
        codec: `OURS` or a key of `LOSSLESS`.
        effort: of ours.
    """

    codec: str
    effort: int = 0

    study: ClassVar[str] = "lossless"

    def load(self, path: Path) -> Bytes:
        return np.asarray(prepared(path))

    def run(self, picture: Bytes) -> Row:
        """Raises RuntimeError if the picture does not come back."""
        ours = self.codec == OURS
        codec = Ours({"lossless": True, "effort": self.effort}) if ours else LOSSLESS[self.codec]
        decoded, row = there_and_back(codec, picture)
        if not np.array_equal(decoded, picture):
            raise RuntimeError(f"{self.codec} is not lossless on {self.image}")
        return row
