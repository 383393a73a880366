"""Coding what a field left over, sample by sample, so that a file is without loss.

A channel's residuals come in the four passes of dense levels. Their context is the mean magnitude of known residuals
around, and where the field's output lies between the thresholds of its sample, for it says more than the sample alone:
an output close to the upper threshold makes a positive residual more likely. That is symmetric, so both halves share
their statistics, with the sign reversed. docs/reference/format.md, "The residual", is the normative text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nfcodec.coding.adaptive import AdaptiveModel
from nfcodec.coding.entropy import Decoder, Encoder, Int64Array
from nfcodec.coding.levels import CLASS_SCALES, neighbour_runs, passes_cost
from nfcodec.exact.part import SymbolCoder
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader, put_varint

Places = npt.NDArray[np.int8]

_BELOW, _ABOVE = 8, 9
_CONTEXT = np.array([0, 1, 2, 3, 3, 2, 1, 0, 4, 4])
_SIGN = np.array([1, 1, 1, 1, -1, -1, -1, -1, 1, -1])
_N_CONTEXTS = 5


def encode_residual(residual: Int64Array, places: Places) -> bytes:
    """The RESD payload of residuals (H, W, C).

    Args:
        places: (H, W, C), see `ValueMap.places`.
    """
    limits = [int(np.abs(residual[:, :, c]).max()) for c in range(residual.shape[2])]
    encoder = Encoder()
    _code(encoder, limits, places, residual)
    return b"".join(put_varint(limit) for limit in limits) + encoder.finish()


def decode_residual(payload: bytes, places: Places, peak: int) -> Int64Array:
    """The inverse: residuals (H, W, C), of magnitudes up to the peak. Raises FormatError."""
    reader = ByteReader(payload, "the residual")
    limits = [reader.varint(peak) for _ in range(places.shape[2])]
    decoder = Decoder(reader.rest())
    residual = _code(decoder, limits, places, None)
    decoder.finish()
    return residual


def residual_cost(payload: bytes, n_pixels: int, channels: int, peak: int) -> Cost:
    """What `decode_residual` takes; the residuals are kept. Raises FormatError."""
    reader = ByteReader(payload, "the residual")
    limits = [reader.varint(peak) for _ in range(channels)]
    passes = passes_cost(n_pixels, limits, 2 * _N_CONTEXTS * len(CLASS_SCALES))
    return Cost(kept_bytes=8 * n_pixels * channels).then(passes)


def _code(coder: SymbolCoder, limits: list[int], places: Places, residual: Int64Array | None) -> Int64Array:
    out = np.zeros(places.shape, np.int64)
    for c, limit in enumerate(limits):
        model = AdaptiveModel(limit, CLASS_SCALES * (2 * _N_CONTEXTS))
        for run in neighbour_runs(out, c, limit):
            place = places[:, :, c][run.place].reshape(-1)
            contexts = run.contexts.reshape(-1) + 2 * len(CLASS_SCALES) * _CONTEXT[place]
            sign = _SIGN[place]
            chosen = None if residual is None else residual[:, :, c][run.place].reshape(-1) * sign
            run.put(model.code(coder, contexts, chosen) * sign)
    return out
