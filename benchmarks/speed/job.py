"""The parts of the speed benchmarks as jobs, so that what they measure is a record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from benchmarks.data.pictures import Bytes, prepared
from benchmarks.records.store import Job, Row
from benchmarks.speed import device, grids, recipe, steps, wide_siren
from benchmarks.speed.workloads import picture

PARTS = ("steps", "recipe", "siren", "grid")
"""What runs on the CPU, besides `processes.CodecSpeed`."""


@dataclass(frozen=True)
class Speed(Job):
    """One part, on one picture; the record's `rows` are what was measured.

    Attributes:
        part: one of `PARTS`, or "device": the engines on a GPU, at the paper's scale.
        rounds: of the parts that take medians.
        side, cap: of the recipe, see `recipe.rows`.
        device: of the part of that name.
    """

    part: str
    rounds: int = 0
    side: int = 0
    cap: float = 0.0
    device: str = "cpu"

    study: ClassVar[str] = "speed"

    def load(self, path: Path) -> Bytes:
        return np.asarray(prepared(path))

    def run(self, picture: Bytes) -> Row:
        return {"rows": list(self._rows(picture))}

    def _rows(self, source: Bytes) -> Iterator[Row]:
        match self.part:
            case "steps":
                return steps.rows(source, self.rounds)
            case "recipe":
                return recipe.rows(source, self.side, self.cap)
            case "siren":
                return wide_siren.rows(source, self.rounds)
            case "grid":
                return grids.rows(source, self.rounds)
            case _:
                return device.rows(picture(source, steps.SQUARE, gray=True), self.device, self.rounds)
