"""What an optimiser is: it takes the steps of one field."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor

from benchmarks.plain.field import Field


class Optimiser(ABC):
    """Subclasses are called with a field and a learning rate."""

    @abstractmethod
    def __init__(self, field: Field, rate: float) -> None: ...

    @abstractmethod
    def step(self, loss: float) -> None:
        """Move the field's parameters; `grad` of each is the gradient of the loss, whose value is given."""

    @classmethod
    def first_log2_rate(cls, field: type[Field], width: int) -> int:
        """log2 of the rate at which a search may begin; by default as for Adam, for those whose steps are as long."""
        return field.first_log2_rate(width)


def adam(field: Field, parameters: Iterable[Tensor], rate: float) -> torch.optim.Adam:
    """Adam with the constants that suit the field, for some of its parameters: for optimisers of matrices only."""
    return torch.optim.Adam(parameters, rate, **field.adam)


def all_but(field: Field, parameters: Iterable[Tensor]) -> list[Tensor]:
    """The other parameters of a field."""
    known = {id(each) for each in parameters}
    return [each for each in field.parameters() if id(each) not in known]
