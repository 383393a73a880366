"""SIREN: a multilayer perceptron with sine activations (Sitzmann et al. 2020; Seo et al. 2024 for the defaults)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nfcodec import arguments
from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import OUTPUT_BITS, Affine, ExactArray, Quantized, Step, in_blocks, layers_cost
from nfcodec.exact.field import Field, Parameters, Role, Tensor, tiles_cost
from nfcodec.exact.geometry import Geometry, Place, part_of, whole
from nfcodec.exact.paired import Scratch
from nfcodec.exact.part import Part, Symbols
from nfcodec.fields.siren.payload import matrix_orders, matrix_parts
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader

PHASE_BITS = 16
"""Phases are integers modulo 2^16: one turn."""

SINE_BITS = 15
"""Sines are integers in units of 2^-15."""

OMEGA_0 = 30.0
"""The frequency factor of every sine layer while a field is fitted; a file holds the products with it."""

TURNS = OMEGA_0 / (2 * math.pi)

COORDINATE_BITS = 20
"""Coordinates in [-1, 1] are integers in units of 2^-20."""


SINE, PIXEL_BYTES, TABLE_BYTES = 5e-9, 100, 2 << 20
"""Work of a sine; memory of each pixel of a tile, and of the table of sines as it is made."""

AXIS_BYTES = 32
"""Memory of each row and column of the picture, as coordinates are made."""


@cache
def sine_table() -> ExactArray:
    """round(2^15 sin(2 pi i / 2^16)) for i = 0 .. 2^16 - 1, as integers in float64.

    No entry comes closer than 1e-5 to a tie, so any double-precision sine gives the same table.
    """
    turns = np.arange(1 << PHASE_BITS) / (1 << PHASE_BITS)
    return np.floor(np.sin(2 * np.pi * turns) * (1 << SINE_BITS) + 0.5)


def coordinates(n: int) -> ExactArray:
    """linspace(-1, 1, n), both ends included, as integers in units of 2^-20; 0 for n = 1.

    The i-th is floor(2^20 (2 i - (n - 1)) / (n - 1) + 1/2).
    """
    if n == 1:
        return np.zeros(1)
    numerator = (2 * np.arange(n, dtype=np.int64) - (n - 1)) << (COORDINATE_BITS + 1)
    return ((numerator + (n - 1)) // (2 * (n - 1))).astype(np.float64)


def lattice_coordinates(n: int) -> npt.NDArray[np.float64]:
    """The same coordinates as real numbers, for fits: linspace(-1, 1, n); 0 for n = 1."""
    return np.linspace(-1, 1, n) if n > 1 else np.zeros(1)


FIRST_FREQUENCY, FREQUENCY_BITS = 16, 5
"""The lowest frequency of a positional encoding: half a turn a unit, in units of 2^-5 turns."""

MAX_FREQUENCIES, MAX_WIDTH, MAX_HIDDEN_LAYERS = 16, 4096, 63


def positional_encoding(frequencies: int) -> tuple[Quantized, Quantized]:
    """Weight (4 F, 2) and bias (4 F,), in turns, of a sine layer that nobody trains (Mildenhall et al. 2020).

    Its rows are the sines of x at each frequency, from low to high, those of y, and the cosines likewise. One frequency
    is about 1.6 times the one before; all are multiples of 2^-5 turns.
    """
    rising = [FIRST_FREQUENCY]
    while len(rising) < frequencies:
        rising.append((8 * rising[-1] + 2) // 5)
    weight, bias = np.zeros((2, 2, frequencies, 2), np.int64), np.zeros((2, 2 * frequencies), np.int64)
    weight[:, 0, :, 0] = weight[:, 1, :, 1] = rising[:frequencies]
    bias[1] = 1  # a quarter turn
    return (
        Quantized(weight.reshape(-1, 2), Step(128, -7 - FREQUENCY_BITS)),
        Quantized(bias.reshape(-1), Step(128, -7 - 2)),
    )


@dataclass(frozen=True)
class Siren(Field):
    """2 -> width -> ... -> width -> C: one sine layer in, `hidden_layers` more, a linear layer out.

    With frequencies, the first layer is a positional encoding instead, no part of the file, and of the others each has
    two thirds of the neurons of the one before: `width`, two thirds of it, and so on.

    Attributes:
        width: neurons a layer, 1 .. 4096.
        hidden_layers: sine layers after the first, 0 .. 63 (the paper: 3).
        frequencies: of the positional encoding, 1 .. 16; 0 for none.
    """

    width: int
    hidden_layers: int = 3
    frequencies: int = 0

    wire_id: ClassVar[int] = 1
    counterparts: ClassVar[Mapping[str, str]] = {
        "cuda": "nfcodec.fields.siren.cuda:FlatSiren",
        "numba": "nfcodec.fields.siren.numba:SirenProgram",
        "torch": "nfcodec.fields.siren.torch:TorchSiren",
    }

    def __post_init__(self) -> None:
        arguments.set_whole(self, "width", 1, MAX_WIDTH)
        arguments.set_whole(self, "hidden_layers", 0, MAX_HIDDEN_LAYERS)
        arguments.set_whole(self, "frequencies", 0, MAX_FREQUENCIES)

    @property
    def sizes(self) -> list[int]:
        """Neurons of each sine layer, the encoding included."""
        if not self.frequencies:
            return [self.width] * (1 + self.hidden_layers)
        sizes, width = [4 * self.frequencies], self.width
        for _ in range(self.hidden_layers):
            sizes.append(width)
            width = (2 * width + 1) // 3
        return sizes

    @property
    def trained(self) -> list[str]:
        """What the names of tensors end in, of all layers that are in the file; the last one is linear."""
        return [*map(str, range(1 if self.frequencies else 0, 1 + self.hidden_layers)), "_out"]

    def untrained(self) -> Parameters:
        """The encoding's tensors, weight0 and bias0, as real numbers like those of the other layers."""
        if not self.frequencies:
            return {}
        weight, bias = (each.values / TURNS for each in positional_encoding(self.frequencies))
        return {"weight0": weight.astype(np.float32), "bias0": bias.astype(np.float32)}

    def layout(self, geometry: Geometry) -> list[Tensor]:
        fan_out, fan_in = [*self.sizes, geometry.channels], [2, *self.sizes]
        first = len(fan_out) - len(self.trained)
        tensors: list[Tensor] = []
        for name, n_out, n_in in zip(self.trained, fan_out[first:], fan_in[first:], strict=True):
            unit = 1.0 if name == "_out" else TURNS
            tensors.append(Tensor(f"weight{name}", (n_out, n_in), Role.MATRIX, unit))
            tensors.append(Tensor(f"bias{name}", (n_out,), Role.BIAS, unit))
        return tensors

    def macs_per_pixel(self, geometry: Geometry) -> int:
        """Multiplications that evaluating one pixel takes."""
        return sum(n_in * n_out for n_in, n_out in itertools.pairwise([2, *self.sizes, geometry.channels]))

    def cost(self, geometry: Geometry) -> Cost:
        layers = layers_cost(geometry.n_pixels, [2, *self.sizes, geometry.channels], SINE)
        return Cost(kept_bytes=tiles_cost(geometry, PIXEL_BYTES).memory_bytes + TABLE_BYTES).then(layers).keeping(0)

    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> tuple[int, ...]:
        return matrix_orders(self.layout(geometry), symbols)

    def parts(self, geometry: Geometry, order: int) -> list[Part]:
        return matrix_parts(self.layout(geometry), order)

    def pack(self) -> bytes:
        return self.width.to_bytes(2, "little") + bytes([self.hidden_layers, self.frequencies])

    @classmethod
    def unpack(cls, data: bytes) -> Siren:
        reader = ByteReader(data)
        width, hidden_layers, frequencies = reader.u16(), reader.u8(), reader.u8()
        reader.finish()
        try:
            return cls(width, hidden_layers, frequencies)
        except UsageError as error:
            raise FormatError(str(error), code="field") from error

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        return self.window_evaluator(geometry, weights, whole(geometry))

    def window_cost(self, geometry: Geometry, place: Place) -> Cost:
        axes = AXIS_BYTES * (geometry.height + geometry.width)
        return Cost(kept_bytes=axes).then(self.cost(part_of(geometry, place))).keeping(0)

    def window_evaluator(
        self, geometry: Geometry, weights: Mapping[str, Quantized], place: Place
    ) -> Callable[[int, int], ExactArray]:
        if self.frequencies:
            weight, bias = positional_encoding(self.frequencies)
            weights = {**weights, "weight0": weight, "bias0": bias}
        layers: list[Affine] = []
        in_bits, in_bound = COORDINATE_BITS, float(1 << COORDINATE_BITS)
        for i in range(1 + self.hidden_layers):
            layers.append(Affine(weights[f"weight{i}"], weights[f"bias{i}"], in_bits, PHASE_BITS, in_bound))
            in_bits, in_bound = SINE_BITS, float(1 << SINE_BITS)
        last = Affine(weights["weight_out"], weights["bias_out"], in_bits, OUTPUT_BITS, in_bound)
        xs, ys, sines = coordinates(geometry.width)[place[1]], coordinates(geometry.height), sine_table()

        def network(x: ExactArray, scratch: Scratch) -> ExactArray:
            for layer in layers:
                turned = layer(x, scratch)
                phases = scratch.array("phases", *turned.shape).view(np.int64)
                np.copyto(phases, turned, casting="unsafe")
                phases &= (1 << PHASE_BITS) - 1
                x = sines.take(phases, out=scratch.array("sines", *turned.shape), mode="wrap")
            return last(x)

        def rows(start: int, stop: int) -> ExactArray:
            x, scratch = np.stack([np.tile(xs, stop - start), np.repeat(ys[start:stop], len(xs))]), Scratch()
            return in_blocks(lambda block: network(block, scratch), x, max(self.sizes))

        return rows
