from __future__ import annotations

import sys

import numpy as np
import pytest

from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.muon import ITERATIONS, KERNEL, MOMENTUM, NEAR_ZERO, QUINTIC, SIZE, Muon, plain_step
from nfcodec.fields.siren.plan import initial_for
from nfcodec.fitting.engines import Objective, Rates, create
from nfcodec.kernels import compiled


@pytest.fixture(params=["compiled", "plain"])
def one_step(request):
    """Either implementation of a step of a layer."""
    return compiled(KERNEL) if request.param == "compiled" else plain_step


def moved(one_step, gradient, weights=None, price=0.0):
    """What one step of size 1 takes off a layer, whose matrix has the bias as its last column."""
    layer = np.zeros_like(gradient) if weights is None else weights.copy()
    weight, bias = layer[:, :-1].copy(), layer[:, -1].copy()
    one_step(
        weight, bias, np.ascontiguousarray(gradient[:, :-1]), gradient[:, -1].copy(), np.zeros_like(gradient),
        np.float32(MOMENTUM), np.float32(price), np.float32(NEAR_ZERO), QUINTIC, ITERATIONS, np.float32(1.0),
    )  # fmt: skip
    return layer - np.column_stack([weight, bias])


def orthogonalized(matrix):
    """The same by NumPy, as Jordan et al. write it."""
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalized(matrix.T).T
    a, b, c = QUINTIC
    x = matrix / np.linalg.norm(matrix)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x


@pytest.mark.parametrize("shape", [(12, 12), (5, 20), (20, 5), (1, 7), (3, 2), (33, 36), (70, 41)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_singular_values_become_about_one(one_step, shape, scale):
    matrix = (scale * np.random.default_rng(0).normal(size=shape)).astype(np.float32)
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    result = moved(one_step, matrix)
    assert result.dtype == np.float32
    assert np.abs(np.diag(u.T @ result @ v.T) - 1).max() < 0.35
    assert np.linalg.norm(result - u @ np.diag(np.diag(u.T @ result @ v.T)) @ v) < 1e-2 * s.size
    assert np.allclose(result, orthogonalized(matrix), atol=1e-4)


def test_nothing_moves_without_a_gradient(one_step):
    assert not moved(one_step, np.zeros((4, 6), np.float32)).any()


def test_averages_are_of_gradients_and_look_ahead(one_step):
    rng, averages = np.random.default_rng(0), np.zeros((6, 5), np.float32)
    mean = np.zeros((6, 5))
    for _ in range(3):
        gradient, weight, bias = rng.normal(size=(6, 5)).astype(np.float32), np.zeros((6, 4), np.float32), np.zeros(6)
        mean += (1 - MOMENTUM) * (gradient - mean)
        bias = bias.astype(np.float32)
        one_step(
            weight, bias, gradient[:, :-1].copy(), gradient[:, -1].copy(), averages, np.float32(MOMENTUM),
            np.float32(0), np.float32(NEAR_ZERO), QUINTIC, ITERATIONS, np.float32(1.0),
        )  # fmt: skip
        expected = orthogonalized((1 - MOMENTUM) * gradient + MOMENTUM * mean)
        assert np.allclose(-np.column_stack([weight, bias]), expected, atol=1e-4)
    assert np.allclose(averages, mean, atol=1e-6)


def test_the_price_is_on_the_logarithm_of_the_mean_magnitude(one_step):
    """With a price so high that gradients hardly count, the step is that of the slope of n ln(m)."""
    weights = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    change = moved(one_step, np.zeros_like(weights), weights, price=1e-2)
    magnitudes = np.abs(weights[:, :-1])
    slopes = np.zeros_like(weights)
    slopes[:, :-1] = np.sign(weights[:, :-1]) * magnitudes / (magnitudes + NEAR_ZERO * magnitudes.mean())
    assert np.allclose(change, orthogonalized(slopes), atol=1e-4)
    assert not moved(one_step, np.zeros((3, 4), np.float32), np.zeros((3, 4), np.float32), price=1.0).any()


@pytest.mark.parametrize("frequencies", [0, 3])
def test_a_step_has_the_size_of_the_rate_whatever_the_gradient(make_problem, frequencies):
    problem = make_problem(Siren(16, 2, frequencies=frequencies), 24, 20)
    start = initial_for(problem, 0)
    engine = create("numba", "cpu", problem, start, Objective(), 0)
    Muon(problem.field.trained).update(engine, Rates(0.0, 1e-3), engine.gradient())
    moved = engine.parameters()
    change = np.column_stack([moved["weight2"] - start["weight2"], moved["bias2"] - start["bias2"]])
    rank, longest = min(change.shape), max(change.shape)
    expected = 1e-3 * SIZE * np.sqrt(longest) * np.sqrt(rank)
    assert np.linalg.norm(change) == pytest.approx(expected, rel=0.35)
    assert all(np.any(moved[name] != value) for name, value in start.items())


def test_steps_lower_the_error_and_can_be_forgotten(make_problem):
    problem = make_problem(Siren(16, 2, frequencies=3), 24, 20)
    found = []
    for forgets in (False, True):
        engine = create("numba", "cpu", problem, initial_for(problem, 0), Objective(), 0)
        muon, first = Muon(problem.field.trained), engine.gradient()
        last = first
        for _ in range(60):
            muon.update(engine, Rates(0.0, 1e-3), last)
            if forgets:
                muon.forget()
            last = engine.gradient()
        assert last.mse < 0.5 * first.mse
        found.append(last.mse)
    assert found[0] != found[1]


def test_fits_do_without_the_compiler(make_problem, monkeypatch):
    problem, found = make_problem(Siren(16, 2, frequencies=3), 24, 20), []
    for available in (False, True):
        engine = create("numba", "cpu", problem, initial_for(problem, 0), Objective(), 0)
        with monkeypatch.context() as patch:
            if not available:
                patch.setitem(sys.modules, "nfcodec.fields.siren.muon_kernel", None)
            muon = Muon(problem.field.trained)
        for _ in range(20):
            muon.update(engine, Rates(0.0, 1e-3), engine.gradient())
        found.append(engine.gradient().mse)
    assert found[0] == pytest.approx(found[1], rel=1e-2)
    assert found[0] != found[1]


def test_the_price_shrinks_weights(make_problem):
    problem, sizes = make_problem(Siren(16, 2, frequencies=3), 24, 20), []
    for price in (0.0, 1e-3):
        engine = create("numba", "cpu", problem, initial_for(problem, 0), Objective(), 0)
        muon = Muon(problem.field.trained)
        muon.price = price
        for _ in range(60):
            muon.update(engine, Rates(0.0, 1e-3), engine.gradient())
        sizes.append(np.abs(engine.parameters()["weight1"]).mean())
    assert sizes[1] < 0.9 * sizes[0]
