"""How long a file of the paper's size takes to decode: a SIREN as wide as a gray square."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data.pictures import Bytes
from benchmarks.records.measured import nfcodec_process
from benchmarks.records.store import Row
from benchmarks.speed.workloads import fp64_rate, picture
from nfcodec.codec import EncodeOptions, encode
from nfcodec.fields import Geometry, Siren
from nfcodec.raster import Raster, Samples

SQUARE = 512
"""Side of the gray square, and the SIREN's width."""


def rows(source: Bytes, rounds: int, square: int = SQUARE) -> Iterator[Row]:
    """One row: whole processes, and over the time of as many multiplications in fp64 products on all cores."""
    samples = picture(source, square, gray=True)
    field = Siren(square)
    geometry = Geometry(*samples.shape)
    flops = 2 * field.macs_per_pixel(geometry) * geometry.n_pixels
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "siren.nfc", Path(folder) / "out.png"
        file.write_bytes(_hardly_fitted(samples, field))
        products, runs = [flops / fp64_rate()], []
        for _ in range(rounds):
            runs.append(nfcodec_process(["decode", str(file), str(out), "-f", "-q"]))
            products.append(flops / fp64_rate())
    seconds = statistics.median(run.seconds for run in runs)
    limit = statistics.median(products)
    yield {
        "file": f"{square} x {square} gray, siren of width {square}", "seconds": seconds,
        "cpu_seconds": statistics.median(run.cpu_seconds for run in runs), "MB": max(run.megabytes for run in runs),
        "fp64_products_seconds": limit, "over_fp64_products": seconds / limit,
    }  # fmt: skip


def _hardly_fitted(samples: Samples, field: Siren) -> bytes:
    """A file after one step: decoding takes the same time for any weights that are as small."""
    options = EncodeOptions(psnr_db=50.0, field=field, max_steps=1, effort=1, best_effort=True)
    return encode(Raster(samples, None), options).data
