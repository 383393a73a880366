from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.descent import LARGEST_NORM, Descent, Iteration
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.numba import GridProgram
from nfcodec.fields.grid.program import EPS
from nfcodec.fields.grid.soap import parts
from nfcodec.fields.grid.start import start
from nfcodec.workers import Workers

SAMPLE = Path(__file__).parents[3] / "benchmarks" / "data" / "sample.png"
SMALL = Grid(n_levels=4, n_hyper=1, n_neighbours=6, n_mapped=2, n_hidden=8)
LOP = Grid(n_neighbours=6, n_mapped=2, n_hidden=8)
SOFT = Iteration(1e-3, 0.3, 0.0, 1e-2, 0.0)


def descent_of(problem, gain=1.0, n_threads=1):
    program = GridProgram(problem.field, problem.geometry, problem.target, problem.weights, Workers(n_threads))
    return Descent(program, problem.parameters, gain)


def test_latents_move_as_those_of_torch(grid_problem):
    """By Adam, through soft rounding, twice; networks stay."""
    torch = pytest.importorskip("torch")
    from nfcodec.fields.grid.torch import TorchGrid, soft_round

    problem, gain = grid_problem(SMALL, 21, 30, 3), 2.0
    descent = descent_of(problem, gain)
    latents = torch.nn.Parameter(torch.tensor(problem.parameters["latents"], dtype=torch.float64))
    networks = {name: torch.from_numpy(each).double() for name, each in descent.networks.items()}
    adam, model = torch.optim.Adam([latents], SOFT.latent_rate, eps=EPS), TorchGrid(SMALL, problem.geometry)
    for _ in range(2):
        seen = soft_round(soft_round(latents * gain, SOFT.temperature), SOFT.temperature)
        picture, bits = model({"latents": seen, **networks})
        error = (picture - torch.from_numpy(problem.target)).square().mean()
        adam.zero_grad()
        (error + SOFT.rate_weight * bits.sum() / problem.geometry.n_pixels).backward()
        adam.step()
        found = descent.step(SOFT)
        assert found.error == pytest.approx(error.item(), rel=1e-4)
        assert found.bits == pytest.approx(bits.sum().item(), rel=1e-4)
    moved = latents.detach().numpy().reshape(-1)
    assert np.abs(descent.latents - moved).max() < 0.05 * np.abs(moved - problem.parameters["latents"][:, 0]).max()
    assert np.abs(descent.latents - moved).mean() < 1e-5


def test_noise_is_of_the_deviation_asked_for(grid_problem):
    """Warm soft rounding changes nothing, so that noise is what is left."""
    problem = grid_problem(SMALL, 100, 120, 3)
    descent = descent_of(problem)
    descent._latents.soften(temperature=50.0, noise=0.2)
    program = descent.program
    seen = np.zeros_like(descent.latents)
    for place, lattice in zip(program._grids.places, problem.field.lattices(problem.geometry), strict=True):
        first, pitch, rows, cols = map(int, place)
        entries = program.seen[first : first + rows * pitch].reshape(rows, pitch)[:, :cols]
        seen[lattice.entries] = entries.reshape(-1)
    noise = seen - descent.latents
    assert float(noise.std()) == pytest.approx(0.2, rel=0.03)
    assert float(noise.mean()) == pytest.approx(0, abs=0.01)


def test_with_hard_rounding_only_networks_move(grid_problem):
    problem = grid_problem(SMALL, 21, 30, 3)
    descent = descent_of(problem)
    before = descent.evaluate()
    hard = replace(SOFT, temperature=0.0, network_rate=1e-3)
    assert descent.step(hard) == before
    descent.step(hard)
    assert np.array_equal(descent.latents, problem.parameters["latents"][:, 0])
    assert np.array_equal(descent.rounded(), np.floor(descent.latents + 0.5))
    assert any(not np.array_equal(each, problem.parameters[name]) for name, each in descent.networks.items())


def test_fits_go_the_same_way_with_two_threads(grid_problem):
    problem = grid_problem(SMALL, 40, 50, 3)
    fits = [descent_of(problem, n_threads=n) for n in (1, 2)]
    for fit in fits:
        for _ in range(5):
            fit.step(replace(SOFT, noise=0.2, network_rate=1e-2))
    assert np.array_equal(fits[0].latents, fits[1].latents)
    for name, each in fits[0].networks.items():
        assert np.array_equal(each, fits[1].networks[name]), name


