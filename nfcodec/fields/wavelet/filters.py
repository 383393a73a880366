"""The filters that ship with the package: the first layer of a network that restores what quantization took.

128 filters of 5 x 5 pixels and up to 3 features, with biases in quantizer steps of the wavelet level that they read. A
file uses the first so many of them, and has a second layer of its own. benchmarks/train_filters.py made the weights;
files depend on them, so they never change. docs/format.md, section 3.3, is the normative text.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError

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
