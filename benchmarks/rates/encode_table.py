"""Encode and decode pictures through the command line, as whole processes, and print one row a run.

    python -m benchmarks.encode_table --data FOLDER kodim05 kodim13 --transform none rpp --psnr 40 50

Bytes are those of the files; seconds and peak memory are of whole processes, start-up included; `xWebP` is the size
of a lossless WebP (method 6) over ours; `xbound` is our size over the rate-distortion bound of the permuted picture's
colours (see nfcodec/bounds.py). `jpeg_lossy` (4:4:4), `webp_lossy` (method 6) and `avif_lossy` (4:4:4, speed 4) are
the sizes at the lowest quality setting that reaches the same PSNR. Rows are also written, as
JSON lines, with `--json FILE`.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLUMNS = (
    "image",
    "field",
    "transform",
    "target",
    "psnr",
    "fit_steps",
    "steps",
    "bytes",
    "bpp",
    "encode_s",
    "decode_s",
    "MB",
)
MORE_COLUMNS = ("png", "webp", "xWebP", "bound", "xbound", "jpeg_lossy", "webp_lossy", "avif_lossy")


def run(arguments: list[str]) -> tuple[str, float, float]:
    """Run nfcodec as a process: its standard output, seconds, and peak memory in MB."""
    command = [sys.executable, "-m", "benchmarks.records.measured", sys.executable, "-m", "nfcodec", *arguments]
    row = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)
    if row["status"]:
        raise SystemExit(f"nfcodec {' '.join(arguments)} ended with {row['status']}")
    return row["out"], row["seconds"], row["MB"]


def webp_bytes(image: Image.Image) -> int:
    """The size of the picture as a lossless WebP."""
    buffer = io.BytesIO()
    image.save(buffer, "webp", lossless=True, method=6)
    return len(buffer.getvalue())


LOSSY = {
    "jpeg": {"format": "jpeg", "subsampling": 0, "optimize": True},
    "webp": {"format": "webp", "method": 6},
    "avif": {"format": "avif", "subsampling": "4:4:4", "speed": 4},
}


def lossy_bytes(image: Image.Image, psnr: float, options: dict[str, Any]) -> int | None:
    """The size at the lowest quality (0 .. 100) whose RGB PSNR reaches the target; None if none does."""
    original, found, low, high = np.asarray(image, np.float64), None, 0, 100
    while low <= high:
        buffer, quality = io.BytesIO(), (low + high) // 2
        image.save(buffer, quality=quality, **options)
        decoded = np.asarray(Image.open(buffer).convert(image.mode), np.float64)
        if np.mean((decoded - original) ** 2) * 10 ** (psnr / 10) <= 255**2:
            found, high = len(buffer.getvalue()), quality - 1
        else:
            low = quality + 1
    return found


def prepared(path: Path, arguments: argparse.Namespace, folder: Path) -> Path:
    """The picture as asked for: gray, a centre crop, or resized to a square (Lanczos)."""
    image = Image.open(path)
    image = image.convert("L" if arguments.gray else "RGB")
    width, height = image.size
    if arguments.crop:
        left, top = (width - arguments.crop) // 2, (height - arguments.crop) // 2
        image = image.crop((left, top, left + arguments.crop, top + arguments.crop))
    if arguments.side:
        shorter = min(image.size)
        left, top = (width - shorter) // 2, (height - shorter) // 2
        image = image.crop((left, top, left + shorter, top + shorter))
        image = image.resize((arguments.side, arguments.side), Image.Resampling.LANCZOS)
    image.save(folder / "in.png")
    return folder / "in.png"


def measure(source: Path, name: str, field: str, transform: str, psnr: float, more: list[str]) -> dict[str, Any]:
    """One row."""
    out = source.with_suffix(".nfc")
    options = ["--field", field, "--transform", transform, "--psnr", str(psnr), "-f", "-q", "--json", *more]
    text, encode_s, memory = run(["encode", str(source), str(out), *options])
    report = json.loads(text)
    _, decode_s, _ = run(["decode", str(out), str(source.with_name("out.png")), "-f"])
    verified = json.loads(run(["verify", str(out), "--reference", str(source), "--json"])[0])
    image = Image.open(source)
    webp, bound = webp_bytes(image), report["bound_bytes"]
    lossy = {f"{codec}_lossy": lossy_bytes(image, psnr, more) for codec, more in LOSSY.items()}
    return {
        **report, "image": name, "target": psnr, "psnr": report["psnr_db"], "encode_s": encode_s, "decode_s": decode_s,
        "MB": memory, "png": report["png_bytes"], "webp": webp, "xWebP": webp / report["bytes"], "bound": bound,
        "xbound": bound and report["bytes"] / bound, **lossy, "verified": verified["ok"] and verified["reached"],
    }  # fmt: skip


def shown(value: object) -> str:
    """A cell."""
    return f"{value:.2f}" if isinstance(value, float) else "-" if value is None else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="+", help="names of pictures in the folder, without suffix")
    parser.add_argument("--data", type=Path, default=os.environ.get("NFCODEC_DATA", "."), help="folder of pictures")
    parser.add_argument("--field", nargs="+", default=["ngp"])
    parser.add_argument("--transform", nargs="+", default=["none"])
    parser.add_argument("--psnr", nargs="+", type=float, default=[40.0])
    parser.add_argument("--crop", type=int, help="centre crop of this side")
    parser.add_argument("--side", type=int, help="centre square, resized to this side")
    parser.add_argument("--gray", action="store_true")
    parser.add_argument("--json", type=Path, help="also append the rows to this file")
    parser.add_argument("--more", nargs=argparse.REMAINDER, default=[], help="further options for nfcodec encode")
    arguments = parser.parse_args()
    columns = COLUMNS + MORE_COLUMNS
    print(" | ".join(columns), flush=True)
    for name, field, psnr, transform in itertools.product(
        arguments.images, arguments.field, arguments.psnr, arguments.transform
    ):
        with tempfile.TemporaryDirectory() as folder:
            source = prepared(Path(arguments.data) / f"{name}.png", arguments, Path(folder))
            row = measure(source, name, field, transform, psnr, arguments.more)
        print(" | ".join(shown(row[column]) for column in columns), flush=True)
        if arguments.json:
            row.pop("path")
            with arguments.json.open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
