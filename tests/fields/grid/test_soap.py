from __future__ import annotations

import numpy as np
import pytest

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.soap import FEW_NEURONS, Part, Soap, parts

BETA, EPS, DECAY, RATE, RENEWED = 0.95, 1e-8, 0.01, 0.02, 3


class WholeSoap:
    """SOAP of one whole matrix in double precision, as its paper has it (Vyas et al. 2024)."""

    def __init__(self, tensor: np.ndarray) -> None:
        self.tensor, self._n = tensor.astype(np.float64), 0
        self._mean, self._square = np.zeros(tensor.shape), np.zeros(tensor.shape)

    def step(self, gradient: np.ndarray) -> None:
        gradient = gradient.astype(np.float64)
        sides = gradient @ gradient.T, gradient.T @ gradient
        if self._n == 0:
            self._sides = [(1 - BETA) * each for each in sides]
            self._left, self._right = (np.linalg.eigh(each)[1][:, ::-1] for each in self._sides)
            self._n = 1
            return
        turned = self._left.T @ gradient @ self._right
        self._mean = BETA * self._mean + (1 - BETA) * turned
        self._square = BETA * self._square + (1 - BETA) * turned**2
        correction = (1 - BETA**self._n) ** 0.5 / (1 - BETA**self._n)
        move = self._left @ (self._mean / (self._square**0.5 + EPS)) @ self._right.T
        self.tensor = (self.tensor - RATE * correction * move) * (1 - RATE * DECAY)
        self._sides = [BETA * old + (1 - BETA) * new for old, new in zip(self._sides, sides, strict=True)]
        if self._n % RENEWED == 0:
            self._renew()
        self._n += 1

    def _renew(self) -> None:
        mean = self._left @ self._mean @ self._right.T
        left, right = (
            np.argsort(-np.diag(basis.T @ side @ basis))
            for side, basis in zip(self._sides, (self._left, self._right), strict=True)
        )
        self._square = self._square[left][:, right]
        self._left = np.linalg.qr(self._sides[0] @ self._left[:, left])[0]
        self._right = np.linalg.qr(self._sides[1] @ self._right[:, right])[0]
        self._mean = self._left.T @ mean @ self._right


def test_each_network_entry_is_in_one_layer():
    field, geometry = Grid(), Geometry(20, 30, 3)
    counts = {each.name: np.zeros(each.shape) for each in field.layout(geometry) if each.name != "latents"}
    for part in parts(field, geometry.channels):
        each = part.of(counts)
        each += 1
    assert all((each == 1).all() for each in counts.values())


def test_few_neurons_leave_the_layers_of_neighbours_where_they_begin():
    names = [{part.name for part in parts(Grid(n_hidden=n), 3)} for n in (FEW_NEURONS, FEW_NEURONS + 1)]
    assert names[1] - names[0] == {"near"}


def test_matrices_move_by_soap_and_vectors_by_adam():
    """With square matrices, whose gradients have one eigenbasis, cut from one tensor."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    tensors = {"both": rng.normal(size=(10, 5)).astype(np.float32), "bias": rng.normal(size=4).astype(np.float32)}
    soap = Soap([Part("bias"), Part("both", True, (0, 5)), Part("both", True, (5, None))], (BETA, BETA), DECAY, EPS)
    halves = [WholeSoap(each) for each in np.split(tensors["both"], 2)]
    bias = torch.nn.Parameter(torch.from_numpy(tensors["bias"]).double())
    adam = torch.optim.AdamW([bias], RATE, (BETA, BETA), EPS, weight_decay=DECAY)
    for _ in range(20):
        gradients = {name: rng.normal(size=each.shape).astype(np.float32) + each for name, each in tensors.items()}
        for half, gradient in zip(halves, np.split(gradients["both"], 2), strict=True):
            half.step(gradient)
        bias.grad = torch.from_numpy(gradients["bias"]).double()
        adam.step()
        soap.step(tensors, gradients, RATE, RENEWED)
    assert tensors["both"] == pytest.approx(np.concatenate([half.tensor for half in halves]), abs=1e-4)
    assert tensors["bias"] == pytest.approx(bias.detach().numpy(), abs=1e-4)
