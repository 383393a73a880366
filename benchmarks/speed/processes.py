"""Whole processes that encode and decode, start-up included, with their peak memory."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.data.pictures import Bytes, prepared
from benchmarks.records.measured import nfcodec_process
from benchmarks.records.store import Row
from benchmarks.speed.workloads import picture
from nfcodec.codec import EncodeOptions, encode
from nfcodec.fields import Siren
from nfcodec.raster import Raster, Samples

SQUARE = 512
"""Side of the gray square."""


def encodes(source: Bytes, square: int = SQUARE) -> Iterator[Row]:
    """Of an RGB picture at two targets, and of its gray square."""
    with tempfile.TemporaryDirectory() as folder:
        whole, gray, out = (Path(folder) / name for name in ("whole.png", "gray.png", "out.nfc"))
        prepared(Image.fromarray(source)).save(whole)
        prepared(Image.fromarray(source), side=square, gray=True).save(gray)
        yield _encode(whole, "whole picture", out, 40)
        yield _encode(whole, "whole picture", out, 50)
        yield _encode(gray, f"{square} x {square} gray", out, 50)


def decodes(source: Bytes, rounds: int, square: int = SQUARE) -> Iterator[Row]:
    """Of an RGB picture's default file, and of a SIREN of the paper's width."""
    with tempfile.TemporaryDirectory() as folder:
        whole, color, siren, out = (Path(folder) / name for name in ("whole.png", "color.nfc", "siren.nfc", "out.png"))
        prepared(Image.fromarray(source)).save(whole)
        nfcodec_process(["encode", str(whole), str(color), "-f", "-q"])
        siren.write_bytes(_siren_file(picture(source, square, gray=True)))
        name = f"{square} x {square} gray, siren of width {square}"
        for label, file in (("whole picture, default field", color), (name, siren)):
            runs = [nfcodec_process(["decode", str(file), str(out), "-f", "-q"]) for _ in range(rounds)]
            seconds = [each.seconds for each in runs]
            yield {
                "file": label, "seconds": statistics.median(seconds), "fastest": min(seconds),
                "MB": max(each.megabytes for each in runs),
            }  # fmt: skip


def _encode(path: Path, name: str, out: Path, psnr_db: int) -> Row:
    target = ["--psnr", str(psnr_db)]
    done = nfcodec_process(["encode", str(path), str(out), "-f", "-q", "--json", *target])
    report = json.loads(done.out)
    keys = ("bytes", "bpp", "psnr_db", "steps", "fit_seconds", "engine")
    return {
        "of": name, "options": " ".join(target), "seconds": done.seconds, "MB": done.megabytes,
        "family": report["field"], **{key: report[key] for key in keys},
        "seconds_per_megapixel": done.seconds / (report["pixels"] / 1e6),
    }  # fmt: skip


def _siren_file(samples: Samples) -> bytes:
    """A SIREN as wide as the square, hardly fitted: decoding takes the same time for any weights."""
    field = Siren(samples.shape[0])
    options = EncodeOptions(psnr_db=50.0, field=field, max_steps=1, effort=1, best_effort=True)
    return encode(Raster(samples, None), options).data
