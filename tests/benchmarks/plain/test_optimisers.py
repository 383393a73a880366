"""Optimisers in plain PyTorch, against what they are said to compute."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from benchmarks.plain.field import Field
from benchmarks.plain.fields.hash_grid import HashGrid
from benchmarks.plain.fields.siren import Siren
from benchmarks.plain.fields.wire import Wire
from benchmarks.plain.optimisers.adam import Adam
from benchmarks.plain.optimisers.kfac import Kfac
from benchmarks.plain.optimisers.muon import Muon
from benchmarks.plain.optimisers.soap import BETAS, EPS, RENEWED, Soap
from nfcodec.errors import UsageError
from nfcodec.fields.grid.soap import Part
from nfcodec.fields.grid.soap import Soap as CodecSoap

RATE = 0.01


def before_and_after(field: Field, optimiser: type, loss: float = 1.0) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """A step with random gradients: names, old values, and moves."""
    generator = torch.Generator().manual_seed(0)
    for each in field.parameters():
        each.grad = torch.randn(each.shape, generator=generator)
    old = {name: each.detach().clone() for name, each in field.named_parameters()}
    optimiser(field, RATE).step(loss)
    return [(name, old[name], each.detach() - old[name]) for name, each in field.named_parameters()]


@pytest.mark.parametrize("field", [Siren, HashGrid, Wire])
def test_adams_first_step_has_one_length_everywhere(field: type[Field]) -> None:
    for _, _, move in before_and_after(field(8, 6), Adam):
        torch.testing.assert_close(move.abs(), torch.full_like(move, RATE), atol=1e-5, rtol=0)


def test_fields_have_adam_constants_of_their_own() -> None:
    field = HashGrid(8, 6)
    for each in field.parameters():
        each.grad = torch.full_like(each, 1e-12)  # an eps of 1e-8 would stop this
    old = field.tables[0].detach().clone()
    Adam(field, RATE).step(1.0)
    torch.testing.assert_close(old - field.tables[0], torch.full_like(old, RATE), atol=1e-4, rtol=0)


def test_muon_moves_hidden_matrices_as_far_in_all_directions() -> None:
    torch.manual_seed(0)
    moves = {name: move for name, _, move in before_and_after(Siren(8, 12), Muon)}
    for i in (1, 2, 3):
        lengths = torch.linalg.svdvals(moves[f"layers.{i}.weight"]) / (RATE * 0.2 * 12**0.5)
        assert lengths.max() < 1.3
        assert lengths.median() > 0.6
    for name in ("layers.0.weight", "layers.4.weight", "layers.2.bias"):
        torch.testing.assert_close(moves[name].abs(), torch.full_like(moves[name], RATE), atol=1e-5, rtol=0)


def test_an_old_torch_has_no_muon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(UsageError, match=r"torch 2\.9"):
        Muon(Siren(8, 12), RATE)


class Quadratic(Field):
    """One matrix, and a bias as one more parameter."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__(2, 2)
        self.weight, self.bias = nn.Parameter(weight.clone()), nn.Parameter(torch.ones(5))

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        return places[:, :1]

    def set_gradients(self, step: int) -> None:
        """Of a badly conditioned quadratic, with noise, as the same numbers in each run."""
        generator = torch.Generator().manual_seed(step)
        noise = torch.randn(self.weight.shape, generator=generator)
        self.weight.grad = self.weight.detach() * torch.arange(1.0, 5.0)[:, None] + 0.3 * noise
        self.bias.grad = self.bias.detach() + 0.1 * torch.randn(5, generator=generator)


def start() -> torch.Tensor:
    return torch.randn(4, 4, generator=torch.Generator().manual_seed(7))


