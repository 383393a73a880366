"""A hash grid: Instant-NGP's tables under a small network (Mueller et al., SIGGRAPH 2022, arXiv 2201.05989)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from benchmarks.plain.field import Field
from nfcodec.fields import HashLevel, Ngp

NEURONS, HIDDEN = 64, 2
"""Of the network, which has no biases."""

TABLE_BOUND = 1e-4


class HashGrid(Field):
    """What Instant-NGP fits images with: 16 levels of 2 features, from 16 to half the side, then 2 layers of ReLUs.

    Levels and hashes are tiny-cuda-nn's (`nfcodec.fields.HashLevel`), with tables so large that no level of a square up
    to 4096 pixels a side is hashed. Tables begin at U(+-1e-4), matrices Xavier-uniform; Adam's constants are those of
    the paper's section 4, betas 0.9 and 0.99 and an eps of 1e-15.
    """

    adam: ClassVar[dict[str, Any]] = {"betas": (0.9, 0.99), "eps": 1e-15}

    def __init__(self, side: int, width: int) -> None:
        super().__init__(side, width)
        self.levels = Ngp.instant(side).levels
        self.tables = nn.ParameterList(
            torch.empty(level.shape).uniform_(-TABLE_BOUND, TABLE_BOUND) for level in self.levels
        )
        layers: list[nn.Module] = []
        for n_in in (sum(level.features for level in self.levels), *[width] * (HIDDEN - 1)):
            layers += [nn.Linear(n_in, width, bias=False), nn.ReLU()]
        self.network = nn.Sequential(*layers, nn.Linear(width, 1, bias=False))
        for weight in self.matrices:
            nn.init.xavier_uniform_(weight)

    @staticmethod
    def axis(side: int) -> Tensor:
        """Centres of pixels in [0, 1]."""
        return (torch.arange(side) + 0.5) / side

    @staticmethod
    def default_width(side: int) -> int:
        return NEURONS

    @staticmethod
    def first_log2_rate(width: int) -> int:
        """Near the 1e-2 of the paper."""
        return -7

    def forward(self, places: Tensor) -> Tensor:
        features = [interpolated(level, table, places) for level, table in zip(self.levels, self.tables, strict=True)]
        return self.network(torch.cat(features, 1))


def interpolated(level: HashLevel, table: Tensor, places: Tensor) -> Tensor:
    """The entries of a table (entries, features) at the corners around places (n, 2), mixed: (n, features)."""
    position = places * level.scale + 0.5
    cell = position.floor()
    (fx, fy), (x, y) = (position - cell).unbind(1), cell.long().unbind(1)
    mixed = torch.zeros(())
    for right, weight_x in ((0, 1 - fx), (1, fx)):
        for down, weight_y in ((0, 1 - fy), (1, fy)):
            entries = nn.functional.embedding(_entry(level, x + right, y + down), table)
            mixed = mixed + (weight_x * weight_y)[:, None] * entries
    return mixed


def _entry(level: HashLevel, x: Tensor, y: Tensor) -> Tensor:
    if level.is_dense:
        return (x + y * level.resolution) % level.size
    return (x ^ (y * 2_654_435_761 & 0xFFFFFFFF)) % level.size
