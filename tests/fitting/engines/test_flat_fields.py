"""Fields on flat vectors against the torch reference; on the CPU where there is no GPU, Triton kernels interpreted."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from nfcodec.errors import EngineError
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.cuda import FlatNgp, FusedNetwork, PlainNetwork
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fields.siren.cuda import FlatSiren
from nfcodec.fields.siren.field import Siren
from nfcodec.fitting.engines import Objective
from nfcodec.fitting.engines.cuda import fields as flat_fields
from nfcodec.fitting.engines.torch import TorchEngine
from tests.fitting.engines.starts import first, tables_of

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
LEVELS = (HashLevel(7.25, 9, 88, 2), HashLevel(20.5, 22, 128, 2), HashLevel(40.5, 42, 1 << 9, 2))
FIELDS = {
    "siren": Siren(width=12, hidden_layers=2),
    "encoded siren": Siren(width=12, hidden_layers=2, frequencies=3),
    "encoding alone": Siren(width=1, hidden_layers=0, frequencies=2),
    "one sine layer": Siren(width=8, hidden_layers=0),
    "two layers, fused": Ngp(LEVELS, hidden=(16, 16)),
    "one layer, fused": Ngp(LEVELS, hidden=(32,)),
    "three layers": Ngp(LEVELS, hidden=(16, 12, 8)),
    "eight features": Ngp((HashLevel(7.25, 9, 88, 8), HashLevel(20.5, 22, 128, 8)), hidden=(16,)),
    "one feature": Ngp((HashLevel(7.25, 9, 88, 1), HashLevel(20.5, 22, 128, 1)), hidden=(24,)),
}


@pytest.fixture
def make_field():
    def make(problem):
        if isinstance(problem.field, Siren):
            return FlatSiren(problem.field, problem.geometry, DEVICE)
        pytest.importorskip("triton")
        return FlatNgp(problem.field, problem.geometry, DEVICE)

    return make


def start(problem, seed: int = 0):
    """Parameters that are not too small for any of them to matter."""
    rng = np.random.default_rng(seed)
    scale = 0.01 if isinstance(problem.field, Siren) else 0.3
    parameters = first(problem, seed)
    return {name: value + rng.normal(0, scale, value.shape).astype(np.float32) for name, value in parameters.items()}


@pytest.mark.parametrize("spec", FIELDS.values(), ids=FIELDS.keys())
@pytest.mark.parametrize("shape", [(24, 20, 3), (11, 70, 1), (1, 1, 1), (150, 1, 2)])
def test_outputs_and_gradients_are_the_reference_s(make_problem, make_field, spec, shape):
    problem = make_problem(spec, *shape)
    parameters = start(problem)
    field, reference = make_field(problem), TorchEngine(problem, parameters, Objective(), 0)
    flat = torch.from_numpy(field.flatten(parameters)).to(DEVICE)
    targets, gradient = torch.from_numpy(problem.targets).to(DEVICE), torch.zeros(field.size, device=DEVICE)
    reference.gradient()
    for band in field.bands:
        out = field.forward(flat, band, keep=True)
        assert np.allclose(out.cpu().numpy(), reference.outputs()[band], atol=2e-5)
        field.backward((out - targets[band]) * (2 / targets.numel()), gradient)
    found = field.unflatten(gradient.cpu().numpy())
    for name, expected in reference.gradients().items():
        assert np.abs(found[name] - expected).max() <= 2e-4 * np.abs(expected).max() + 1e-9, name


@pytest.mark.parametrize("spec", [FIELDS["siren"], FIELDS["two layers, fused"]], ids=["siren", "ngp"])
def test_bands_do_not_change_the_gradient(make_problem, make_field, monkeypatch, spec):
    problem = make_problem(spec)
    flat, gradients = None, []
    for floats in (1 << 31, 6000):
        monkeypatch.setattr(flat_fields, "BAND_FLOATS", floats)
        field = make_field(problem)
        flat = torch.from_numpy(field.flatten(start(problem))).to(DEVICE)
        gradients.append(torch.zeros(field.size, device=DEVICE))
        for band in field.bands:
            field.backward(field.forward(flat, band, keep=True), gradients[-1])
        assert (len(field.bands) > 1) == (floats == 6000)
        assert [field.bands[0].start, field.bands[-1].stop] == [0, problem.geometry.n_pixels]
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-4)


def test_gradients_are_added_up(make_problem, make_field):
    problem = make_problem(FIELDS["two layers, fused"])
    field = make_field(problem)
    flat, gradient = torch.from_numpy(field.flatten(start(problem))).to(DEVICE), torch.zeros(field.size, device=DEVICE)
    for _ in range(2):
        field.backward(field.forward(flat, field.bands[0], keep=True), gradient)
    once = torch.zeros(field.size, device=DEVICE)
    field.backward(field.forward(flat, field.bands[0], keep=True), once)
    assert torch.allclose(gradient, 2 * once, rtol=1e-4, atol=1e-5)


def test_vectors_hold_all_parameters_levels_first(make_problem, make_field):
    for spec in (FIELDS["siren"], FIELDS["three layers"]):
        problem = make_problem(spec)
        field, parameters = make_field(problem), start(problem)
        flat = field.flatten(parameters)
        assert flat.size == field.size == sum(value.size for value in parameters.values())
        back = field.unflatten(flat)
        assert all(np.array_equal(back[name], value) for name, value in parameters.items())
        n_grid = sum(parameters[name].size for name in tables_of(problem))
        assert field.grid == slice(0, n_grid)


def test_kernels_are_for_networks_of_their_shape(make_problem, make_field):
    kinds = {
        name: type(make_field(make_problem(spec))._network) for name, spec in FIELDS.items() if isinstance(spec, Ngp)
    }
    assert kinds == {
        "two layers, fused": FusedNetwork, "one layer, fused": FusedNetwork, "three layers": PlainNetwork,
        "eight features": FusedNetwork, "one feature": PlainNetwork,
    }  # fmt: skip


def test_levels_of_several_widths_are_refused():
    with pytest.raises(EngineError, match="as many features"):
        FlatNgp(Ngp((LEVELS[0], HashLevel(20.5, 22, 128, 4))), Geometry(8, 8, 1), DEVICE)


def test_without_triton_there_is_no_ngp(monkeypatch):
    monkeypatch.setitem(sys.modules, "nfcodec.fields.ngp.triton_kernels", None)
    with pytest.raises(EngineError, match="Triton cannot be imported"):
        FlatNgp(FIELDS["three layers"], Geometry(8, 8, 1), DEVICE)


@pytest.mark.parametrize("name", ["siren", "encoded siren", "three layers"])
def test_examples_are_of_any_size(make_problem, make_field, name):
    problem = make_problem(FIELDS[name])
    for channels in (1, 3):
        example = make_field(problem).example(Geometry(5, 4, channels))
        layout = problem.field.layout(Geometry(5, 4, channels))
        assert {name: value.shape for name, value in example.items()} == {each.name: each.shape for each in layout}
        assert all(value.any() for value in example.values())
