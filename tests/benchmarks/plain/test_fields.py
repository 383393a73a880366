"""Fields in plain PyTorch, against formulas and against the codec's engines."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from benchmarks.paper.arms import Arm, arm
from benchmarks.paper.programs import EngineProgram, Run
from benchmarks.plain import fields
from benchmarks.plain.field import Field
from benchmarks.plain.fields import wire
from benchmarks.plain.fields.ffn import SIGMA, Ffn
from benchmarks.plain.fields.finer import Finer
from benchmarks.plain.fields.hash_grid import HashGrid
from benchmarks.plain.fields.siren import Siren
from benchmarks.plain.found import named, names
from benchmarks.plain.optimisers.adam import Adam
from benchmarks.plain.protocol import PlainFit, Recipe
from nfcodec.fields import Ngp
from nfcodec.fields import Siren as CodecSiren

SIDE = 16
PICTURE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)


def plain(name: type[Field], transformed: Arm, rate: float, width: int | None = 8) -> PlainFit:
    return PlainFit(transformed, Recipe(name, Adam, width=width), rate)


@pytest.mark.parametrize("name", names(fields))
def test_a_field_has_one_number_for_each_place_and_depends_on_its_seed(name: str) -> None:
    made = named(fields, name, Field)
    torch.manual_seed(0)
    one, again, other = made(SIDE, 12), None, None
    torch.manual_seed(0)
    again, other = made(SIDE, 12), made(SIDE, 12)
    values = one(one.places)
    assert values.shape == (SIDE * SIDE, 1)
    assert values.dtype == torch.float32
    assert torch.all(torch.isfinite(values))
    assert torch.equal(values, again(again.places))
    assert not torch.equal(values, other(other.places))
    assert all(not each.is_complex() for each in one.parameters())


def test_places_are_in_raster_order() -> None:
    places = Siren(3, 4).places
    assert places[:4].tolist() == [[-1, -1], [0, -1], [1, -1], [-1, 0]]


def same_steps(ours: PlainFit, theirs: EngineProgram, within_db: float, steps: int = 12) -> None:
    """Both begin with the codec's parameters, whose tensors come in the same order."""
    start = theirs.parameters(0)
    assert [value.shape for value in start.values()] == [value.shape for value in ours.parameters().values()]
    ours.restore(dict(zip(ours.parameters(), start.values(), strict=True)))
    for _ in range(steps):
        assert ours.psnr_db() == pytest.approx(theirs.psnrs([0])[0], abs=within_db)
        ours.update()
        theirs.update([0])
    assert np.abs(ours.outputs() - theirs.outputs(0)).mean() < within_db / 10


@pytest.mark.parametrize("chain", ["rpp", "gamma:2"])
def test_a_siren_takes_the_steps_of_the_codecs(chain: str) -> None:
    transformed = arm(chain, PICTURE)
    theirs = EngineProgram(CodecSiren(8), SIDE, [Run(transformed, 2.0**-9)])
    same_steps(plain(Siren, transformed, 2.0**-9), theirs, 2e-3)


def test_a_hash_grid_takes_the_steps_of_instant_ngp() -> None:
    transformed = arm("rpp", PICTURE)
    theirs = EngineProgram(Ngp.instant(SIDE), SIDE, [Run(transformed, 2.0**-7)])
    same_steps(plain(HashGrid, transformed, 2.0**-7, None), theirs, 0.03)  # the codec rounds places to 2^-12 of a cell


def test_the_first_weights_of_a_siren_are_the_papers() -> None:
    torch.manual_seed(0)
    first, *hidden, _ = (weight.detach() for weight in Siren(8, 96).matrices)
    assert 0.48 < first.abs().max() <= 0.5
    bound = (6 / 96) ** 0.5 / 30
    assert all(0.97 * bound < weight.abs().max() <= bound for weight in hidden)


def test_the_wavelet_is_as_its_formula_has_it() -> None:
    z = np.random.default_rng(0).normal(0, 0.05, (50, 2)) @ np.array([1, 1j])
    expected = np.exp(1j * wire.OMEGA_0 * z) * np.exp(-(np.abs(wire.SCALE_0 * z) ** 2))
    np.testing.assert_allclose(wire.gabor(torch.from_numpy(z)).numpy(), expected, rtol=1e-9, atol=1e-30)
    real = wire.gabor(torch.from_numpy(z.real)).numpy()
    np.testing.assert_allclose(np.abs(real), np.exp(-(np.abs(wire.SCALE_0 * z.real) ** 2)), rtol=1e-9, atol=1e-30)


def test_wires_layers_are_complex_maps() -> None:
    torch.manual_seed(0)
    layer = wire.Wire(4, 9).hidden[0]
    x = torch.randn(5, 6, dtype=torch.complex64)
    weight = torch.complex(layer.real.weight, layer.imaginary.weight)
    torch.testing.assert_close(layer(x), x @ weight.T + torch.complex(*layer.bias))


def test_finers_sines_speed_up_with_their_argument() -> None:
    z = torch.linspace(-1, 1, 31, dtype=torch.float64, requires_grad=True)
    values = Finer(2, 3).activation(z)
    frequency = 30 * (z.detach().abs() + 1)
    torch.testing.assert_close(values, torch.sin(frequency * z))
    (slopes,) = torch.autograd.grad(values.sum(), z)  # |z| + 1 counts as a constant
    torch.testing.assert_close(slopes, frequency * torch.cos(frequency * z))


def test_fourier_features_are_of_fixed_random_frequencies() -> None:
    torch.manual_seed(0)
    field = Ffn(SIDE, 400)
    assert "frequencies" not in dict(field.named_parameters())
    assert field.frequencies.std().item() == pytest.approx(SIGMA, rel=0.1)
    seen: list[torch.Tensor] = []
    field.network[0].register_forward_hook(lambda layer, args, out: seen.append(args[0]))
    field(field.places[:1] + torch.tensor([[0.25, 0.5]]))
    phases = 2 * np.pi * (field.frequencies[0] * 0.25 + field.frequencies[1] * 0.5)
    torch.testing.assert_close(seen[0][0], torch.cat([phases.cos(), phases.sin()]), atol=1e-4, rtol=0)
