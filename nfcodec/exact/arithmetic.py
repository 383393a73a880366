"""Integer arithmetic for exact decoding, carried in float64 so that BLAS runs it.

Every number here is an integer held in a float64, or an int64. A float64 product or sum of integers is exact while it
stays under 2^53, in any order and on any machine; `Affine` proves that bound from the weights before it is used.
docs/reference/format.md, "Exact arithmetic", is the normative text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.exact.paired import Scratch, multiplier
from nfcodec.limits import Cost
from nfcodec.workers import check_stopped, n_threads

IntArray = npt.NDArray[np.int64]
SymbolArray = npt.NDArray[np.int32] | npt.NDArray[np.int64]
"""Symbols are integers of at most 26 bits with their sign; large tables hold them in 32 bits."""
ExactArray = npt.NDArray[np.float64]

OUTPUT_BITS = 24
"""Field outputs are integers in units of 2^-24."""

OUTPUT_UNIT = 2.0**-OUTPUT_BITS

MAX_SYMBOL = 1 << 24
"""The largest magnitude of a symbol."""

ACTIVATION_BITS = 16
"""Encodings and the hidden activations of ReLU networks are integers in units of 2^-16."""

MAC, PARAMETER, PARAMETER_BYTES = 0.045e-9, 20e-9, 16
"""Work of a multiplication; and work and memory of each parameter, to prepare it."""

NEURON, CALL, BLOCK_BYTES = 1.5e-9, 11e-6, 6 << 20
"""Work of a neuron for one pixel, beside multiplications, and of a layer for a block of pixels; and memory of a block,
of which each thread has one."""

EXACT = 2.0**52
"""All integers stay under it, also with a half added."""

_BLOCK_VALUES = 1 << 17  # activations of a layer that are in memory at a time, a thread: 1 MiB, in reach of its cache


def in_blocks(network: Callable[[ExactArray], ExactArray], x: ExactArray, widest: int) -> ExactArray:
    """Apply a network whose widest layer is `widest` to the columns of x, so few at a time that memory is bounded."""
    columns = max(1, _BLOCK_VALUES // widest)
    if x.shape[1] <= columns:
        return network(x)
    results: list[ExactArray] = []
    for i in range(0, x.shape[1], columns):
        check_stopped()  # all blocks of a tile may take minutes
        results.append(network(x[:, i : i + columns]))
    return np.concatenate(results, axis=1)


def layers_cost(n_pixels: int, sizes: Sequence[int], neuron: float = NEURON) -> Cost:
    """What evaluating layers takes at most, with their weights.

    Args:
        sizes: of the input, of each layer, and of the output.
        neuron: work of a neuron for one pixel.
    """
    n_parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    n_calls = (len(sizes) - 1) * (-(-n_pixels // max(1, _BLOCK_VALUES // max(sizes))))
    work = n_parameters * PARAMETER + n_calls * CALL + n_pixels * (n_parameters * MAC + sum(sizes[1:]) * neuron)
    largest = max(n_in * n_out for n_in, n_out in pairwise(sizes))
    return Cost(n_parameters * PARAMETER_BYTES + 8 * largest + n_threads() * BLOCK_BYTES, work)


@dataclass(frozen=True)
class Step:
    """A quantizer step, mantissa * 2^exponent, with mantissa 128..255 and exponent -128..127."""

    mantissa: int
    exponent: int

    def __post_init__(self) -> None:
        if not (128 <= self.mantissa <= 255 and -128 <= self.exponent <= 127):
            raise FormatError(f"no such quantizer step: {self.mantissa} * 2^{self.exponent}", code="steps")

    @classmethod
    def nearest(cls, value: float) -> Step:
        """The representable step closest to `value` (relative error at most 0.4 %), clamped to the range."""
        fraction, exponent = math.frexp(min(max(value, 2.0**-121), 2.0**134))
        mantissa, exponent = round(fraction * 256), exponent - 8
        return cls(128, exponent + 1) if mantissa == 256 else cls(mantissa, exponent)

    @property
    def value(self) -> float:
        return self.mantissa * 2.0**self.exponent


@dataclass(frozen=True)
class Quantized:
    """A tensor as the file holds it: integer symbols times one step."""

    symbols: SymbolArray
    step: Step

    @property
    def values(self) -> npt.NDArray[np.float64]:
        """The real numbers meant."""
        return self.symbols.astype(np.float64) * self.step.value

    @property
    def singles(self) -> npt.NDArray[np.float32]:
        """The same in float32, each rounded once, without the memory of a float64 array."""
        values = self.symbols.astype(np.float32)
        values *= np.float32(self.step.value)
        return values

    def limit(self) -> int:
        """The largest magnitude among the symbols."""
        return max(int(self.symbols.max(initial=0)), -int(self.symbols.min(initial=0)))


def rescale(sums: ExactArray, step: Step, shift: int) -> ExactArray:
    """floor(sums * step * 2^shift + 1/2), in place; exact while |sums * mantissa| and the result are under 2^52."""
    sums *= step.mantissa * 2.0 ** (step.exponent + shift)
    sums += 0.5
    np.floor(sums, out=sums)
    return sums  # pyright: ignore[reportReturnType]


def check_exact(bound: float, step: Step, shift: int) -> float:
    """The bound of `rescale`'s result for |sums| <= bound; FormatError where it would not be exact."""
    result = bound * step.value * 2.0**shift + 1.0
    if bound * step.mantissa >= EXACT or result >= EXACT:
        raise FormatError("the weights are too large for exact arithmetic", code="arithmetic")
    return result


