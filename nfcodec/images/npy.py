"""NumPy's .npy files as pictures, read without trusting the header's sizes."""

from __future__ import annotations

import io

import numpy as np

from nfcodec.errors import ImageReadError, UsageError
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.raster import Raster, is_of_samples

MAGIC = b"\x93NUMPY"


def read(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Raster:
    """Read an array (H, W) or (H, W, 1 to 4) of a type that `raster.samples_of` takes; nothing is ever unpickled.

    NumPy's exceptions for a damaged header come through.

    Raises:
        ImageReadError: another kind of array, floats that are not in [0, 1], or not exactly as many samples as the
            header says.
        LimitError: the picture is over the limits.
    """
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ImageReadError("unknown version of the .npy format", code="unknown")
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read_header(file)
    fits = len(shape) in (2, 3) and min(shape) >= 1 and max(shape[2:], default=1) <= 4
    if not fits or not is_of_samples(dtype):
        raise ImageReadError(
            "an image array is (H, W) or (H, W, 1 to 4), uint8, uint16, bool, or floats from 0 to 1; this one is"
            f" {shape} {dtype.name}",
            code="array",
        )
    limits.check_geometry(shape[1], shape[0])
    payload = data[file.tell() :]
    if len(payload) != int(np.prod(shape)) * dtype.itemsize:
        raise ImageReadError("the array is truncated or followed by other data", code="damaged")
    array = np.frombuffer(payload, dtype).reshape(shape, order="F" if fortran_order else "C")
    try:
        return Raster.from_array(array)
    except UsageError as error:  # floats outside of [0, 1]
        raise ImageReadError(str(error), code="array") from error


def write(raster: Raster) -> bytes:
    """Return the array `raster.to_array()` as .npy, format version 1.0."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, raster.to_array(), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()