def test_vectors_of_networks_move_by_adam_of_clipped_gradients(grid_problem):
    """With hard rounding, twice; the first gradient moves no matrix, so that both gradients are known to torch."""
    torch = pytest.importorskip("torch")
    from nfcodec.fields.grid.torch import TorchGrid

    hard = replace(SOFT, rate_weight=0.1, temperature=0.0, network_rate=1e-2)
    problem = grid_problem(SMALL, 21, 30, 3)
    descent = descent_of(problem)
    networks = {name: torch.nn.Parameter(torch.from_numpy(each).double()) for name, each in descent.networks.items()}
    vectors = {part.name: networks[part.name] for part in parts(SMALL, 3) if not part.is_matrix}
    adam = torch.optim.AdamW(vectors.values(), hard.network_rate, (0.95, 0.95), weight_decay=0.01)
    model = TorchGrid(SMALL, problem.geometry)
    latents = torch.from_numpy(descent.rounded()).double()
    for _ in range(2):
        picture, bits = model({"latents": latents, **networks})
        error = (picture - torch.from_numpy(problem.target)).square().mean()
        loss = error + hard.rate_weight * bits.sum() / problem.geometry.n_pixels
        for each, gradient in zip(networks.values(), torch.autograd.grad(loss, [*networks.values()]), strict=True):
            each.grad = gradient
        assert torch.nn.utils.clip_grad_norm_(networks.values(), LARGEST_NORM) > LARGEST_NORM
        adam.step()
        descent.step(hard)
    for name, each in vectors.items():
        assert descent.networks[name] == pytest.approx(each.detach().numpy(), abs=1e-4), name


@pytest.mark.slow
def test_fits_are_worth_those_of_torch():
    """With torch's Adam for all tensors, in 200 iterations and on the mean of starts, which differ by up to a half."""
    torch = pytest.importorskip("torch")
    from nfcodec.fields.grid.torch import TorchGrid, soft_round

    rows, gain, n = (slice(40, 104), slice(60, 124)), 16.0, 200
    samples = np.asarray(Image.open(SAMPLE).convert("RGB"))[rows].transpose(2, 0, 1)
    target, geometry = np.ascontiguousarray(samples, np.float32) / 255, Geometry(64, 64, 3)
    how, model = Iteration(1e-3, 0.3, 0.2, 1e-2, 1e-2), TorchGrid(LOP, geometry)

    def loss_of(tensors, latents):
        picture, bits = model({**tensors, "latents": latents})
        error = (picture - torch.from_numpy(target)).square().mean()
        return error + how.rate_weight * bits.sum() / geometry.n_pixels

    ours, others = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        parameters = start(LOP, geometry, target.min((1, 2)), target.max((1, 2)), np.random.default_rng(seed))
        descent = Descent(GridProgram(LOP, geometry, target, None, Workers(1)), parameters, gain, seed)
        tensors = {name: torch.nn.Parameter(torch.from_numpy(each)) for name, each in parameters.items()}
        adam = torch.optim.Adam(tensors.values(), how.latent_rate)
        for _ in range(n):
            descent.step(how)
            soft = soft_round(tensors["latents"] * gain, how.temperature)
            seen = soft_round(soft + how.noise * torch.randn_like(soft), how.temperature)
            adam.zero_grad()
            loss_of(tensors, seen).backward()
            adam.step()
        found = descent.evaluate()
        ours.append(found.error + how.rate_weight * found.bits / geometry.n_pixels)
        with torch.no_grad():
            others.append(loss_of(tensors, torch.floor(tensors["latents"] * gain + 0.5)).item())
    assert np.mean(ours) < 1.25 * np.mean(others)


def test_neurons_that_no_pixel_sees_are_turned(grid_problem):
    """One whose bias is far below 0; what is read does not change by it."""
    problem = grid_problem(SMALL, 21, 30, 3)
    descent = descent_of(problem)
    networks = descent.networks
    networks["synthesis_bias"][2] = -100
    before = {name: each.copy() for name, each in networks.items()}
    descent.step(replace(SOFT, temperature=0.0, network_rate=1e-9))
    assert np.array_equal(networks["synthesis"][2], -before["synthesis"][2])
    assert networks["synthesis_bias"][2] == 0
    assert not networks["out"][:, 2].any()
    assert np.allclose(networks["synthesis"][3], before["synthesis"][3], atol=1e-6)
    assert networks["out"][:, 3].all()
    descent.step(replace(SOFT, temperature=0.0, network_rate=1e-2))
    descent.step(replace(SOFT, temperature=0.0, network_rate=1e-2))
    assert networks["out"][:, 2].any()
