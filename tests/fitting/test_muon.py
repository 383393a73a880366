from __future__ import annotations

import numpy as np
import pytest

from nfcodec.fields import Siren
from nfcodec.fitting.engines import Objective, Rates, create
from nfcodec.fitting.muon import SIZE, Muon, orthogonalized, slope_of_size
from nfcodec.fitting.tensors import start_general


@pytest.mark.parametrize("shape", [(12, 12), (5, 20), (20, 5), (1, 7), (3, 1)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_singular_values_become_about_one(shape, scale):
    matrix = (scale * np.random.default_rng(0).normal(size=shape)).astype(np.float32)
    u, s, v = np.linalg.svd(matrix, full_matrices=False)
    result = orthogonalized(matrix)
    assert result.dtype == np.float32
    assert np.abs(np.diag(u.T @ result @ v.T) - 1).max() < 0.35
    assert np.linalg.norm(result - u @ np.diag(np.diag(u.T @ result @ v.T)) @ v) < 1e-2 * s.size


def test_nothing_moves_without_a_gradient():
    assert not orthogonalized(np.zeros((4, 6), np.float32)).any()


@pytest.mark.parametrize("frequencies", [0, 3])
def test_a_step_has_the_size_of_the_rate_whatever_the_gradient(make_problem, frequencies):
    problem = make_problem(Siren(16, 2, frequencies=frequencies), 24, 20)
    start = start_general(problem, 0)
    engine = create("numba", "cpu", problem, start, Objective(), 0)
    Muon(problem.spec.trained).update(engine, Rates(0.0, 1e-3), engine.gradient())
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
        engine = create("numba", "cpu", problem, start_general(problem, 0), Objective(), 0)
        muon, first = Muon(problem.spec.trained), engine.gradient()
        last = first
        for _ in range(60):
            muon.update(engine, Rates(0.0, 1e-3), last)
            if forgets:
                muon.forget()
            last = engine.gradient()
        assert last.mse < 0.5 * first.mse
        found.append(last.mse)
    assert found[0] != found[1]


def test_the_slope_of_size_is_that_of_the_logarithm_of_the_mean_magnitude():
    weights, at = np.random.default_rng(0).normal(size=(7, 5)), (3, 2)
    weights[at] = 2.0
    slope = slope_of_size(weights.astype(np.float32))
    assert slope.dtype == np.float32
    nats = []
    for weights[at] in (1.9999, 2.0001):
        nats.append(weights.size * np.log(np.abs(weights).mean()))
    assert slope[at] == pytest.approx((nats[1] - nats[0]) / 2e-4, rel=0.06)  # a little less: nothing near 0 pulls
    assert np.array_equal(np.sign(slope), np.sign(weights))
    assert not slope_of_size(np.zeros((2, 3), np.float32)).any()


def test_the_price_shrinks_weights(make_problem):
    problem, sizes = make_problem(Siren(16, 2, frequencies=3), 24, 20), []
    for price in (0.0, 1e-3):
        engine = create("numba", "cpu", problem, start_general(problem, 0), Objective(), 0)
        muon = Muon(problem.spec.trained)
        muon.price = price
        for _ in range(60):
            muon.update(engine, Rates(0.0, 1e-3), engine.gradient())
        sizes.append(np.abs(engine.parameters()["weight1"]).mean())
    assert sizes[1] < 0.9 * sizes[0]
