"""Adam (Kingma & Ba, ICLR 2015, arXiv 1412.6980), by torch."""

from __future__ import annotations

from benchmarks.plain.field import Field
from benchmarks.plain.optimiser import Optimiser, adam


class Adam(Optimiser):
    """With betas 0.9 and 0.999 and an eps of 1e-8, as in the paper, unless the field has constants of its own."""

    def __init__(self, field: Field, rate: float) -> None:
        self._adam = adam(field, field.parameters(), rate)

    def step(self, loss: float) -> None:
        self._adam.step()
