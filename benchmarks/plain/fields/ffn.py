"""FFN: random Fourier features under a ReLU network (Tancik et al., NeurIPS 2020, arXiv 2006.10739)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from benchmarks.plain.field import HIDDEN_LAYERS, Field

SIGMA = 10.0
"""Standard deviation of the frequencies, in turns over the square: the authors' choice for natural images."""


class Ffn(Field):
    """cos(2 pi B v) and sin(2 pi B v) of places v in [0, 1), then layers of ReLUs.

    The frequencies B are drawn from N(0, 10^2), as many as a layer has neurons, and stay as they are (the paper has
    256 of each). The paper's last layer is a sigmoid, which suits pictures in [0, 1]; here it is linear, because
    transformed pictures have other ranges. Initial weights are torch's.
    """

    frequencies: Tensor

    def __init__(self, side: int, width: int) -> None:
        super().__init__(side, width)
        self.register_buffer("frequencies", SIGMA * torch.randn(2, width))
        layers: list[nn.Module] = []
        for n_in in (2 * width, *[width] * (HIDDEN_LAYERS - 1)):
            layers += [nn.Linear(n_in, width), nn.ReLU()]
        self.network = nn.Sequential(*layers, nn.Linear(width, 1))

    @staticmethod
    def axis(side: int) -> Tensor:
        return torch.arange(side) / side

    @staticmethod
    def first_log2_rate(width: int) -> int:
        """Far above the paper's 1e-4: fits of a gray picture by all of its pixels at once converge at such rates."""
        return -8

    def forward(self, places: Tensor) -> Tensor:
        phases = 2 * math.pi * places @ self.frequencies
        return self.network(torch.cat([phases.cos(), phases.sin()], 1))
