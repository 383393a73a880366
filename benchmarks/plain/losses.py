"""What is minimised, as functions of a field's outputs (n,) and its targets (n,); the name is what `--loss` takes.

A loss may look at all pixels together, as one of a spectrum does: it always gets the whole picture. The codec's engines
minimise it, too (`benchmarks/paper/losses.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def l2(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean squared error."""
    return (outputs - targets).square().mean()


def relative_l2(outputs: Tensor, targets: Tensor) -> Tensor:
    """tiny-cuda-nn's RelativeL2: squared errors over output^2 + 0.01, whose gradients pass the denominator by."""
    return ((outputs - targets).square() / (outputs.detach().square() + 0.01)).mean()


def l1(outputs: Tensor, targets: Tensor) -> Tensor:
    """The mean absolute error."""
    return (outputs - targets).abs().mean()


LOSSES: dict[str, Loss] = {"l2": l2, "relative-l2": relative_l2, "l1": l1}
