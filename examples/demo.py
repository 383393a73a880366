"""Compress the sample picture to 40 dB, plain and with random pixel permutation, and decode it again."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

import nfcodec

SAMPLE = Path(__file__).parents[1] / "benchmarks" / "data" / "sample.png"
OUTPUT = Path("demo-output")
PSNR_DB = 40
TRANSFORMS = ("none", "rpp")


def psnr_db(a, b):
    error = float(np.mean((a.astype(float) - b.astype(float)) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def main() -> int:
    original = np.asarray(Image.open(SAMPLE).convert("RGB"))
    n_pixels = original.shape[0] * original.shape[1]
    png_bytes = SAMPLE.stat().st_size
    OUTPUT.mkdir(exist_ok=True)
    print(f"{SAMPLE.name}, {original.shape[1]}x{original.shape[0]} RGB; target {PSNR_DB} dB\n")
    print(f"{'transform':<10}{'PSNR/dB':>9}{'bytes':>9}{'bpp':>8}{'of PNG':>9}{'encode/s':>10}{'decode/s':>10}")
    print(f"{'PNG':<10}{'inf':>9}{png_bytes:>9}{8 * png_bytes / n_pixels:>8.2f}{'100 %':>9}", flush=True)
    missed = False
    for transform in TRANSFORMS:
        start = time.perf_counter()
        data = nfcodec.encode(original, psnr=PSNR_DB, transform=transform)
        encoded = time.perf_counter()
        decoded = np.asarray(nfcodec.decode(data))
        end = time.perf_counter()
        reached = psnr_db(original, decoded)
        missed |= reached < PSNR_DB
        (OUTPUT / f"sample-{transform}.nfc").write_bytes(data)
        Image.fromarray(decoded).save(OUTPUT / f"sample-{transform}.png")
        print(
            f"{transform:<10}{reached:>9.2f}{len(data):>9}{8 * len(data) / n_pixels:>8.2f}"
            f"{100 * len(data) / png_bytes:>7.0f} %{encoded - start:>10.1f}{end - encoded:>10.1f}",
            flush=True,
        )
    print(f"\nThe files and the decoded pictures are in {OUTPUT}/.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
