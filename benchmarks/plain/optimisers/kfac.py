"""K-FAC: Gauss-Newton steps with Kronecker-factored curvature (Martens & Grosse, ICML 2015, arXiv 1503.05671).

The Gauss-Newton matrix of the squared error of a linear layer is close to 2 A x G: A = E[a a^T] of the layer's inputs,
with a 1 for the bias, and G = E[g g^T] of the derivatives of the field's value with respect to the layer's outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.plain.field import Field
from benchmarks.plain.optimiser import Optimiser, adam, all_but


@dataclass
class _Factors:
    """A (in, in) and G (out, out) of a layer."""

    inputs: Tensor
    outputs: Tensor


class Kfac(Optimiser):
    """K-FAC for linear layers, and Adam at the field's usual rate for what is in none, such as tables.

    Momentum, damping and its schedule are those of the codec's own K-FAC for SIRENs (docs/why/siren.md): Martens and
    Grosse's division of the damping among the factors, a damping that shrinks after steps that made the loss smaller
    and grows after others, and factors that are averaged over steps. The codec's damping also follows the slope of the
    transform, which an optimiser here does not know. The curvature is that of the squared error whatever the loss.

    Attributes:
        damping, least_damping: at the start, and at least; at a rate of 1/4 they are divided by the width.
        easing, tightening: factors on the damping after a step that made the loss smaller, and after one that did not.
        keep: share of the old factors in the new ones.
        share, least: one pixel in so many is looked at for the factors; at least so many for each neuron.
    """

    momentum = 0.5
    damping, least_damping = 3.2, 0.02
    easing, tightening = 0.9, 4.0
    keep = 0.5
    share, least = 16, 4

    def __init__(self, field: Field, rate: float) -> None:
        self._field, self._rate = field, rate
        self._layers = [each for each in field.modules() if isinstance(each, nn.Linear)]
        self._width = max(each.in_features for each in self._layers)
        rest = all_but(field, (each for layer in self._layers for each in layer.parameters()))
        self._rest = adam(field, rest, 2.0 ** field.first_log2_rate(self._width)) if rest else None
        self._generator = torch.Generator().manual_seed(0)
        self._ease, self._last = 1.0, math.inf
        self._factors: list[_Factors] = []
        self._moves: list[Tensor] = []

    @classmethod
    def first_log2_rate(cls, field: type[Field], width: int) -> int:
        """Whole Gauss-Newton steps have a rate of 1."""
        return -2

    def step(self, loss: float) -> None:
        if self._last < math.inf:
            self._ease = self._ease * self.easing if loss < self._last else min(1.0, self._ease * self.tightening)
        self._last = loss
        self._look()
        damping = max(self.damping * self._ease, self.least_damping) / self._width * 0.25 / self._rate
        moves = [
            -self._rate / 2 * solved(_gradient(layer), factors.inputs, factors.outputs, damping)
            for layer, factors in zip(self._layers, self._factors, strict=True)
        ]
        if self._moves:
            moves = [self.momentum * old + move for old, move in zip(self._moves, moves, strict=True)]
        self._moves = moves
        with torch.no_grad():
            for layer, move in zip(self._layers, moves, strict=True):
                layer.weight.add_(move[:, : layer.in_features])
                if layer.bias is not None:
                    layer.bias.add_(move[:, -1])
        if self._rest:
            self._rest.step()

    def _look(self) -> None:
        """Renew the factors from some pixels."""
        seen = self._moments()
        if not self._factors:
            self._factors = [_Factors(*pair) for pair in seen]
        for factors, (inputs, outputs) in zip(self._factors, seen, strict=True):
            factors.inputs.lerp_(inputs, 1 - self.keep)
            factors.outputs.lerp_(outputs, 1 - self.keep)

    def _moments(self) -> list[tuple[Tensor, Tensor]]:
        """A and G of each layer at some pixels. A layer that is used several times for a pixel counts each time."""
        places = self._field.places
        n = min(len(places), max(len(places) // self.share, self.least * self._width))
        some = torch.randperm(len(places), generator=self._generator)[:n]
        uses: list[list[tuple[Tensor, Tensor]]] = [[] for _ in self._layers]
        hooks = [
            layer.register_forward_hook(lambda _, args, out, each=each: each.append((args[0].detach(), out)))
            for layer, each in zip(self._layers, uses, strict=True)
        ]
        try:
            values = self._field(places[some.to(places.device)])
        finally:
            for hook in hooks:
                hook.remove()
        slopes = iter(torch.autograd.grad(values.sum(), [out for each in uses for _, out in each]))
        found: list[tuple[Tensor, Tensor]] = []
        for layer, each in zip(self._layers, uses, strict=True):
            a, g = torch.cat([inputs for inputs, _ in each]), torch.cat([next(slopes) for _ in each])
            if layer.bias is not None:
                a = torch.cat([a, a.new_ones(len(a), 1)], 1)
            found.append((a.T @ a / len(a), g.T @ g / n))
        return found


def _gradient(layer: nn.Linear) -> Tensor:
    """(out, in), with the bias as one more column."""
    slopes = [each.grad for each in layer.parameters()]
    return torch.cat([each if each.ndim == 2 else each[:, None] for each in slopes if each is not None], 1)


def solved(gradient: Tensor, a: Tensor, g: Tensor, damping: float) -> Tensor:
    """(G + damping / r)^-1 gradient (A + damping r)^-1; r splits the square root of the damping by mean eigenvalue."""
    root = math.sqrt(damping)
    ratio = ((a.trace() / len(a)) / (g.trace() / len(g)).clamp(min=1e-30)).sqrt()
    left = torch.linalg.solve_ex(_damped(g, root / ratio), gradient)[0]
    return torch.linalg.solve_ex(_damped(a, root * ratio), left.T)[0].T


def _damped(matrix: Tensor, damping: Tensor) -> Tensor:
    return matrix + damping * torch.eye(len(matrix), device=matrix.device)
