"""SIREN: a multilayer perceptron with sine activations (Sitzmann et al. 2020; Seo et al. 2024 for the defaults)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from nfcodec.errors import FormatError, UsageError
from nfcodec.fields.base import ByteReader, FieldSpec, Geometry, Parameters, TensorSpec, register
from nfcodec.fields.fixed_point import OUTPUT_BITS, Affine, ExactArray, Quantized, in_blocks
from nfcodec.limits import Limits

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


@register
@dataclass(frozen=True)
class Siren(FieldSpec):
    """2 -> width -> ... -> width -> C: one sine layer in, `hidden_layers` more, a linear layer out.

    Attributes:
        width: neurons a layer, 1 .. 4096.
        hidden_layers: sine layers after the first, 0 .. 63 (the paper: 3).
        omega_0: frequency factor of every sine layer while fitting; the file holds the product.
        init_scale: factor on the initial weights of the hidden layers (Yeom et al. 2025); 1 is the paper's.
        first_scale: the same for the first layer, which sets the frequencies that there are at the start.
    """

    width: int
    hidden_layers: int = 3
    omega_0: float = 30.0
    init_scale: float = 1.0
    first_scale: float = 1.0

    name: ClassVar[str] = "siren"
    wire_id: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not (1 <= self.width <= 4096 and 0 <= self.hidden_layers <= 63):
            raise UsageError("a SIREN is 1 to 4096 wide and has 0 to 63 hidden layers")

    def layout(self, geometry: Geometry) -> list[TensorSpec]:
        turns = self.omega_0 / (2 * math.pi)
        tensors: list[TensorSpec] = []
        for i, fan_in in enumerate([2] + [self.width] * self.hidden_layers):
            tensors.append(TensorSpec(f"weight{i}", (self.width, fan_in), turns))
            tensors.append(TensorSpec(f"bias{i}", (self.width,), turns))
        tensors.append(TensorSpec("weight_out", (geometry.channels, self.width)))
        tensors.append(TensorSpec("bias_out", (geometry.channels,)))
        return tensors

    def macs_per_pixel(self, geometry: Geometry) -> int:
        return self.width * (2 + self.hidden_layers * self.width + geometry.channels)

    def check(self, geometry: Geometry, limits: Limits) -> None:
        limits.check("layers", self.hidden_layers + 1)
        limits.check("width", self.width)
        super().check(geometry, limits)

    def initial(self, geometry: Geometry, seed: int) -> Parameters:
        """First layer U(-1/2, 1/2), others U(+-sqrt(6 / fan_in) / omega_0), biases U(+-1 / sqrt(fan_in)) (paper)."""
        rng = np.random.default_rng(seed)
        parameters: Parameters = {}
        for tensor in self.layout(geometry):
            fan_in = 2 if tensor.name in ("weight0", "bias0") else self.width
            if tensor.name.startswith("bias"):
                bound = 1 / math.sqrt(fan_in)
            elif tensor.name == "weight0":
                bound = 0.5 * self.first_scale
            else:
                bound = math.sqrt(6 / fan_in) / self.omega_0
                bound *= 1.0 if tensor.name == "weight_out" else self.init_scale
            parameters[tensor.name] = rng.uniform(-bound, bound, tensor.shape).astype(np.float32)
        return parameters

    def pack(self) -> bytes:
        return self.width.to_bytes(2, "little") + bytes([self.hidden_layers])

    @classmethod
    def unpack(cls, data: bytes) -> Siren:
        reader = ByteReader(data)
        width, hidden_layers = reader.u16(), reader.u8()
        reader.finish()
        try:
            return cls(width, hidden_layers)
        except UsageError as error:
            raise FormatError(str(error)) from error

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
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
            return in_blocks(network, x, self.width)

        return rows