def widened(symbols: SymbolArray) -> IntArray:
    """The symbols in 64 bits, where sums of them need that; a copy only if they are in 32."""
    return symbols.astype(np.int64, copy=False)


class Plain(NamedTuple):
    """What takes x to floor(matrix x + offset) + bias; the bias is 0 where it is exact as a part of the offset."""

    matrix: ExactArray
    offset: ExactArray
    bias: ExactArray


class Affine:
    """y = W x + b on integers: inputs in units of 2^-in_bits, outputs in units of 2^-out_bits.

    Args:
        weight: (out, in).
        bias: (out,) or None.
        in_bound: |x| <= in_bound, in its integer units; one number, or one for each input.

    Attributes:
        bound: of all outputs' magnitudes.
        bounds: of those of each, (out,).
    """

    def __init__(
        self, weight: Quantized, bias: Quantized | None, in_bits: int, out_bits: int, in_bound: float | ExactArray
    ) -> None:
        symbols, shift = weight.symbols.astype(np.float64), out_bits - in_bits
        sums = np.abs(symbols) @ np.broadcast_to(np.asarray(in_bound, np.float64), symbols.shape[1])
        self.bound = check_exact(float(sums.max(initial=0.0)), weight.step, shift)
        self._symbols, self._scale = symbols, weight.step.mantissa * 2.0 ** (weight.step.exponent + shift)
        self.bounds: ExactArray = sums * self._scale + 1
        self._matrix = multiplier(symbols, self._scale, float(np.max(in_bound, initial=0.0)))
        self._bias: ExactArray | None = None
        self._fused = False
        if bias is not None:
            product = self.bound
            self.bound += check_exact(float(bias.limit()), bias.step, out_bits)
            self._bias = rescale(bias.symbols.astype(np.float64), bias.step, out_bits)[:, None]
            self.bounds += np.abs(self._bias[:, 0])
            # products are multiples of this unit, and so are biases if it is at most 1/2: then they add up exactly
            unit = 2.0 ** (weight.step.exponent + shift)
            self._fused = unit <= 0.5 and (product + self.bound) / unit < EXACT
        self._offset = self._bias + 0.5 if self._bias is not None and self._fused else 0.5

    def plain(self) -> Plain:
        """The same for loops that multiply by themselves."""
        n_out = len(self._symbols)
        fused = np.broadcast_to(np.reshape(self._offset, (-1,)), n_out)
        bias = np.zeros(n_out) if self._bias is None or self._fused else self._bias[:, 0]
        return Plain(self._symbols * self._scale, fused, bias)

    def __call__(self, x: ExactArray, scratch: Scratch | None = None) -> ExactArray:
        """x (in, n) to y (out, n): floor(W x + 1/2) + b.

        Args:
            scratch: y is in its memory, so that the next call with it overwrites y; None for new memory.
        """
        y = self._matrix.product(x, scratch or Scratch())
        y += self._offset
        np.floor(y, out=y)
        if self._bias is not None and not self._fused:
            y += self._bias
        return y
