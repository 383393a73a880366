"""What a transform costs in the codec: whole runs of `nfcodec encode`, from a picture file to a finished .nfc file."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image

from benchmarks.data.pictures import Bytes, prepared, square
from benchmarks.records.measured import nfcodec_process
from benchmarks.records.store import Job, Row


@dataclass(frozen=True)
class Encode(Job):
    """The codec's protocol: one run of `nfcodec encode`.

    Attributes:
        side: of the centre square, resized; 0 for the whole picture as it is.
        gray: one channel.
        field: as `--field` has it; a record also has the family that was used.
        repeat: number of this repetition.
        seed: of the fit, and of a permutation.
    """

    side: int
    gray: bool
    field: str
    transform: str
    target_db: float
    effort: int = 5
    repeat: int = 0
    seed: int = 0

    study: ClassVar[str] = "codec"

    def load(self, path: Path) -> Bytes:
        if self.side:
            return square(path, self.side, gray=self.gray)
        return np.asarray(prepared(path, gray=self.gray))

    def run(self, picture: Bytes) -> Row:
        options = ["--field", self.field, "--transform", self.transform, "--psnr", str(self.target_db)]
        options += ["--effort", str(self.effort), "--seed", str(self.seed), "--best-effort", "-f", "-q", "--json"]
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / "in.png", Path(folder) / "out.nfc"
            Image.fromarray(picture).save(source)
            done = nfcodec_process(["encode", str(source), str(out), *options])
        report = json.loads(done.out)
        keys = ("bytes", "bpp", "psnr_db", "reached", "steps", "fit_steps", "parameters", "engine")
        return {
            "family": report["field"], **{key: report[key] for key in keys},
            "encode_seconds": round(report["seconds"], 3), "process_seconds": round(done.seconds, 3),
            "MB": round(done.megabytes, 1),
        }  # fmt: skip
