"""Muon: steps along the orthogonal matrix that is nearest to the averaged gradient (Jordan et al. 2024), by torch.

kellerjordan.github.io/posts/muon. torch has it since version 2.9.
"""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.plain.field import Field
from benchmarks.plain.optimiser import Optimiser, adam, all_but
from nfcodec.errors import UsageError


class Muon(Optimiser):
    """Muon for hidden matrices, and Adam at the same rate for the first and the last layer, biases and tables.

    The division and the constants are the author's: a momentum of 0.95 as Nesterov has it, five iterations. Steps are
    scaled to the length of Adam's (Liu et al. 2025, arXiv 2502.16982), so that the same rates suit both; weights do not
    decay, as they do not under the other optimisers here. The real and the imaginary part of a complex map
    are a matrix each.

    Raises:
        UsageError: this torch is older than 2.9.
    """

    def __init__(self, field: Field, rate: float) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise UsageError(f"Muon needs torch 2.9 or later; this is {torch.__version__}")
        hidden = hidden_matrices(field)
        self._parts: list[torch.optim.Optimizer] = [adam(field, all_but(field, hidden), rate)]
        if hidden:
            self._parts.append(torch.optim.Muon(hidden, rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"))

    def step(self, loss: float) -> None:
        for part in self._parts:
            part.step()


def hidden_matrices(field: Field) -> list[Tensor]:
    """Of all linear layers but the first and those with one output."""
    return [weight for weight in field.matrices[1:] if len(weight) > 1]
