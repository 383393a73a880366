"""A fit begins with a network that adds up the levels."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.field import Role
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fields.ngp.start import adding_start
from nfcodec.fitting.colours import color_basis
from nfcodec.fitting.problem import quantize
from nfcodec.fitting.starts import uniform_start

LEVELS = (HashLevel(2.5, 4, 16, 4), HashLevel(7.5, 9, 88, 2), HashLevel(20.5, 22, 488, 1), HashLevel(24.0, 25, 632, 8))


def interpolated(level: HashLevel, geometry, table: np.ndarray) -> np.ndarray:
    """(H * W, features)."""
    rows, _ = level.evaluator(geometry, Quantized(np.round(table * 2.0**14).astype(np.int64), Step(128, -21)))
    return rows(0, geometry.height).T / 2.0**16


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("hidden", [(6,), (6, 6), (16, 9, 12)], ids=str)
def test_the_network_begins_as_the_sum_of_levels(make_problem, channels, hidden):
    """Of as many features as there are channels, along the axes of the colours."""
    problem, rng = make_problem(Ngp(LEVELS, hidden), channels=channels), np.random.default_rng(1)
    parameters = adding_start(problem, problem.field, 3)
    sums = np.zeros((problem.geometry.n_pixels, channels))
    for i, level in enumerate(LEVELS):
        table = parameters[f"level{i}"] = rng.normal(0, 0.3, level.shape).astype(np.float32)
        n = min(channels, level.features)
        sums[:, :n] += interpolated(level, problem.geometry, table)[:, :n]
    _, axes = color_basis(problem.targets, problem.geometry)
    steps = {tensor.name: 2.0**-14 for tensor in problem.field.layout(problem.geometry)}
    found = problem.field.evaluate(problem.geometry, quantize(problem, parameters, steps)) * 2.0**-24
    assert np.abs(found).max() > 0.5
    assert np.abs(found - sums @ axes.T).max() < 5e-3


def test_entries_and_other_weights_are_small_and_not_zero(make_problem):
    problem = make_problem(Ngp(LEVELS, (16, 16)))
    for tensor in problem.field.layout(problem.geometry):
        value = adding_start(problem, problem.field, 0)[tensor.name]
        assert (value.shape, value.dtype) == (tensor.shape, np.float32)
        if tensor.role is Role.TABLE:
            assert np.abs(value).min() > 0
            assert np.abs(value).max() < 0.05
    parameters = adding_start(problem, problem.field, 0)
    assert np.abs(parameters["weight1"][6:]).min() > 0
    assert not parameters["weight2"][:, 6:].any()


def test_seeds(make_problem):
    problem = make_problem(Ngp(LEVELS, (16, 16)))
    first, again, other = (adding_start(problem, problem.field, seed) for seed in (5, 5, 6))
    assert all(np.array_equal(value, again[name]) for name, value in first.items())
    assert not np.array_equal(first["level0"], other["level0"])


@pytest.mark.parametrize(("channels", "hidden"), [(1, (1,)), (3, (5,)), (3, (16, 5)), (3, (5, 16))], ids=str)
def test_where_a_layer_is_too_narrow_everything_is_random(make_problem, channels, hidden):
    problem = make_problem(Ngp(LEVELS, hidden), channels=channels)
    found, expected = adding_start(problem, problem.field, 2), uniform_start(problem.field.layout(problem.geometry), 2)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(value, expected[name]) for name, value in found.items())


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1)], ids=str)
def test_small_pictures(make_problem, shape):
    problem = make_problem(Ngp(LEVELS, (16, 16)), *shape)
    assert all(np.isfinite(value).all() for value in adding_start(problem, problem.field, 0).values())


def test_where_vertices_share_entries_everything_is_random(make_problem):
    problem = make_problem(Ngp((*LEVELS, HashLevel(20.5, 22, 128, 1)), (16, 16)))
    found, expected = adding_start(problem, problem.field, 2), uniform_start(problem.field.layout(problem.geometry), 2)
    assert all(np.array_equal(value, expected[name]) for name, value in found.items())
