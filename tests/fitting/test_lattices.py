from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.fitting import Request, solve
from nfcodec.fitting.dense import solve_dense
from nfcodec.fitting.lattices import LATTICES, lattice_tables
from nfcodec.fitting.plan import table_ngp
from nfcodec.fitting.rate import estimated_bytes

CUBE = np.array(list(itertools.product(range(-4, 5), repeat=3)))


@pytest.fixture
def table(make_problem):
    """The problem of a permuted picture."""

    def make(height: int = 90, width: int = 80, channels: int = 3, transform: str = "rpp", depth: int = 8):
        problem = make_problem(None, height, width, channels, transform, depth)
        return replace(problem, spec=table_ngp(problem.geometry))

    return make


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: str(lattice.index))
def test_the_error_of_a_lattice(lattice):
    """Of each class of colours that differ by the lattice, the shortest is the error of all of it."""
    places = np.round(CUBE @ np.linalg.inv(np.array(lattice.basis, float)) * lattice.index).astype(int) % lattice.index
    _, classes = np.unique(places, axis=0, return_inverse=True)
    shortest = np.full(classes.max() + 1, np.inf)
    np.minimum.at(shortest, classes, np.square(CUBE).sum(axis=1))
    assert len(shortest) == lattice.index
    assert shortest.mean() / 3 == pytest.approx(lattice.mse)


def test_they_are_sorted():
    for of in (lambda lattice: lattice.mse, lambda lattice: lattice.index):
        assert np.all(np.diff([of(lattice) for lattice in LATTICES]) > 0)


@pytest.mark.parametrize("transform", ["rpp", "inversion+rpp", "scale:0.5+rpp", "standardize+rpp"])
def test_entries_are_whole_samples(table, transform):
    problem = table(transform=transform)
    tables = list(lattice_tables(problem, 50.0))
    assert tables
    for weights in tables:
        errors = problem.trial(weights).samples.astype(int) - problem.samples
        assert np.abs(errors).max() <= 6
        moved = {**weights, "level0": replace(weights["level0"], symbols=weights["level0"].symbols + 1)}
        steps = problem.trial(moved).samples.astype(int) - problem.trial(weights).samples
        inside = np.all((problem.samples > 30) & (problem.samples < 225), axis=1)
        assert len(np.unique(steps[inside], axis=0)) == 1  # the sum of the basis, everywhere


def test_they_make_smaller_files(table):
    problem, request = table(), Request(50.0, 5, 0)
    start = solve_dense(problem, request).trial
    solution, _ = solve([problem], request)
    trial = solution.trial
    assert 50.0 <= trial.psnr_db < 50.3
    assert trial.weights["level0"].step.value == 2.0**-5
    assert estimated_bytes(problem, trial.weights) < 0.97 * estimated_bytes(problem, start.weights)


@pytest.mark.parametrize("psnr_db", [30.0, 45.0, 55.0, 80.0])
def test_not_at_other_targets(table, psnr_db):
    assert not list(lattice_tables(table(), psnr_db))


def test_not_for_gray_nor_curves_nor_16_bits(table):
    assert not list(lattice_tables(table(channels=1), 50.0))
    assert not list(lattice_tables(table(transform="gamma:2+rpp"), 50.0))
    assert not list(lattice_tables(table(depth=16), 50.0))
