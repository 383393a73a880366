"""The effect of a field's filters without the linear map beside them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.wavelet.field import Wavelet


def filters_alone(field: Wavelet, geometry: Geometry, weights: Mapping[str, Quantized]) -> npt.NDArray[np.int64]:
    """The exact outputs (H * W, C), in units of 2^-24, with a linear map and a bias of zeros."""
    channels = geometry.channels
    nothing = {
        "skip": Quantized(np.zeros((channels, channels), np.int64), Step(128, -7)),
        "bias_out": Quantized(np.zeros(channels, np.int64), Step(128, -7)),
    }
    return field.evaluate(geometry, {**weights, **nothing})
