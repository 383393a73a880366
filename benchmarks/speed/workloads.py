"""What the speed benchmarks fit, and how they time and print."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nfcodec.fields import OUTPUT_BITS, FieldSpec, Geometry
from nfcodec.fitting import Problem
from nfcodec.raster import Samples
from nfcodec.transforms import Chain, parse_chain


def picture(path: Path, side: int | None = None, *, gray: bool = False) -> Samples:
    """A picture (H, W, C); with a side, the centre square resized (Lanczos)."""
    image = Image.open(path).convert("L" if gray else "RGB")
    if side:
        shorter = min(image.size)
        left, top = (image.width - shorter) // 2, (image.height - shorter) // 2
        image = image.crop((left, top, left + shorter, top + shorter))
        image = image.resize((side, side), Image.Resampling.LANCZOS)
    samples = np.asarray(image)
    return samples[:, :, None] if samples.ndim == 2 else samples


def problem(samples: Samples, spec: FieldSpec, transform: str = "none") -> Problem:
    height, width, channels = samples.shape
    chain = Chain.prepare(parse_chain(transform), samples, 0)
    order = chain.order(height, width, chain.planes)
    flat = samples.reshape(-1, channels)
    value_map = chain.value_map(8, channels, OUTPUT_BITS)
    return Problem(spec, Geometry(height, width, channels), flat if order is None else flat[order], value_map)


def matrix_flops(spec: FieldSpec, geometry: Geometry) -> int:
    """Operations of a step's matrix products: forward, and the gradients of inputs and of weights."""
    matrices = [t for t in spec.layout(geometry) if not t.name.startswith(("level", "bias"))]
    return 6 * geometry.n_pixels * sum(tensor.size for tensor in matrices)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def print_row(row: dict[str, Any]) -> None:
    cells = (f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items())
    print(" | ".join(cells), flush=True)
