"""What a field in plain PyTorch is: a module from places in a square to one number each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

HIDDEN_LAYERS = 3
"""Of networks, as in the paper (Seo et al., CVPR 2024)."""


class Field(nn.Module, ABC):
    """A field for a square; subclasses are called with its side and with their width and draw their initial values.

    Attributes:
        adam: constants of torch.optim.Adam that suit the field, where they are not the usual ones.
        places: (side * side, 2) x and y of the pixels in raster order.
    """

    adam: ClassVar[dict[str, Any]] = {}
    places: Tensor

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        y, x = torch.meshgrid(self.axis(side), self.axis(side), indexing="ij")
        self.register_buffer("places", torch.stack([x.reshape(-1), y.reshape(-1)], 1), persistent=False)

    @abstractmethod
    def forward(self, places: Tensor) -> Tensor:
        """Places (n, 2) to values (n, 1)."""

    @staticmethod
    def axis(side: int) -> Tensor:
        """The coordinates (side,) of the columns, and of the rows; by default from -1 to 1, both included."""
        return torch.linspace(-1, 1, side)

    @staticmethod
    def default_width(side: int) -> int:
        """Neurons of a layer unless the user says how many; by default as many as pixels a side, as in the paper."""
        return side

    @staticmethod
    def first_log2_rate(width: int) -> int:
        """log2 of the learning rate of Adam at which a search may begin."""
        return -10

    @property
    def matrices(self) -> Sequence[Tensor]:
        """Weights (out, in) of all linear layers, in the order in which they were made."""
        return [each.weight for each in self.modules() if isinstance(each, nn.Linear)]
