"""What the speed benchmarks fit, and how they time and print."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from benchmarks.data.pictures import Bytes, prepared
from nfcodec.fields import Field, Geometry, Role
from nfcodec.raster import Samples

PRODUCT_SIDE = 2048


def picture(source: Bytes, side: int = 0, *, gray: bool = False) -> Samples:
    """A picture (H, W, C) made of an RGB one (H, W, 3); with a side, the centre square resized."""
    samples = np.asarray(prepared(Image.fromarray(source), side=side, gray=gray))
    return samples[:, :, None] if samples.ndim == 2 else samples


def matrix_flops(field: Field, geometry: Geometry) -> int:
    """Operations of a step's matrix products: forward, and the gradients of inputs and of weights."""
    matrices = [tensor for tensor in field.layout(geometry) if tensor.role is Role.MATRIX]
    return 6 * geometry.n_pixels * sum(tensor.size for tensor in matrices)


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def fp32_rate() -> float:
    """FLOP/s of a large fp32 matrix product on all cores, the better of numpy's and torch's."""
    a = np.random.default_rng(0).standard_normal((PRODUCT_SIDE, PRODUCT_SIDE), np.float32)
    b = torch.from_numpy(a)
    return max(_rate(lambda: a @ a), _rate(lambda: b @ b))


def fp64_rate() -> float:
    """FLOP/s of a large fp64 matrix product of numpy's on all cores."""
    a: npt.NDArray[np.float64] = np.random.default_rng(0).standard_normal((PRODUCT_SIDE, PRODUCT_SIDE))
    return _rate(lambda: a @ a)


def _rate(product: Callable[[], object]) -> float:
    product()
    return 2 * PRODUCT_SIDE**3 / min(seconds(product) for _ in range(3))
