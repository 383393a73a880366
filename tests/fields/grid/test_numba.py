from __future__ import annotations

import numpy as np
import pytest

from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.numba import GridProgram
from nfcodec.workers import Workers

RATE_WEIGHT = 0.01

CASES = [
    (Grid(), 37, 29, 3, True),
    (Grid(n_neighbours=10, n_mapped=4, n_hidden=16), 64, 48, 1, False),
    (Grid(n_neighbours=6, n_mapped=2, n_hidden=8), 45, 70, 3, False),
    (Grid(n_neighbours=6, n_mapped=0, n_hidden=8), 20, 13, 3, False),
    (Grid(n_levels=3, n_hyper=0), 19, 33, 3, True),
    (Grid(n_levels=2, n_hyper=0, n_neighbours=1, n_mapped=1, n_hidden=3), 1, 1, 4, False),
    (Grid(), 33, 200, 3, False),
]


def program_of(problem, n_threads=1):
    program = GridProgram(problem.field, problem.geometry, problem.target, problem.weights, Workers(n_threads))
    program.see(problem.parameters["latents"].reshape(-1))
    return program


def gradients_of(problem, n_threads=1):
    program = program_of(problem, n_threads)
    found, gradients = program.differentiate(problem.parameters, RATE_WEIGHT)
    return found, {**gradients, "latents": program.entry_slopes()[:, None]}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_gradients_are_those_of_torch(grid_problem, case):
    torch = pytest.importorskip("torch")
    from nfcodec.fields.grid.torch import TorchGrid

    problem = grid_problem(*case)
    doubles = {name: torch.tensor(each, dtype=torch.float64) for name, each in problem.parameters.items()}
    for each in doubles.values():
        each.requires_grad = True
    picture, bits = TorchGrid(problem.field, problem.geometry)(doubles)
    squares = (picture - torch.from_numpy(problem.target)).square()
    error = (squares if problem.weights is None else squares * torch.from_numpy(problem.weights)).mean()
    (error + RATE_WEIGHT * bits.sum() / problem.geometry.n_pixels).backward()

    found, gradients = gradients_of(problem)
    assert found.error == pytest.approx(error.item(), rel=1e-5)
    assert found.bits == pytest.approx(bits.sum().item(), rel=1e-5)
    by_grid = [bits[each.entries].sum().item() for each in problem.field.lattices(problem.geometry)]
    assert found.grid_bits == pytest.approx(by_grid, rel=1e-5)
    assert gradients.keys() == doubles.keys()
    for name, each in doubles.items():
        expected = np.zeros(each.shape) if each.grad is None else each.grad.numpy()
        assert gradients[name].shape == expected.shape
        if expected.size:
            assert np.abs(gradients[name] - expected).max() <= 1e-5 * np.abs(expected).max() + 1e-12, name

    samples = np.zeros_like(problem.target)
    assert program_of(problem).measure(problem.parameters, samples) == found
    assert samples == pytest.approx(picture.detach().numpy(), abs=1e-5)


def test_threads_change_nothing(grid_problem):
    """In a picture of several bands of every kind."""
    problem = grid_problem(Grid(), 129, 600, 3)
    (found, gradients), (found_2, gradients_2) = (gradients_of(problem, n) for n in (1, 2))
    assert found == found_2
    for name, each in gradients.items():
        assert np.array_equal(each, gradients_2[name]), name


def test_a_second_pass_finds_the_same(grid_problem):
    """Nothing stays behind from an earlier pass, or from other entries."""
    problem = grid_problem(Grid(), 40, 300, 3)
    program = program_of(problem)
    program.see(np.ones(problem.parameters["latents"].size, np.float32))
    program.differentiate(problem.parameters, 1.0)
    program.see(problem.parameters["latents"].reshape(-1))
    found, gradients = program.differentiate(problem.parameters, RATE_WEIGHT)
    expected, expected_gradients = gradients_of(problem)
    assert found == expected
    for name, each in gradients.items():
        assert np.array_equal(each, expected_gradients[name]), name
    assert np.array_equal(program.entry_slopes()[:, None], expected_gradients["latents"])
