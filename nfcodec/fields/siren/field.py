"""SIREN: a multilayer perceptron with sine activations (Sitzmann et al. 2020; Seo et al. 2024 for the defaults)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import OUTPUT_BITS, Affine, ExactArray, Quantized, Step, in_blocks
from nfcodec.exact.field import FieldSpec, Parameters, TensorSpec
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.registry import register
from nfcodec.limits import Limits
from nfcodec.wire import ByteReader

PHASE_BITS = 16
"""Phases are integers modulo 2^16: one turn."""

SINE_BITS = 15
"""Sines are integers in units of 2^-15."""

COORDINATE_BITS = 20
"""Coordinates in [-1, 1] are integers in units of 2^-20."""


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


FIRST_FREQUENCY, FREQUENCY_BITS = 16, 5
"""The lowest frequency of a positional encoding: half a turn a unit, in units of 2^-5 turns."""

MAX_FREQUENCIES = 16


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


@register
@dataclass(frozen=True)
class Siren(FieldSpec):
    """2 -> width -> ... -> width -> C: one sine layer in, `hidden_layers` more, a linear layer out.

    With frequencies, the first layer is a positional encoding instead, no part of the file, and of the others each has
    two thirds of the neurons of the one before: `width`, two thirds of it, and so on.

    Attributes:
        width: neurons a layer, 1 .. 4096.
        hidden_layers: sine layers after the first, 0 .. 63 (the paper: 3).
        omega_0: frequency factor of every sine layer while fitting; the file holds the product.
        init_scale: factor on the initial weights of the hidden layers (Yeom et al. 2025); 1 is the paper's.
        first_scale: the same for the first layer, which sets the frequencies that there are at the start.
        frequencies: of the positional encoding, 1 .. 16; 0 for none.
    """

    width: int
    hidden_layers: int = 3
    omega_0: float = 30.0
    init_scale: float = 1.0
    first_scale: float = 1.0
    frequencies: int = 0

    name: ClassVar[str] = "siren"
    wire_id: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not (1 <= self.width <= 4096 and 0 <= self.hidden_layers <= 63):
            raise UsageError("a SIREN is 1 to 4096 wide and has 0 to 63 hidden layers")
        if not 0 <= self.frequencies <= MAX_FREQUENCIES:
            raise UsageError(f"a positional encoding has at most {MAX_FREQUENCIES} frequencies")

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
        weight, bias = (each.values / self._turns for each in positional_encoding(self.frequencies))
        return {"weight0": weight.astype(np.float32), "bias0": bias.astype(np.float32)}

    @property
    def _turns(self) -> float:
        return self.omega_0 / (2 * math.pi)

    def layout(self, geometry: Geometry) -> list[TensorSpec]:
        fan_out, fan_in = [*self.sizes, geometry.channels], [2, *self.sizes]
        first = len(fan_out) - len(self.trained)
        tensors: list[TensorSpec] = []
        for name, n_out, n_in in zip(self.trained, fan_out[first:], fan_in[first:], strict=True):
            unit = 1.0 if name == "_out" else self._turns
            tensors.append(TensorSpec(f"weight{name}", (n_out, n_in), unit))
            tensors.append(TensorSpec(f"bias{name}", (n_out,), unit))
        return tensors

    def macs_per_pixel(self, geometry: Geometry) -> int:
        return sum(n_in * n_out for n_in, n_out in itertools.pairwise([2, *self.sizes, geometry.channels]))

    def check(self, geometry: Geometry, limits: Limits) -> None:
        limits.check("layers", self.hidden_layers + 1)
        limits.check("width", self.width)
        super().check(geometry, limits)

    def initial(self, geometry: Geometry, seed: int) -> Parameters:
        """First layer U(-1/2, 1/2), others U(+-sqrt(6 / fan_in) / omega_0), biases U(+-1 / sqrt(fan_in)) (paper)."""
        rng = np.random.default_rng(seed)
        parameters: Parameters = {}
        fan_in = 2
        for tensor in self.layout(geometry):
            if tensor.name.startswith("weight"):
                fan_in = tensor.shape[1]
                bound = math.sqrt(6 / fan_in) / self.omega_0
                bound *= 1.0 if tensor.name == "weight_out" else self.init_scale
                bound = 0.5 * self.first_scale if tensor.name == "weight0" else bound
            else:
                bound = 1 / math.sqrt(fan_in)
            parameters[tensor.name] = rng.uniform(-bound, bound, tensor.shape).astype(np.float32)
        return parameters

    def pack(self) -> bytes:
        plain = self.width.to_bytes(2, "little") + bytes([self.hidden_layers])
        return plain + bytes([self.frequencies] if self.frequencies else [])

    @classmethod
    def unpack(cls, data: bytes) -> Siren:
        reader = ByteReader(data)
        width, hidden_layers = reader.u16(), reader.u8()
        frequencies = reader.last_u8()
        try:
            return cls(width, hidden_layers, frequencies=frequencies)
        except UsageError as error:
            raise FormatError(str(error)) from error

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        if self.frequencies:
            weight, bias = positional_encoding(self.frequencies)
            weights = {**weights, "weight0": weight, "bias0": bias}
        layers: list[Affine] = []
        in_bits, in_bound = COORDINATE_BITS, float(1 << COORDINATE_BITS)
        for i in range(1 + self.hidden_layers):
            layers.append(Affine(weights[f"weight{i}"], weights[f"bias{i}"], in_bits, PHASE_BITS, in_bound))
            in_bits, in_bound = SINE_BITS, float(1 << SINE_BITS)
        last = Affine(weights["weight_out"], weights["bias_out"], in_bits, OUTPUT_BITS, in_bound)
        xs, ys, sines = coordinates(geometry.width), coordinates(geometry.height), sine_table()

        def network(x: ExactArray) -> ExactArray:
            for layer in layers:
                phases = layer(x).astype(np.int64)
                phases &= (1 << PHASE_BITS) - 1
                x = sines.take(phases)
            return last(x)

        def rows(start: int, stop: int) -> ExactArray:
            x = np.stack([np.tile(xs, stop - start), np.repeat(ys[start:stop], geometry.width)])
            return in_blocks(network, x, max(self.sizes))

        return rows
