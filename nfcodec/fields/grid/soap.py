"""SOAP for the networks of grids: Adam in the eigenbasis of Shampoo's preconditioner (Vyas et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nfcodec.exact.field import Parameters
from nfcodec.fields.grid.field import Grid
from nfcodec.kernels.arguments import Floats

Range = tuple[int, "int | None"]
"""First, and behind the last; None for the end."""

_ALL: Range = (0, None)

FEW_NEURONS = 4
"""With so few of them the 3 x 3 layers stay as they begin, at 0: small files have no room for their parameters."""


@dataclass(frozen=True)
class Part:
    """Some rows and columns of a tensor that belong together.

    Attributes:
        is_matrix: whether it is preconditioned from both sides; else it is moved as Adam does.
    """

    name: str
    is_matrix: bool = False
    rows: Range = _ALL
    cols: Range = _ALL

    def of(self, tensors: Parameters) -> Floats:
        """A view of it."""
        tensor, rows = tensors[self.name], slice(*self.rows)
        return tensor[rows, slice(*self.cols)] if tensor.ndim > 1 else tensor[rows]


def parts(field: Grid, channels: int) -> list[Part]:
    """The networks' tensors in layers, each with a preconditioner of its own; filters, biases and scales have none.

    The matrices are the two residual layers of the entropy model, what reads the second one, and the linear map beside;
    the maps of each grid; the hidden layer of the synthesis, the linear map beside, what reads the hidden layer, and
    both 3 x 3 layers, if the field has more than FEW_NEURONS.
    """
    n, hidden = field.n_inputs, field.n_hidden
    ends = np.cumsum([0, *field.n_coarser]).tolist()
    return [
        *(Part(name) for name in ("entropy_bias", "map_bias", "filters", "synthesis_bias", "scale", "offset")),
        *(Part("entropy", True, each) for each in ((0, n), (n, 2 * n), (2 * n, 2 * n + 2), (2 * n + 2, None))),
        *(Part("maps", True, cols=each) for each in pairwise(ends)),
        *(Part("synthesis", True, each) for each in ((0, hidden), (hidden, None))),
        Part("out", True),
        *(Part("near", True, each) for each in ((0, channels), (channels, None)) if hidden > FEW_NEURONS),
    ]


class Soap:
    """Moves tensors in place.

    Args:
        layers: parts of the tensors. The first gradient of a matrix makes the basis in which later ones are seen, and
            moves nothing.
        betas: decay of the mean of gradients; of their squares, and of the preconditioners.
        decay: share of the step by which tensors shrink, apart from the gradient.
    """

    def __init__(
        self, layers: Sequence[Part], betas: tuple[float, float] = (0.95, 0.95), decay: float = 0.01, eps: float = 1e-8
    ) -> None:
        self._vectors = [each for each in layers if not each.is_matrix]
        self._layers = [each for each in layers if each.is_matrix]
        self._betas, self._decay, self._eps = betas, decay, eps
        self._n = 0
        self._matrices: list[_Matrix] = []
        self._mean: Floats = np.zeros(0, np.float32)
        self._square: Floats = np.zeros(0, np.float32)

    def step(self, tensors: Parameters, gradients: Parameters, rate: float, renewed: int = 10) -> None:
        """One step.

        Args:
            rate: its size.
            renewed: steps between two renewals of the eigenbases, each a step of the power method and a QR.
        """
        vectors = [each.of(gradients).reshape(-1) for each in self._vectors]
        found = [each.of(gradients) for each in self._layers]
        if self._n == 0:
            self._begin(vectors, found)
        self._n += 1
        vector = np.concatenate(vectors)
        self._move(self._vectors, tensors, self._adam(vector, slice(vector.size), self._n) * rate, rate)
        if self._n == 1 or not found:
            return
        seen = np.concatenate(
            [each.into(matrix).reshape(-1) for each, matrix in zip(self._matrices, found, strict=True)]
        )
        moves = self._adam(seen, slice(vector.size, None), self._n - 1) * rate
        ends = np.cumsum([each.size for each in found])[:-1]
        moves = [
            each.out_of(move.reshape(matrix.shape)).reshape(-1)
            for each, matrix, move in zip(self._matrices, found, np.split(moves, ends), strict=True)
        ]
        self._move(self._layers, tensors, np.concatenate(moves), rate)
        for each, matrix in zip(self._matrices, found, strict=True):
            each.follow(matrix, self._betas[1])
        if (self._n - 1) % renewed == 0:
            self._renew(vector.size, found)

    def _begin(self, vectors: list[Floats], matrices: list[Floats]) -> None:
        self._matrices = [_Matrix(each, self._betas[1]) for each in matrices]
        size = sum(each.size for each in [*vectors, *matrices])
        self._mean, self._square = np.zeros(size, np.float32), np.zeros(size, np.float32)

    def _adam(self, gradient: Floats, where: slice, n: int) -> Floats:
        """The step of rate 1, and the moments' update."""
        beta_1, beta_2 = self._betas
        mean, square = self._mean[where], self._square[where]
        mean += (1 - beta_1) * (gradient - mean)
        square += (1 - beta_2) * (gradient * gradient - square)
        correction = (1 - beta_2**n) ** 0.5 / (1 - beta_1**n)
        return mean / (np.sqrt(square) + self._eps) * correction

    def _move(self, layers: list[Part], tensors: Parameters, moves: Floats, rate: float) -> None:
        first, kept = 0, 1 - rate * self._decay
        for each in layers:
            part = each.of(tensors)
            part -= moves[first : first + part.size].reshape(part.shape)
            part *= kept
            first += part.size

    def _renew(self, first: int, matrices: list[Floats]) -> None:
        for each, matrix in zip(self._matrices, matrices, strict=True):
            here = slice(first, first + matrix.size)
            mean, square = self._mean[here].reshape(matrix.shape), self._square[here].reshape(matrix.shape)
            self._mean[here], self._square[here] = (now.reshape(-1) for now in each.renewed(mean, square))
            first += matrix.size


class _Matrix:
    """The preconditioners of one matrix, and the bases of their eigenvectors."""

    def __init__(self, gradient: Floats, beta: float) -> None:
        self._sides: list[Floats] = [(1 - beta) * (each @ each.T) for each in _both(gradient)]
        self._bases: list[Floats] = [np.ascontiguousarray(np.linalg.eigh(each)[1][:, ::-1]) for each in self._sides]

    def into(self, matrix: Floats) -> Floats:
        return np.asarray(self._bases[0].T @ matrix @ self._bases[1], np.float32)

    def out_of(self, matrix: Floats) -> Floats:
        return np.asarray(self._bases[0] @ matrix @ self._bases[1].T, np.float32)

    def follow(self, gradient: Floats, beta: float) -> None:
        for side, each in zip(self._sides, _both(gradient), strict=True):
            side += (1 - beta) * (np.asarray(each @ each.T, np.float32) - side)

    def renewed(self, mean: Floats, square: Floats) -> tuple[Floats, Floats]:
        """The moments in new bases."""
        mean = self.out_of(mean)
        for axis, (side, basis) in enumerate(zip(self._sides, self._bases, strict=True)):
            turned = side @ basis
            order = np.argsort(-(basis * turned).sum(axis=0), kind="stable")
            square = np.take(square, order, axis)
            self._bases[axis] = np.linalg.qr(turned[:, order])[0]
        return self.into(mean), square


def _both(matrix: Floats) -> tuple[Floats, Floats]:
    """A matrix and its transpose."""
    return matrix, np.asarray(matrix.T, np.float32)
