"""The filters that ship with the package: the first layer of a network that restores what quantization took.

128 filters of 5 x 5 pixels and up to 3 features, with biases in quantizer steps of the coefficients that they read. A
file uses the first so many of them, and has a second layer of its own. `python -m benchmarks train filters` made
the weights; files depend on them, so they never change. docs/reference/format.md, "Wavelets", is the normative text.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry

AnyArray = npt.NDArray[Any]

SIDE = 5
MAX_FEATURES = 3
MAX_FILTERS = 128
N_INPUTS = SIDE * SIDE * MAX_FEATURES
WEIGHT_BITS = 10
_BLOB = "filters.bin"


@cache
def filters() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Weights (128, 25, 3), of offsets in raster order and features, and biases (128,), in units of 2^-10.

    A filter's weights of one feature sum to 0. Raises FormatError if the installed ones are damaged.
    """
    blob = files("nfcodec.fields.wavelet").joinpath(_BLOB).read_bytes()
    if len(blob) != 2 * MAX_FILTERS * (N_INPUTS + 1):
        raise FormatError("the filters are damaged")
    rows = np.frombuffer(blob, "<i2").astype(np.int64).reshape(MAX_FILTERS, N_INPUTS + 1)
    return rows[:, :-1].reshape(MAX_FILTERS, SIDE * SIDE, MAX_FEATURES), rows[:, -1]


def shipped_layer(n_filters: int, n_features: int, step: Step) -> tuple[Quantized, Quantized]:
    """Weights (n_filters, 25 n_features) and biases of the first filters for coefficients with a quantizer step."""
    kernels, biases = filters()
    used = kernels[:n_filters, :, :n_features].reshape(n_filters, -1)
    bias_step = Step(step.mantissa, max(-128, step.exponent - WEIGHT_BITS))
    return Quantized(used, Step(128, -7 - WEIGHT_BITS)), Quantized(biases[:n_filters], bias_step)


def neighbourhoods(encoding_of: Callable[[int, int], AnyArray], start: int, stop: int, geometry: Geometry) -> AnyArray:
    """The encodings of the 5 x 5 pixels around each pixel of rows [start, stop), edges repeated.

    Args:
        encoding_of: gives those of some rows, (E, pixels).

    Returns:
        (25 E, pixels), offsets in raster order, then features.
    """
    margin = SIDE // 2
    first, last = max(0, start - margin), min(geometry.height, stop + margin)
    rows = encoding_of(first, last)
    square = rows.reshape(len(rows), last - first, geometry.width)
    missing = (first - (start - margin), (stop + margin) - last)
    framed = np.pad(square, ((0, 0), missing, (margin, margin)), mode="edge")
    n_rows, cols = stop - start, geometry.width
    parts = [framed[:, dy : dy + n_rows, dx : dx + cols] for dy in range(SIDE) for dx in range(SIDE)]
    return np.concatenate(parts).reshape(len(parts) * len(rows), -1)
