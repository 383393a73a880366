"""WIRE: complex Gabor wavelets (Saragadam et al., CVPR 2023, arXiv 2301.05187)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from benchmarks.plain.field import HIDDEN_LAYERS, Field

OMEGA_0, SCALE_0 = 10.0, 10.0
"""Frequency and inverse width of the wavelets, in all layers.

The authors' code (github.com/vishwa91/wire) has several: 10 is the default frequency of a layer, with an inverse width
of 40, and 10 the default inverse width of a network, with a frequency of 30. Its script for images suggests 20 and 30
with layers of 256. The narrower the wavelets and the layers are, the fewer neurons are not 0 everywhere at the start.
"""


def gabor(z: Tensor) -> Tensor:
    """The wavelet exp(i omega_0 z - |s_0 z|^2), of real or complex numbers."""
    return torch.exp(1j * OMEGA_0 * z - (SCALE_0 * z).abs().square())


class Wire(Field):
    """Wavelets of complex linear maps; the value is the real part of the last map.

    Layers have width / sqrt(2) complex neurons, so that there are as many real parameters as in a real network of this
    width. Initial values are torch's, for real and imaginary parts alike, as in the authors' code.
    """

    def __init__(self, side: int, width: int) -> None:
        super().__init__(side, width)
        n = max(1, int(width / math.sqrt(2)))
        self.first = nn.Linear(2, n)
        self.hidden = nn.ModuleList(_Complex(n, n) for _ in range(HIDDEN_LAYERS))
        self.last = _Complex(n, 1)

    @staticmethod
    def first_log2_rate(width: int) -> int:
        """The authors: 5e-3 to 2e-2 work best."""
        return -8

    def forward(self, places: Tensor) -> Tensor:
        x = gabor(self.first(places))
        for layer in self.hidden:
            x = gabor(layer(x))
        return self.last(x).real


class _Complex(nn.Module):
    """A linear map of complex numbers, with parameters that are real, as some optimisers want them."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.real, self.imaginary = (nn.Linear(n_in, n_out, bias=False) for _ in range(2))
        self.bias = nn.Parameter(torch.empty(2, n_out).uniform_(-(n_in**-0.5), n_in**-0.5))

    def forward(self, x: Tensor) -> Tensor:
        real = self.real(x.real) - self.imaginary(x.imag)
        imaginary = self.real(x.imag) + self.imaginary(x.real)
        return torch.complex(real + self.bias[0], imaginary + self.bias[1])
