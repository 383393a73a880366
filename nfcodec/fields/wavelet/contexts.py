"""The networks that predict each wavelet coefficient from those before it: shipped weights, integer arithmetic.

There is one for each orientation of a band, kind of feature (the first, the second, later ones) and pass of the coding
order. Inputs are magnitudes on a logarithmic scale, with their signs, and slopes of the picture that the coarser bands
make; outputs are the location and the scale of a Laplace distribution. `python -m benchmarks train contexts` made
the weights; files depend on them, so they never change. docs/reference/format.md, "Context networks", is the normative
text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from nfcodec.coding.entropy import Int64Array
from nfcodec.errors import FormatError
from nfcodec.fields.wavelet.transform import HH, HL, LH, LL

Floats = npt.NDArray[np.float64]

N_ORIENTATIONS, N_KINDS, N_PASSES = 4, 3, 4

PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))
"""The parity, (row, column), of each pass's coefficients in their band."""

WINDOW = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if (dy, dx) != (0, 0)]
AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
CROSS = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]

Offset = tuple[int, int]


def _steps(rows: tuple[int, ...], cols: tuple[int, ...], dy: int, dx: int) -> list[tuple[Offset, Offset]]:
    return [((y + dy, x + dx), (y, x)) for y in rows for x in cols]


SLOPES: dict[int, list[tuple[Offset, Offset]]] = {
    HL: _steps((-1, 0, 1), (-1, 0, 1), 0, 1),
    LH: _steps((-1, 0, 1), (-1, 0, 1), 1, 0),
    HH: _steps((0, 1), (-1, 0, 1), 0, 1) + _steps((-1, 0, 1), (0, 1), 1, 0),
    LL: [],
}
"""Places in the smooth picture, relative to a coefficient, of which the first less the second is an input."""

N_SCALARS = 3

INPUT_BITS = 5
WEIGHT_BITS = 10
HIDDEN_BITS = 8
OUTPUT_BITS = 3

REGIME_ORIGIN = 88
"""The regime, 0 .. 255, of a quantizer step 2^-5."""

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


@dataclass(frozen=True)
class Network:
    """Weights in units of 2^-10: (out, in) and (out,) of two hidden layers and the output (location, scale)."""

    weights: tuple[Floats, Floats, Floats]
    biases: tuple[Floats, Floats, Floats]

    @cached_property
    def _scaled(self) -> list[tuple[Floats, Floats]]:
        """Each layer as a matrix and an offset, in units such that the sum only needs to be rounded down; exact."""
        units = (INPUT_BITS, HIDDEN_BITS, HIDDEN_BITS, OUTPUT_BITS)
        return [
            (weight * 2.0 ** (after - before - WEIGHT_BITS), bias[:, None] * 2.0 ** (after - WEIGHT_BITS) + 0.5)
            for weight, bias, (before, after) in zip(self.weights, self.biases, pairwise(units), strict=True)
        ]

    def predict(self, inputs: Floats) -> tuple[Int64Array, Int64Array]:
        """Locations, in eighths, and log2 of scales, in eighths, for inputs (n_inputs, n) in units of 2^-5.

        Every number is an integer in a float64, far under 2^53 for inputs from symbols up to 2^24: the result is exact
        in any order of summation.
        """
        x = inputs
        for i, (matrix, offset) in enumerate(self._scaled):
            x = matrix @ x
            x += offset
            np.floor(x, out=x)
            if i < 2:
                np.maximum(x, 0, out=x)
        locations = np.clip(x[0], -_MAX_LOCATION, _MAX_LOCATION)
        return locations.astype(np.int64), np.clip(x[1], -1024, 1024).astype(np.int64)


def signed_log(symbols: Int64Array) -> Floats:
    """sign(v) log2(1 + |v|), the logarithm linear between powers of two, in units of 2^-5, rounded down."""
    magnitude = np.abs(symbols) + 1
    exponent = np.frexp(magnitude.astype(np.float64))[1].astype(np.int64) - 1
    log = ((exponent - 1) << INPUT_BITS) + ((magnitude << INPUT_BITS) >> exponent)
    return np.where(symbols < 0, -log, log).astype(np.float64)


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
