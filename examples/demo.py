"""The sample picture as four kinds of neural fields, as it is and permuted: a table of figures and a sheet of pictures.

Every picture is encoded to 40 dB at the default effort, decoded again and measured. The networks (siren, ngp) are
fitted by gradient steps, so they get a small gray version of the picture.
"""

from __future__ import annotations

import io
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import nfcodec
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain

SAMPLE = Path(__file__).parents[1] / "benchmarks" / "data" / "sample.png"
OUTPUT = Path("demo-output")
PSNR_DB = 40
SMALL_SIDE = 64
ENCODES = (  # whether the picture is the small one, field, transform
    (False, "wavelet", "none"),
    (False, "table", "rpp"),
    (True, "siren", "none"),
    (True, "siren", "rpp"),
    (True, "ngp", "none"),
    (True, "ngp", "rpp"),
)

COLUMN, ENLARGED, GAP, TEXT = 320, 200, 16, 15
"""Of the sheet, in pixels: the width of a column, how far small pictures are enlarged, the space around pictures, and
the height of letters."""

INTRODUCTION = f"""\
Each picture is encoded to {PSNR_DB} dB, decoded again from its file, and measured. "of PNG" compares the file with a
PNG of the same picture, which loses nothing. The transform rpp permutes the pixels before the fit, and the decoder
puts them back. A paper of 2024 found that networks may then need fewer gradient steps to fit a picture. It costs bytes,
since neighbours no longer tell anything about each other. The networks (siren, ngp) get a small picture, to keep this
short. The first encode of each field after the installation compiles its kernels, which is counted in its seconds.
"""


@dataclass(frozen=True)
class Result:
    """An encode, and what came of it.

    Attributes:
        permuted: the picture after the transform, which is what the field learns.
        fitted: how, in words.
    """

    original: Image.Image
    field: str
    transform: str
    permuted: Image.Image
    decoded: Image.Image
    data: bytes
    fitted: str
    psnr_db: float
    encode_s: float
    decode_s: float

    @property
    def size(self) -> str:
        return f"{self.original.width}x{self.original.height} {'gray' if self.original.mode == 'L' else 'RGB'}"


def main() -> int:
    with Image.open(SAMPLE) as opened:
        full = opened.convert("RGB")
    side = min(full.size)
    small = full.convert("L").crop((0, 0, side, side)).resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.LANCZOS)
    OUTPUT.mkdir(exist_ok=True)
    print(INTRODUCTION)
    print(f"{'picture':<12} {'field':<8} {'transform':<10}{'PSNR/dB':>8}{'bytes':>8}{'of PNG':>8}{'encode/s':>10}"
          f"{'decode/s':>10}  fitted", flush=True)  # fmt: skip
    results: list[Result] = []
    for is_small, field, transform in ENCODES:
        results.append(result := encode(small if is_small else full, field, transform))
        share = f"{100 * len(result.data) / png_bytes(result.original):.0f} %"
        print(f"{result.size:<12} {field:<8} {transform:<10}{result.psnr_db:>8.2f}{len(result.data):>8}{share:>8}"
              f"{result.encode_s:>10.1f}{result.decode_s:>10.1f}  {result.fitted}", flush=True)  # fmt: skip
        (OUTPUT / f"{field}-{transform}.nfc").write_bytes(result.data)
    sheet_of(results).save(OUTPUT / "pictures.png")
    print(f"\nThe pictures side by side are in {OUTPUT}/pictures.png, the encoded files beside it.")
    return 0 if all(result.psnr_db >= PSNR_DB for result in results) else 1


def encode(picture: Image.Image, field: str, transform: str) -> Result:
    """Encode a picture and decode it again."""
    start = time.perf_counter()
    encoded = nfcodec.encode_with_report(picture, psnr=PSNR_DB, field=field, transform=transform)
    middle = time.perf_counter()
    decoded = nfcodec.decode(encoded.data)
    end = time.perf_counter()
    return Result(
        picture, field, transform, permuted(picture, transform), decoded, encoded.data, encoded.report["fitted"],
        psnr_db(picture, decoded), middle - start, end - middle,
    )  # fmt: skip


def permuted(picture: Image.Image, transform: str) -> Image.Image:
    """The picture with its pixels where the field sees them."""
    raster = Raster.from_array(np.asarray(picture))
    chain = Chain.prepare(parse_chain(transform), raster.samples, 0)
    order = chain.order(raster.height, raster.width, chain.planes)
    samples = raster.samples.reshape(raster.n_pixels, -1)
    return Image.fromarray((samples if order is None else samples[order]).reshape(np.asarray(picture).shape))


def psnr_db(a: Image.Image, b: Image.Image) -> float:
    error = float(np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2))
    return 10 * math.log10(255**2 / error) if error else math.inf


def png_bytes(picture: Image.Image) -> int:
    file = io.BytesIO()
    picture.save(file, "png", optimize=True)
    return file.tell()


def sheet_of(results: list[Result]) -> Image.Image:
    """A row an encode: the original, what the field is fitted to, and what the file decodes to."""
    rows = [row_of(result) for result in results]
    sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def row_of(result: Result) -> Image.Image:
    """Three pictures with their labels, enlarged in whole pixels if they are small."""
    zoom = max(1, ENLARGED // max(result.original.size))
    width, height = (zoom * length for length in result.original.size)
    row = Image.new("RGB", (GAP + 3 * (COLUMN + GAP), GAP + 3 * TEXT + height + GAP), "white")
    draw, font = ImageDraw.Draw(row), ImageFont.load_default(TEXT)
    heading = f"{result.field}, transform {result.transform}: {result.fitted}"
    draw.text((GAP, GAP // 2), heading, "black", font)
    is_permuted = result.transform != "none"
    labels = (
        f"original, {result.size}, PNG: {png_bytes(result.original)} bytes",
        f"what is fitted: {'the pixels permuted' if is_permuted else 'the same'}",
        f"decoded: {len(result.data)} bytes, {result.psnr_db:.2f} dB",
    )
    pictures = (result.original, result.permuted, result.decoded)
    for i, (label, picture) in enumerate(zip(labels, pictures, strict=True)):
        left = GAP + i * (COLUMN + GAP)
        draw.text((left, GAP // 2 + 3 * TEXT // 2), label, "dimgray", font)
        row.paste(picture.resize((width, height), Image.Resampling.NEAREST), (left, GAP + 3 * TEXT))
    return row


if __name__ == "__main__":
    sys.exit(main())