def test_soap_is_adam_in_a_rotated_basis() -> None:
    ours = Quadratic(start())
    soap = Soap(ours, RATE)
    ours.set_gradients(0)
    gradient = ours.weight.grad
    left, right = (torch.linalg.eigh(each)[1].flip(1) for each in (gradient @ gradient.T, gradient.T @ gradient))
    soap.step(1.0)
    torch.testing.assert_close(ours.weight.detach(), start())  # the first gradient makes the basis
    rotated = nn.Parameter(left.T @ start() @ right)
    adam = torch.optim.Adam([rotated], RATE, betas=BETAS, eps=EPS)
    for step in range(1, RENEWED):
        ours.set_gradients(step)
        rotated.grad = left.T @ ours.weight.grad @ right
        soap.step(1.0)
        adam.step()
        torch.testing.assert_close(ours.weight.detach(), left @ rotated.detach() @ right.T, atol=1e-5, rtol=0)


def test_soap_takes_the_steps_of_the_codecs() -> None:
    ours = Quadratic(start())
    theirs = {"weight": start().numpy().copy(), "bias": np.ones(5, np.float32)}
    soap, codecs = Soap(ours, RATE), CodecSoap([Part("weight", True), Part("bias")], decay=0.0)
    for step in range(3 * RENEWED):
        ours.set_gradients(step)
        gradients = {name: each.grad.numpy().copy() for name, each in ours.named_parameters()}
        soap.step(1.0)
        codecs.step(theirs, gradients, RATE, RENEWED)
    for name, each in ours.named_parameters():
        np.testing.assert_allclose(each.detach().numpy(), theirs[name], atol=2e-4)
    assert np.abs(theirs["weight"] - start().numpy()).max() > 0.1


class Linear(Field):
    """Linear in features of places, so that fitting it is a least squares problem; used twice if it is `shared`."""

    def __init__(self, bias: bool, shared: bool) -> None:
        super().__init__(6, 3)
        self.layer, self.shared = nn.Linear(3, 1, bias=bias), shared

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        features = torch.cat([places, places.prod(1, keepdim=True)], 1)
        return self.layer(features) - (self.layer(-features) if self.shared else 0)


class WholeSteps(Kfac):
    damping, least_damping, share = 1e-9, 1e-9, 1


@pytest.mark.parametrize(("bias", "shared"), [(True, False), (False, False), (False, True)])
def test_kfac_solves_least_squares_in_one_step(bias: bool, shared: bool) -> None:
    torch.manual_seed(0)
    field = Linear(bias, shared)
    targets = torch.randn(36, 1)
    loss = (field(field.places) - targets).square().mean()
    loss.backward()
    WholeSteps(field, 0.5 if shared else 1.0).step(loss.item())
    # a layer that is used twice counts as two that are alike, whose curvature is half of what it is for both together
    features = torch.cat([field.places, field.places.prod(1, keepdim=True), torch.ones(36, 1 if bias else 0)], 1)
    best = torch.linalg.lstsq(features, targets).solution
    found = (field(field.places) - targets).square().mean()
    assert found.item() == pytest.approx((features @ best - targets).square().mean().item(), rel=1e-4)
    assert found < 0.99 * loss


def test_kfac_goes_down_faster_than_adam() -> None:
    def losses(optimiser: type, rate: float) -> list[float]:
        torch.manual_seed(0)
        field = Siren(12, 16)
        made, targets = optimiser(field, rate), torch.sin(5 * field.places[:, :1]) * field.places[:, 1:]
        found: list[float] = []
        for _ in range(40):
            field.zero_grad()
            loss = (field(field.places) - targets).square().mean()
            loss.backward()
            made.step(loss.item())
            found.append(loss.item())
        return found

    assert losses(Kfac, 0.25)[-1] < 0.1 * losses(Adam, 2.0**-8)[-1]


def test_kfac_moves_tables_and_biases_of_their_own_as_adam_does() -> None:
    moves = {name: move for name, _, move in before_and_after(HashGrid(8, 6), Kfac)}
    assert moves["tables.0"].abs().max().item() == pytest.approx(2.0**-7, rel=1e-3)
    assert moves["network.0.weight"].abs().max() > 0
