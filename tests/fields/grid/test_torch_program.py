"""The same field in the torch engine: what numba's compiled loops find and do, pieces, noise, whole encodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import nfcodec
from nfcodec.errors import EngineError
from nfcodec.fields.grid import torch_program
from nfcodec.fields.grid.descent import Descent, Iteration
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.numba import GridProgram
from nfcodec.fields.grid.soap import parts
from nfcodec.fields.grid.torch import TorchGrid
from nfcodec.fields.grid.torch_program import TorchProgram
from nfcodec.workers import Workers

RATE_WEIGHT = 0.01
SMALL = Grid(n_levels=4, n_hyper=1, n_neighbours=6, n_mapped=2, n_hidden=8)
SOFT = Iteration(1e-3, 0.3, 0.0, 1e-2, 1e-3, (0.725, 0.97))
HARD = replace(SOFT, temperature=0.0)

CASES = [
    (Grid(), 16, 24, 3, True),
    (SMALL, 32, 32, 1, False),
    (Grid(n_levels=1, n_hyper=0, n_mapped=0, n_hidden=3), 5, 7, 3, False),
    (Grid(n_levels=2, n_hyper=0, n_neighbours=1, n_mapped=1, n_hidden=3), 1, 1, 4, False),
]

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
    ),
]
each_device = pytest.mark.parametrize("device", DEVICES)


def programs_of(problem, device="cpu"):
    """Numba's and torch's."""
    about = problem.field, problem.geometry, problem.target, problem.weights
    return GridProgram(*about, Workers(1)), TorchProgram(*about, device)


def assert_alike(found, expected, tolerance, what=""):
    assert found.shape == expected.shape, what
    assert found.dtype == expected.dtype, what
    if expected.size:
        assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max() + 1e-12, what


@each_device
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_numba(grid_problem, case, device):
    problem = grid_problem(*case)
    expected, program = programs_of(problem, device)
    assert (program.engine, program.device, program.n_pixels) == ("torch", device, problem.geometry.n_pixels)
    for each in (expected, program):
        each.see(problem.parameters["latents"].reshape(-1))
    (measured, gradients), (found, found_gradients) = (
        each.differentiate(problem.parameters, RATE_WEIGHT) for each in (expected, program)
    )
    close = (
        1e-5 if device == "cpu" else 1e-4
    )  # functions of a GPU differ in their last bits, which tails of bits amplify
    assert found.error == pytest.approx(measured.error, rel=close)
    assert found.grid_bits == pytest.approx(measured.grid_bits, rel=close)
    assert found_gradients.keys() == gradients.keys()
    for name, each in gradients.items():
        assert_alike(found_gradients[name], each, 10 * close, name)
    assert_alike(program.entry_slopes(), expected.entry_slopes(), 10 * close)

    samples, expected_samples = np.zeros_like(problem.target), np.zeros_like(problem.target)
    measured_again = program.measure(problem.parameters, samples)
    assert measured_again.error == pytest.approx(found.error, rel=1e-6)
    assert measured_again.grid_bits == pytest.approx(found.grid_bits, rel=1e-6)
    expected.measure(problem.parameters, expected_samples)
    assert samples == pytest.approx(expected_samples, abs=1e-5)


@pytest.mark.parametrize("piece", [1, 100, 250])
def test_pieces_change_nothing(grid_problem, monkeypatch, piece):
    """Of single entries and rows, and of some, also where the last ones are fewer."""
    problem = grid_problem(SMALL, 19, 33, 3, True)

    def found():
        program = TorchProgram(problem.field, problem.geometry, problem.target, problem.weights, "cpu")
        program.see(problem.parameters["latents"].reshape(-1))
        samples = np.zeros_like(problem.target)
        program.measure(problem.parameters, samples)
        measured, gradients = program.differentiate(problem.parameters, RATE_WEIGHT)
        return measured, {**gradients, "latents": program.entry_slopes(), "samples": samples}

    whole, arrays = found()
    monkeypatch.setattr(torch_program, "PIECE", piece)
    measured, others = found()
    assert measured.error == pytest.approx(whole.error, rel=1e-6)
    assert measured.grid_bits == pytest.approx(whole.grid_bits, rel=1e-6)
    for name, each in arrays.items():
        assert_alike(others[name], each, 1e-4, name)


@each_device
@pytest.mark.parametrize("how", [SOFT, HARD], ids=["soft", "hard"])
def test_steps_are_those_of_numba(grid_problem, how, device):
    """Three of them: what is found, latents, and vectors of networks.

    Matrices are moved by SOAP along directions in which gradients are rounding errors, too.
    """
    problem = grid_problem(SMALL, 21, 30, 3)
    expected, descent = (Descent(each, problem.parameters, 2.0) for each in programs_of(problem, device))
    for _ in range(3):
        measured, found = expected.step(how), descent.step(how)
        assert found.error == pytest.approx(measured.error, rel=1e-3)
        assert found.bits == pytest.approx(measured.bits, rel=1e-3)
    moved = np.abs(expected.latents - problem.parameters["latents"][:, 0])
    assert (moved.max() > 0) == (how is SOFT)
    assert np.abs(descent.latents - expected.latents).mean() <= 0.01 * moved.mean()
    for part in parts(SMALL, 3):
        if not part.is_matrix:
            before, after = part.of(problem.parameters), part.of(expected.networks)
            assert np.abs(part.of(descent.networks) - after).mean() <= 0.01 * np.abs(after - before).mean(), part
    assert np.mean(descent.rounded() != expected.rounded()) < 0.01


@each_device
def test_a_state_comes_back(grid_problem, device):
    problem = grid_problem(SMALL, 16, 24, 3)
    descent = Descent(programs_of(problem, device)[1], problem.parameters, 2.0)
    state, before = descent.state(), descent.evaluate()
    descent.step(SOFT)
    descent.step(SOFT)
    assert descent.evaluate() != before
    descent.restore(state)
    assert descent.evaluate() == before
    assert np.array_equal(descent.latents, problem.parameters["latents"][:, 0])


@each_device
def test_noise_is_of_the_deviation_asked_for_and_follows_the_seed(grid_problem, device):
    """Warm soft rounding changes nothing, so that noise is what is left."""
    problem = grid_problem(SMALL, 100, 120, 3)
    program = programs_of(problem, device)[1]
    values = problem.parameters["latents"].reshape(-1)

    def noise(seed):
        program.latents(values, 1.0, seed).soften(temperature=50.0, noise=0.2)
        return program.seen.cpu().numpy() - values

    assert float(noise(0).std()) == pytest.approx(0.2, rel=0.03)
    assert float(noise(0).mean()) == pytest.approx(0, abs=0.01)
    assert np.array_equal(noise(0), noise(0))
    assert not np.array_equal(noise(0), noise(1))


@each_device
def test_the_same_seed_gives_the_same_fit(grid_problem, device):
    problem = grid_problem(SMALL, 40, 50, 3)
    fits = [Descent(programs_of(problem, device)[1], problem.parameters, 2.0, seed=3) for _ in range(2)]
    for fit in fits:
        for _ in range(5):
            fit.step(replace(SOFT, noise=0.2))
    assert np.array_equal(fits[0].latents, fits[1].latents)
    for name, each in fits[0].networks.items():
        assert np.array_equal(each, fits[1].networks[name]), name


def test_arithmetic_is_in_float32_whatever_the_process_has_set(grid_problem, monkeypatch):
    problem, seen = grid_problem(SMALL, 16, 24, 3), []
    read = TorchGrid.read

    def watched(*arguments):
        seen.append((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
        return read(*arguments)

    monkeypatch.setattr(TorchGrid, "read", watched)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        descent = Descent(programs_of(problem)[1], problem.parameters, 2.0)
        descent.step(SOFT)
        descent.evaluate()
        assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == ("high", True)
    finally:
        torch.set_float32_matmul_precision(before)
    assert seen == [("highest", False)] * 2


@each_device
def test_an_encode_keeps_its_promise(device):
    rng, (y, x) = np.random.default_rng(0), np.mgrid[0:16, 0:24]
    planes = [120 + 60 * np.sin(x / (4 + c)) * np.cos(y / 6) for c in range(3)]
    image = (np.stack(planes, axis=2) + rng.normal(0, 3, (16, 24, 3))).clip(0, 255).astype(np.uint8)
    encoded = nfcodec.encode_with_report(
        image, field=SMALL, psnr=24.0, engine="torch", device=device, effort=1, max_steps=250
    )
    assert encoded.report["reached"]
    assert (encoded.report["field"], encoded.report["engine"], encoded.report["device"]) == ("grid", "torch", device)
    error = np.square(nfcodec.decode_array(encoded.data).astype(float) - image).mean()
    assert 10 * np.log10(255**2 / error) >= 24.0


class _OnTheCpu(torch.Generator):
    def __new__(cls, device):
        return super().__new__(cls, "cpu")


def test_a_step_stays_on_its_device_and_does_not_wait(grid_problem, monkeypatch):
    """The device "meta" has shapes only, so that whoever mixes it with the CPU or asks for a number gets an error."""
    problem = grid_problem(SMALL, 40, 50, 3, True)
    monkeypatch.setattr(torch_program, "PIECE", 500)
    monkeypatch.setattr(torch, "Generator", _OnTheCpu)  # "meta" has none
    program = programs_of(problem, "meta")[1]
    latents = program.latents(problem.parameters["latents"].reshape(-1), 2.0, 0)
    networks = {name: each.requires_grad_() for name, each in program._taken_over(problem.parameters).items()}
    latents.soften(0.3, 0.2)
    seen = program.seen.requires_grad_()
    with torch.enable_grad():
        found = program._run(networks, seen, 0.1, None)
    program.slopes = seen.grad
    latents.move(1e-2, (0.9, 0.99))
    latents.harden()
    assert {each.device.type for each in (found, seen.grad, program.seen, latents._values)} == {"meta"}
    assert {each.grad.device.type for each in networks.values()} == {"meta"}
    with pytest.raises(RuntimeError):
        found.tolist()
    with pytest.raises(RuntimeError):
        program.seen + torch.zeros(program.seen.shape)


def test_a_device_that_is_not_there(grid_problem, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    problem = grid_problem(SMALL, 5, 6, 1)
    with pytest.raises(EngineError, match="no CUDA device is available to torch"):
        TorchProgram(problem.field, problem.geometry, problem.target, None, "cuda")
    assert TorchProgram(problem.field, problem.geometry, problem.target, None, "auto").device == "cpu"


def test_too_little_memory_is_an_error_for_people(grid_problem, monkeypatch):
    problem = grid_problem(*CASES[1])
    _, program = programs_of(problem)

    def fail(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TorchProgram, "_run", fail)
    for compute in (program.measure, lambda tensors: program.differentiate(tensors, RATE_WEIGHT)):
        with pytest.raises(EngineError, match="not enough memory on cpu"):
            compute(problem.parameters)
