"""Whole processes that encode and decode, start-up included, with their peak memory."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.data.pictures import prepared
from benchmarks.records.measured import nfcodec_process
from benchmarks.records.store import Row
from nfcodec.codec import EncodeOptions, encode
from nfcodec.fields import Siren
from nfcodec.raster import Raster, Samples

SQUARE = 512
"""Side of the gray square."""


def encodes(path: Path, large: Path | None, square: int = SQUARE) -> Iterator[Row]:
    """Of a picture at two targets, of its gray square, and of a large picture, which is held against the first row."""
    with tempfile.TemporaryDirectory() as folder:
        gray, out = Path(folder) / "gray.png", Path(folder) / "out.nfc"
        prepared(path, side=square, gray=True).save(gray)
        first = _encode(path, path.stem, out, 40)
        yield first
        yield _encode(path, path.stem, out, 50)
        yield _encode(gray, f"{path.stem}, {square} x {square} gray", out, 50)
        if large:
            row = _encode(large, large.stem, out, 40)
            yield row
            ratio = row["seconds_per_megapixel"] / first["seconds_per_megapixel"]
            yield {"part": "encode", "image": f"large over {path.stem}, per megapixel", "ratio": ratio}


def decodes(path: Path, rounds: int, square: int = SQUARE) -> Iterator[Row]:
    """Of a picture's default file, and of a SIREN of the paper's width."""
    with tempfile.TemporaryDirectory() as folder:
        color, siren, out = (Path(folder) / name for name in ("color.nfc", "siren.nfc", "out.png"))
        nfcodec_process(["encode", str(path), str(color), "-f", "-q"])
        siren.write_bytes(_siren_file(np.asarray(prepared(path, side=square, gray=True))[:, :, None]))
        name = f"{square} x {square} gray, siren of width {square}"
        for label, file in ((f"{path.stem}, default field", color), (name, siren)):
            runs = [nfcodec_process(["decode", str(file), str(out), "-f", "-q"]) for _ in range(rounds)]
            seconds = [each.seconds for each in runs]
            yield {
                "part": "decode", "file": label, "seconds": statistics.median(seconds), "fastest": min(seconds),
                "MB": max(each.megabytes for each in runs),
            }  # fmt: skip


def _encode(path: Path, name: str, out: Path, psnr_db: int) -> Row:
    target = ["--psnr", str(psnr_db)]
    done = nfcodec_process(["encode", str(path), str(out), "-f", "-q", "--json", *target])
    report = json.loads(done.out)
    keys = ("bytes", "bpp", "psnr_db", "steps", "fit_seconds", "engine")
    return {
        "part": "encode", "image": name, "options": " ".join(target), "seconds": done.seconds, "MB": done.megabytes,
        **{key: report[key] for key in keys}, "seconds_per_megapixel": done.seconds / (report["pixels"] / 1e6),
    }  # fmt: skip


def _siren_file(samples: Samples) -> bytes:
    """A SIREN as wide as the square, hardly fitted: decoding takes the same time for any weights."""
    field = Siren(samples.shape[0])
    options = EncodeOptions(psnr_db=50.0, field=field, max_steps=1, effort=1, best_effort=True)
    return encode(Raster(samples, None), options).data
