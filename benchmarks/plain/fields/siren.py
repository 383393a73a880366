"""SIREN: sines all the way (Sitzmann et al., NeurIPS 2020, arXiv 2006.09661)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from benchmarks.plain.field import HIDDEN_LAYERS, Field

OMEGA_0 = 30.0
"""Of all layers; section 3.2 of the paper, and its supplement."""


class Siren(Field):
    """sin(30 (W x + b)) in each layer but the last.

    Initial weights are those of the paper: U(+-1/2) in the first layer of two inputs, else U(+-sqrt(6 / n) / 30);
    biases as torch has them, U(+-1/sqrt(n)), as in the authors' code.
    """

    def __init__(self, side: int, width: int) -> None:
        super().__init__(side, width)
        widths = [2, *[width] * (HIDDEN_LAYERS + 1), 1]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        sine_weights(self.matrices, OMEGA_0)

    @staticmethod
    def first_log2_rate(width: int) -> int:
        """The wider, the smaller: the best rates of SIRENs 128 wide are near 2^-9."""
        return min(-8, -round(math.log2(width)) - 2)

    def forward(self, places: Tensor) -> Tensor:
        *hidden, last = self.layers
        x = places
        for layer in hidden:
            x = self.activation(layer(x))
        return last(x)

    def activation(self, z: Tensor) -> Tensor:
        """Of what comes out of a layer."""
        return torch.sin(OMEGA_0 * z)


@torch.no_grad()
def sine_weights(matrices: Sequence[Tensor], omega_0: float) -> None:
    """Draw the weights of a network of sines."""
    for i, weight in enumerate(matrices):
        n = weight.shape[1]
        bound = math.sqrt(6 / n) / omega_0 if i else 1 / n
        weight.uniform_(-bound, bound)
