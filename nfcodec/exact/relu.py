"""ReLU networks on an encoding of each pixel, exactly: hidden layers, a linear layer, and a linear map beside them.

docs/reference/format.md, "ReLU networks", is the normative text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from nfcodec.exact.arithmetic import (
    ACTIVATION_BITS,
    OUTPUT_BITS,
    Affine,
    ExactArray,
    Plain,
    Quantized,
    in_blocks,
    layers_cost,
)
from nfcodec.exact.field import Role, Tensor
from nfcodec.limits import Cost

Layer = tuple[Quantized, Quantized | None]
"""The weight (out, in) and the bias (out,) of a layer."""


def relu_tensors(n_inputs: int, hidden: Sequence[int], channels: int, *, linear: bool) -> list[Tensor]:
    """The tensors of a network of these widths: skip, then weight0, bias0, weight1, .., and bias_out.

    Args:
        linear: whether there is a linear map beside the hidden layers, and biases; else there is neither.
    """
    tensors = [Tensor("skip", (channels, n_inputs), Role.MATRIX)] if linear else []
    for i, (n_in, n_out) in enumerate(pairwise([n_inputs, *hidden, channels]) if hidden else ()):
        tensors.append(Tensor(f"weight{i}", (n_out, n_in), Role.MATRIX))
        if linear and i < len(hidden):
            tensors.append(Tensor(f"bias{i}", (n_out,), Role.BIAS))
    return [*tensors, Tensor("bias_out", (channels,), Role.BIAS)] if linear else tensors


def relu_cost(n_pixels: int, n_inputs: int, hidden: Sequence[int], channels: int, *, linear: bool) -> Cost:
    """What evaluating a network of these widths takes, as of `relu_tensors`."""
    total = layers_cost(n_pixels, [n_inputs, *hidden, channels])
    return total.then(layers_cost(n_pixels, [n_inputs, channels])) if linear and hidden else total


def layers_of(weights: Mapping[str, Quantized], n_hidden: int) -> list[Layer]:
    """The hidden layers among a field's tensors, named as `relu_tensors` names them."""
    return [(weights[f"weight{i}"], weights.get(f"bias{i}")) for i in range(n_hidden)]


class ReluNetwork:
    """Encodings in units of 2^-16 to outputs in units of 2^-24.

    Args:
        hidden: the hidden layers.
        last: the layer behind them; None without any.
        skip: the linear map of the encoding, without a bias unless there is no `last`; None for none.
        bound: on the magnitudes of encodings, in their units.

    Raises:
        FormatError: the weights would overflow.
    """

    def __init__(self, hidden: Sequence[Layer], last: Layer | None, skip: Layer | None, bound: float) -> None:
        self._skip = None if skip is None else Affine(*skip, ACTIVATION_BITS, OUTPUT_BITS, bound)
        self._hidden: list[Affine] = []
        widths: list[int] = []
        for weight, bias in hidden:
            self._hidden.append(Affine(weight, bias, ACTIVATION_BITS, ACTIVATION_BITS, bound))
            widths.append(len(weight.symbols))
            bound = self._hidden[-1].bound
        self._last = None if last is None else Affine(*last, ACTIVATION_BITS, OUTPUT_BITS, bound)
        first = last or skip
        assert first is not None
        self._n_out = len(first[0].symbols)
        self._widest = max(self._n_out, *widths) if widths else self._n_out

    def layers_behind(self) -> list[Plain]:
        """The hidden layers and the one behind them, for loops that do without `__call__`."""
        return [layer.plain() for layer in (*self._hidden, *([] if self._last is None else [self._last]))]

    def __call__(self, encoding: ExactArray, seen: ExactArray | None = None) -> ExactArray:
        """Outputs (C, n) for encodings (n_inputs, n).

        Args:
            seen: what the hidden layers get in place of the encoding.
        """
        if self._skip is None:
            out: ExactArray = np.zeros((self._n_out, encoding.shape[1]))
        else:
            out = in_blocks(self._skip, encoding, max(len(encoding), self._n_out))
        if self._last is not None:
            inputs = encoding if seen is None else seen
            out += in_blocks(self._behind, inputs, max(len(inputs), self._widest))
        return out

    def _behind(self, x: ExactArray) -> ExactArray:
        assert self._last is not None
        for layer in self._hidden:
            x = layer(x)
            np.maximum(x, 0, out=x)
        return self._last(x)
