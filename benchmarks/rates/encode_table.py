"""Pictures encoded and decoded through the command line, as whole processes: one row a run.

Bytes are those of the files; seconds and peak memory are of whole processes, start-up included; `xWebP` is the size
of a lossless WebP over ours; `xbound` is our size over the rate-distortion bound of the permuted picture's colours.
`jpeg_lossy` (4:4:4), `webp_lossy` and `avif_lossy` (4:4:4, speed 4) are the sizes at the lowest quality setting that
reaches the same PSNR. `benchmarks.rates.codecs` has all options.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.data.pictures import Bytes
from benchmarks.rates.codecs import LOSSLESS, LOSSY, Lossy
from benchmarks.records.measured import nfcodec_process

COLUMNS = (
    "image", "field", "transform", "target", "psnr", "fit_steps", "steps", "bytes", "bpp", "encode_s", "decode_s", "MB",
    "png", "webp", "xWebP", "bound", "xbound", "jpeg_lossy", "webp_lossy", "avif_lossy",
)  # fmt: skip

AS_GOOD = {"jpeg_lossy": "jpeg-444", "webp_lossy": "webp", "avif_lossy": "avif"}
"""Keys of `LOSSY` whose setting is a quality 0 .. 100, by column."""


def lossy_bytes(picture: Bytes, psnr_db: float, rival: Lossy) -> int | None:
    """The size at the lowest quality (0 .. 100) whose PSNR reaches the target; None if none does."""
    original, mode = picture.astype(np.float64), "L" if picture.ndim == 2 else "RGB"
    found, low, high = None, 0, 100
    while low <= high:
        quality = (low + high) // 2
        codec = rival.at(quality)
        data, _ = codec.encode(picture)
        decoded = np.asarray(codec.decode(data).convert(mode), np.float64)
        if np.mean((decoded - original) ** 2) * 10 ** (psnr_db / 10) <= 255**2:
            found, high = len(data), quality - 1
        else:
            low = quality + 1
    return found


def measure(source: Path, name: str, field: str, transform: str, psnr_db: float, more: list[str]) -> dict[str, Any]:
    """One row; files are written beside the source.

    Args:
        source: a PNG.
        name: of the picture, for people.
        more: further arguments of `nfcodec encode`.
    """
    out, back = source.with_suffix(".nfc"), source.with_name("out.png")
    options = ["--field", field, "--transform", transform, "--psnr", str(psnr_db), "-f", "-q", "--json", *more]
    encoding = nfcodec_process(["encode", str(source), str(out), *options])
    decoding = nfcodec_process(["decode", str(out), str(back), "-f"])
    report = json.loads(encoding.out)
    verified = json.loads(nfcodec_process(["verify", str(out), "--reference", str(source), "--json"]).out)
    with Image.open(source) as image:
        picture = np.asarray(image)
    webp, bound = len(LOSSLESS["webp"].encode(picture)[0]), report["bound_bytes"]
    report.pop("path")
    return {
        **report, "image": name, "target": psnr_db, "psnr": report["psnr_db"], "encode_s": encoding.seconds,
        "decode_s": decoding.seconds, "MB": encoding.megabytes, "png": report["png_bytes"], "webp": webp,
        "xWebP": webp / report["bytes"], "bound": bound, "xbound": bound and report["bytes"] / bound,
        **{column: lossy_bytes(picture, psnr_db, LOSSY[codec]) for column, codec in AS_GOOD.items()},
        "verified": verified["ok"] and verified["reached"],
    }  # fmt: skip


def line(row: dict[str, Any]) -> str:
    """A row's cells, in the order of `COLUMNS`."""
    return " | ".join(_shown(row[column]) for column in COLUMNS)


def _shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "-" if value is None else str(value)
