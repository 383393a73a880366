"""A hash-grid field in plain PyTorch, written the way public reimplementations of Instant-NGP do it: for comparison."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from nfcodec.fields import Geometry, HashLevel, Ngp


class PlainHashGrid(nn.Module):
    """Per level: corner coordinates, hashes, embedding lookups, bilinear weights; then a ReLU network; full batch."""

    def __init__(self, field: Ngp, geometry: Geometry, targets: np.ndarray) -> None:
        super().__init__()
        self._levels = field.levels
        self.tables = nn.ModuleList(nn.Embedding(level.size, level.features) for level in self._levels)
        for table in self.tables:
            nn.init.uniform_(table.weight, -1e-4, 1e-4)  # pyright: ignore[reportArgumentType]
        widths = [field.encoding_size, *field.hidden]
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out, bias=False), nn.ReLU()]
        self.network = nn.Sequential(*layers, nn.Linear(widths[-1], geometry.channels, bias=False))
        y, x = torch.meshgrid(
            (torch.arange(geometry.height) + 0.5) / geometry.height,
            (torch.arange(geometry.width) + 0.5) / geometry.width,
            indexing="ij",
        )
        self._points, self._targets = torch.stack([x.reshape(-1), y.reshape(-1)], 1), torch.from_numpy(targets)
        self._optimizer = torch.optim.Adam(self.parameters(), lr=1e-4, betas=(0.9, 0.99), eps=1e-15)

    def forward(self, points: Tensor) -> Tensor:
        features: list[Tensor] = []
        for level, table in zip(self._levels, self.tables, strict=True):
            position = points * level.scale + 0.5
            cell = position.floor()
            fraction, cell = position - cell, cell.long()
            total = torch.zeros(())
            for dx in (0, 1):
                for dy in (0, 1):
                    corner = cell + torch.tensor([dx, dy])
                    weight = (fraction[:, 0] if dx else 1 - fraction[:, 0]) * (
                        fraction[:, 1] if dy else 1 - fraction[:, 1]
                    )
                    total = total + weight[:, None] * table(_entry(level, corner))
            features.append(total)
        return self.network(torch.cat(features, 1))

    def step(self) -> None:
        self._optimizer.zero_grad()
        (self(self._points) - self._targets).square().mean().backward()
        self._optimizer.step()


def _entry(level: HashLevel, corner: Tensor) -> Tensor:
    if level.resolution**2 <= level.size:
        return (corner[:, 0] + corner[:, 1] * level.resolution) % level.size
    return (corner[:, 0] ^ (corner[:, 1] * 2654435761)) % level.size
