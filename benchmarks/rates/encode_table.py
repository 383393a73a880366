"""Pictures encoded and decoded as whole processes, beside files of other codecs that are as good.

Bytes are those of the files; seconds and peak memory are of whole processes, start-up included. The other codecs are
run at the lowest quality setting that reaches the same PSNR, and measured in the same way. `benchmarks.rates.codecs`
has their options.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from PIL import Image

from benchmarks.data.pictures import Bytes, prepared
from benchmarks.rates.codecs import LOSSLESS, LOSSY
from benchmarks.rates.qualities import like, lowest_quality
from benchmarks.records.measured import nfcodec_process, process
from benchmarks.records.store import Job, Row
from nfcodec.metrics import psnr_db

COLUMNS = (
    "image", "family", "transform", "target_db", "psnr_db", "fit_steps", "steps", "bytes", "bpp", "encode_seconds",
    "decode_seconds", "MB", "png_bytes", "webp_bytes", "bound_bytes",
)  # fmt: skip
"""Of a record, in the order in which they are shown; after them come the sizes of `AS_GOOD`."""

AS_GOOD = ("jpeg-444", "webp", "avif")
"""Keys of `LOSSY` whose setting is a quality 0 .. 100."""


@dataclass(frozen=True)
class WholeProcess(Job):
    """One picture through `nfcodec encode`, `decode` and `verify`.

    Attributes:
        field, transform: as the command line has them; a record also has the family that was used.
        target_db: the PSNR.
        crop, side: centre crop, and the side of the centre square that is resized; 0 for none.
        gray: one channel.
        more: further arguments of `nfcodec encode`.
    """

    field: str
    transform: str
    target_db: float
    crop: int = 0
    side: int = 0
    gray: bool = False
    more: tuple[str, ...] = ()

    study: ClassVar[str] = "table"

    def load(self, path: Path) -> Bytes:
        return np.asarray(prepared(path, crop=self.crop, side=self.side, gray=self.gray))

    def run(self, picture: Bytes) -> Row:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = folder / "in.png"
            Image.fromarray(picture).save(source)
            row = self._ours(source, folder)
            row["webp_bytes"] = len(LOSSLESS["webp"].encode(picture)[0])
            row["as_good"] = {codec: _as_good(codec, picture, self.target_db, source, folder) for codec in AS_GOOD}
        return row

    def _ours(self, source: Path, folder: Path) -> Row:
        options = ["--field", self.field, "--transform", self.transform, "--psnr", str(self.target_db), *self.more]
        files = ours_as_processes(source, folder, options)
        verify = ["verify", str(files.encoded), "--reference", str(source), "--json"]
        verified = json.loads(nfcodec_process(verify).out)
        return {**files.row, "verified": verified["ok"] and verified["reached"]}


class Files(NamedTuple):
    """What `nfcodec encode` and `decode` wrote, and what a record says of it: the report, seconds and peak memory."""

    encoded: Path
    decoded: Path
    row: Row


def ours_as_processes(source: Path, folder: Path, options: list[str]) -> Files:
    """Encode a picture's file with these options of `nfcodec encode`, and decode it, in processes that are measured."""
    out, back = folder / "out.nfc", folder / "back.png"
    encoding = nfcodec_process(["encode", str(source), str(out), "-f", "-q", "--json", *options])
    decoding = nfcodec_process(["decode", str(out), str(back), "-f"])
    report = json.loads(encoding.out)
    keys = ("bytes", "bpp", "psnr_db", "reached", "steps", "fit_steps", "parameters", "engine", "png_bytes")
    row = {
        "family": report["field"], **{key: report[key] for key in keys}, "bound_bytes": report["bound_bytes"],
        "encode_seconds": round(encoding.seconds, 3), "decode_seconds": round(decoding.seconds, 3),
        "encode_cpu_seconds": round(encoding.cpu_seconds, 3),
        "MB": round(encoding.megabytes, 1), "decode_MB": round(decoding.megabytes, 1),
    }  # fmt: skip
    return Files(out, back, row)


def _as_good(codec: str, picture: Bytes, target_db: float, source: Path, folder: Path) -> Row | None:
    """Another codec at the lowest quality that reaches the PSNR, as whole processes; None if none does."""
    quality = lowest_quality(picture, target_db, LOSSY[codec])
    if quality is None:
        return None
    out, back, module = folder / "out.rival", folder / "back.png", "benchmarks.rates.rival_process"
    encoding = process(module, [str(source), str(out), json.dumps(LOSSY[codec].at(quality).options)])
    decoding = process(module, [str(out), str(back), json.dumps({"compress_level": 1})])
    with Image.open(back) as image:
        decoded = like(picture, image)
    return {
        "quality": quality, "bytes": out.stat().st_size, "psnr_db": round(psnr_db(picture, decoded, 255), 4),
        "encode_seconds": round(encoding.seconds, 3), "decode_seconds": round(decoding.seconds, 3),
        "MB": round(encoding.megabytes, 1), "decode_MB": round(decoding.megabytes, 1),
    }  # fmt: skip


def line(row: Row) -> str:
    """A record's cells, in the order of `COLUMNS` and `AS_GOOD`."""
    others = (row["as_good"][codec] for codec in AS_GOOD)
    cells = [*(row[column] for column in COLUMNS), *(other and other["bytes"] for other in others)]
    return " | ".join(map(_shown, cells))


def _shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "-" if value is None else str(value)
