"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al., ICLR 2025, arXiv 2409.11321)."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.plain.field import Field
from benchmarks.plain.optimiser import Optimiser

BETAS, EPS = (0.95, 0.95), 1e-8
"""Decay of the means of gradients; and of their squares and of the preconditioners."""

RENEWED = 10
"""Steps between two renewals of the eigenbases, each a step of the power method and a QR."""

MOST = 10_000
"""A longer side of a matrix has no preconditioner, as in the authors' code."""


class Soap(Optimiser):
    """All of a field's parameters; those that are no matrices are moved as Adam does.

    Constants are the paper's, but for its weight decay: here nothing decays. The first gradient of a matrix makes the
    basis in which later ones are seen, and moves nothing, as in the authors' code.
    """

    def __init__(self, field: Field, rate: float) -> None:
        self._rate = rate
        self._states = [_State(each) for each in field.parameters()]

    @torch.no_grad()
    def step(self, loss: float) -> None:
        for state in self._states:
            state.step(self._rate)


class _State:
    """Moments of one parameter, in bases of its sides: none for a side without a preconditioner."""

    def __init__(self, parameter: Tensor) -> None:
        self._parameter, self._n = parameter, 0
        self._mean, self._square = torch.zeros_like(parameter), torch.zeros_like(parameter)
        sides = parameter.shape if parameter.dim() == 2 else ()
        self._sides: list[Tensor | None] = [parameter.new_zeros(n, n) if n <= MOST else None for n in sides]
        self._bases: list[Tensor | None] = []

    def step(self, rate: float) -> None:
        gradient = self._parameter.grad
        assert gradient is not None
        if self._sides and not self._bases:
            self._follow(gradient)
            self._bases = [None if side is None else torch.linalg.eigh(side)[1].flip(1) for side in self._sides]
            return
        self._n += 1
        seen = self._turned(gradient)
        self._mean.lerp_(seen, 1 - BETAS[0])
        self._square.lerp_(seen.square(), 1 - BETAS[1])
        correction = (1 - BETAS[1] ** self._n) ** 0.5 / (1 - BETAS[0] ** self._n)
        self._parameter -= rate * correction * self._turned(self._mean / (self._square.sqrt() + EPS), back=True)
        self._follow(gradient)
        if self._sides and self._n % RENEWED == 0:
            self._renew()

    def _follow(self, gradient: Tensor) -> None:
        """Keep the means of gradient times its transpose, from both sides."""
        for axis, side in enumerate(self._sides):
            if side is not None:
                squared = gradient @ gradient.T if axis == 0 else gradient.T @ gradient
                side.lerp_(squared, 1 - BETAS[1])

    def _turned(self, matrix: Tensor, *, back: bool = False) -> Tensor:
        """Into the bases, or back."""
        for axis, basis in enumerate(self._bases):
            if basis is not None:
                turn = basis if back else basis.T
                matrix = turn @ matrix if axis == 0 else matrix @ turn.T
        return matrix

    def _renew(self) -> None:
        """New bases, with the moments in them; squares are only put in the new order."""
        mean = self._turned(self._mean, back=True)
        for axis, (side, basis) in enumerate(zip(self._sides, self._bases, strict=True)):
            if side is not None and basis is not None:
                turned = side @ basis
                order = (basis * turned).sum(0).argsort(descending=True, stable=True)
                self._square = self._square.index_select(axis, order)
                self._bases[axis] = torch.linalg.qr(turned[:, order])[0]
        self._mean = self._turned(mean)
