"""The networks that predict each wavelet coefficient from those before it: shipped weights, integer arithmetic.

There is one for each orientation of a band, kind of feature (the first, the second, later ones) and pass of the coding
order. Inputs are magnitudes on a logarithmic scale, with their signs, and slopes of the picture that the coarser bands
make; outputs are the location and the scale of a Laplace distribution. `python -m benchmarks train contexts` made
the weights; files depend on them, so they never change. docs/reference/format.md, "Context networks", is the normative
text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import SymbolArray
from nfcodec.fields.wavelet.transform import HH, HL, LH, LL
from nfcodec.kernels import flat_in_fours, fours
from nfcodec.lazy import kept

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
AnyFloats = npt.NDArray[Any]
Int32Array = npt.NDArray[np.int32]

N_ORIENTATIONS, N_KINDS, N_PASSES = 4, 3, 4

PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""The parity, (row, column), of each pass's coefficients in their band."""

WINDOW = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if (dy, dx) != (0, 0)]
AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
CROSS = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]

Offset = tuple[int, int]


ALONG_X, ALONG_Y = 0, 1


def _places(along: int, rows: tuple[int, ...], cols: tuple[int, ...]) -> list[tuple[int, Offset]]:
    return [(along, (dy, dx)) for dy in rows for dx in cols]


SLOPES: dict[int, list[tuple[int, Offset]]] = {
    HL: _places(ALONG_X, (-1, 0, 1), (-1, 0, 1)),
    LH: _places(ALONG_Y, (-1, 0, 1), (-1, 0, 1)),
    HH: _places(ALONG_X, (0, 1), (-1, 0, 1)) + _places(ALONG_Y, (-1, 0, 1), (0, 1)),
    LL: [],
}
"""Slopes of the smooth picture that are inputs: their direction, and from which place, relative to a coefficient, they
lead to the next one.
"""

N_SCALARS = 3

INPUT_BITS = 5
WEIGHT_BITS = 10
HIDDEN_BITS = 8
OUTPUT_BITS = 3

REGIME_ORIGIN = 88
"""The regime, 0 .. 255, of a quantizer step 2^-5."""

LARGEST_INPUT = 768
"""32 log2 of the largest magnitude of a symbol; slopes and scalars are smaller."""

FEW = 1 << 10
"""Logarithms of magnitudes up to this are looked up."""

HIDDEN = 32
"""The width that there are compiled loops for."""

_MAX_LOCATION = 1 << 27
_BLOB = "contexts.bin"


def known_before(index: int) -> list[tuple[int, int]]:
    """The neighbours in the same band, as (dy, dx), whose pass comes before pass `index`."""
    row, col = PASSES[index]
    return [(dy, dx) for dy, dx in WINDOW if PASSES.index(((row + dy) % 2, (col + dx) % 2)) < index]


def n_inputs(orientation: int, kind: int, index: int) -> int:
    """How many inputs the network of an orientation, a kind of feature and a pass has."""
    details = 0 if orientation == LL else (1 + orientation) * len(AROUND)
    features = (0, len(AROUND), len(AROUND) + len(CROSS))[kind]
    return len(known_before(index)) + details + features + len(SLOPES[orientation]) + N_SCALARS


class Layers(NamedTuple):
    """Weights, flat (out, in), and offsets of three layers, all sides padded with zeros to multiples of four.

    The second and third have a row behind their outputs that bounds what the sums come to; `limits` of the two say from
    where on float32 would not be exact.
    """

    weight0: Singles
    offset0: Singles
    weight1: Singles
    offset1: Singles
    weight2: Singles
    offset2: Singles
    limits: Singles


class _Layer:
    """A matrix and an offset, in units such that a sum only needs to be rounded down, and a bound beside the sums.

    For inputs (in, n) the product has a row more than the layer has outputs, the last: a bound on the magnitude of
    every sum and partial sum in that column. While it is under `limit`, sums in float32 are exact.

    Args:
        before, after: bits behind the point of inputs and outputs.
        largest_input: inputs of either sign have no larger magnitude, and the bound is the same for all of them; None
            for inputs that are not negative, of which each column has a bound of its own.
    """

    def __init__(
        self, weight: Floats, bias: Floats, before: int, after: int, largest_input: float | None = None
    ) -> None:
        unit = 2.0 ** (after - before - WEIGHT_BITS)
        magnitudes, bound = np.abs(weight), np.abs(bias).max() * 2.0 ** (after - WEIGHT_BITS) + 1
        bounding = magnitudes.max(axis=0, keepdims=True)
        if largest_input is not None:
            bound += largest_input * magnitudes.sum(axis=1).max() * unit
            bounding = np.zeros_like(bounding)
        matrix = np.concatenate([weight, bounding]) * unit
        offset = np.append(bias * 2.0 ** (after - WEIGHT_BITS) + 0.5, bound)
        self.matrix, self.offset = matrix, offset[:, None]
        self.limit = 0.999 * unit * 2.0**24  # the bound itself is not exact
        self.single = matrix.astype(np.float32), self.offset.astype(np.float32)


@dataclass(frozen=True)
class Network:
    """Weights in units of 2^-10: (out, in) and (out,) of two hidden layers and the output (location, scale)."""

    weights: tuple[Floats, Floats, Floats]
    biases: tuple[Floats, Floats, Floats]

    @kept
    def _layers(self) -> list[_Layer]:
        units = (INPUT_BITS, HIDDEN_BITS, HIDDEN_BITS, OUTPUT_BITS)
        pairs = zip(self.weights, self.biases, pairwise(units), (LARGEST_INPUT, None, None), strict=True)
        return [_Layer(weight, bias, *around, largest) for weight, bias, around, largest in pairs]

    def predict(self, inputs: Singles) -> tuple[Int32Array, Int32Array]:
        """Locations, in eighths, and log2 of scales, in eighths, for inputs (n_inputs, n) in units of 2^-5.

        Every number is an integer. In float64 they are far under 2^53 for inputs from symbols up to 2^24, so that the
        result is exact in any order of summation. Nearly all are small enough for float32, too, and the columns where
        one might not be are computed again.
        """
        out, beyond = self._evaluated(inputs, single=True)
        if beyond.any():
            columns = np.flatnonzero(beyond)
            out = out.astype(np.float64)
            out[:, columns], _ = self._evaluated(inputs[:, columns].astype(np.float64), single=False)
        return _as_integers(out)

    def predict_exactly(self, inputs: Singles) -> tuple[Int32Array, Int32Array]:
        """The same as `predict`, all in float64."""
        out, _ = self._evaluated(inputs.astype(np.float64), single=False)
        return _as_integers(out)

    def compiled_layers(self, scalars: Sequence[int]) -> tuple[int, Layers] | None:
        """What `prediction_kernels` need of the network, and how many inputs they are to make room for.

        Args:
            scalars: the last inputs, the same for all coefficients; they become part of the first layer's offset.

        Returns:
            None where float32 might not be exact in the first layer, which they take for granted.
        """
        first, second, third = self._layers
        n_inputs, n_scalars = self.weights[0].shape[1], len(scalars)
        if first.offset[-1, 0] >= first.limit or len(self.weights[0]) != HIDDEN:
            return None
        offset0 = first.offset[:-1, 0] + first.matrix[:-1, n_inputs - n_scalars :] @ np.array(scalars, np.float64)
        arrays = (
            first.matrix[:-1, : n_inputs - n_scalars], offset0, second.matrix, second.offset[:, 0], third.matrix,
            third.offset[:, 0], np.array([second.limit, third.limit]),
        )  # fmt: skip
        layers = Layers(*(flat_in_fours(array.astype(np.float32)) for array in arrays))
        return fours(n_inputs - n_scalars), layers

    def _evaluated(self, x: AnyFloats, *, single: bool) -> tuple[AnyFloats, npt.NDArray[np.bool_]]:
        """The outputs (2, n), and which columns float32 would not be exact in."""
        beyond = np.zeros(x.shape[1], np.bool_)
        for i, layer in enumerate(self._layers):
            matrix, offset = layer.single if single else (layer.matrix, layer.offset)
            x = matrix @ x
            x += offset
            beyond |= x[-1] >= layer.limit
            x = x[:-1]
            np.floor(x, out=x)
            if i < 2:
                np.maximum(x, 0, out=x)
        return x, beyond


def _as_integers(out: AnyFloats) -> tuple[Int32Array, Int32Array]:
    locations = np.clip(out[0], -_MAX_LOCATION, _MAX_LOCATION)
    return locations.astype(np.int32), np.clip(out[1], -1024, 1024).astype(np.int32)


def signed_log(symbols: SymbolArray) -> Singles:
    """sign(v) log2(1 + |v|), the logarithm linear between powers of two, in units of 2^-5, rounded down."""
    if symbols.size and symbols.min() >= -FEW and symbols.max() <= FEW:
        return _logs_of_few().take(symbols + FEW)
    return _signed_log(symbols)


@cache
def _logs_of_few() -> Singles:
    return _signed_log(np.arange(-FEW, FEW + 1))


def _signed_log(symbols: SymbolArray) -> Singles:
    magnitude = np.abs(symbols) + 1
    exponent = np.frexp(magnitude.astype(np.float64))[1].astype(np.int64) - 1
    log = ((exponent - 1) << INPUT_BITS) + ((magnitude << INPUT_BITS) >> exponent)
    return np.where(symbols < 0, -log, log).astype(np.float32)


def scalars(level: int, n_levels: int, orientation: int, regime: int) -> list[int]:
    """The inputs that a whole band shares: coarseness, whether it is of the finest level, and the regime."""
    coarseness = n_levels if orientation == LL else level - 1
    return [11 * min(coarseness, 3), 32 * (coarseness == 0), regime - REGIME_ORIGIN]


@cache
def networks() -> dict[tuple[int, int, int], Network]:
    """All networks, by (orientation, kind, pass). Raises FormatError if the installed weights are damaged."""
    return unpack_networks(files("nfcodec.fields.wavelet").joinpath(_BLOB).read_bytes())


def unpack_networks(blob: bytes) -> dict[tuple[int, int, int], Network]:
    """Networks from little-endian int16: the hidden width, then each network's W0, b0, W1, b1, W2, b2.

    Raises:
        FormatError: there are too few bytes for the width, or too many.
    """
    if not blob or len(blob) % 2:
        raise FormatError("the context networks are damaged")
    values = np.frombuffer(blob, "<i2").astype(np.float64)
    hidden, at = int(values[0]), 1
    found: dict[tuple[int, int, int], Network] = {}

    def take(*shape: int) -> Floats:
        nonlocal at
        n = int(np.prod(shape))
        if hidden < 1 or at + n > len(values):
            raise FormatError("the context networks are damaged")
        at += n
        return values[at - n : at].reshape(shape)

    for orientation in range(N_ORIENTATIONS):
        for kind in range(N_KINDS):
            for index in range(N_PASSES):
                sizes = [n_inputs(orientation, kind, index), hidden, hidden, 2]
                pairs = [(take(sizes[i + 1], sizes[i]), take(sizes[i + 1])) for i in range(3)]
                weights, biases = zip(*pairs, strict=True)
                found[orientation, kind, index] = Network(weights, biases)
    if at != len(values):
        raise FormatError("the context networks are damaged")
    return found
