from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.fields.table import choice
from nfcodec.fields.table.field import Table
from nfcodec.fields.table.fit import ONE, THREE, TWO, chosen_by_bits, lattices, solve_table, trellis_trial
from nfcodec.fields.table.pyramid import analysed
from nfcodec.fields.table.recipes import RECIPES
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.request import Request


@pytest.fixture
def table(make_problem):
    """The problem of a permuted picture."""

    def make(height: int = 60, width: int = 50, channels: int = 3, depth: int = 8):
        return make_problem(Table(), height, width, channels, "rpp", depth)

    return make


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("psnr_db", [28.0, 36.0])
def test_fewer_bytes_at_the_target(table, channels, psnr_db):
    problem, request = table(90, 80, channels), Request(Psnr(psnr_db), 5, 0)
    start = analysed(Table(), problem, request)
    solution = solve_table(problem, request, RECIPES[5])
    assert solution.problem is problem
    assert solution.steps == 0
    trial = solution.trial
    assert psnr_db <= trial.psnr_db < psnr_db + 0.1
    assert trial.psnr_db == problem.exact_psnr_db(trial.weights)
    assert problem.estimated_bytes(trial.weights) < 0.96 * problem.estimated_bytes(start.weights)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1)])
@pytest.mark.parametrize(("depth", "psnr_db"), [(8, 30.0), (8, 200.0), (16, 30.0), (16, 90.0)])
def test_small_and_exact_pictures_keep_their_promise(table, shape, depth, psnr_db):
    problem = table(*shape, depth=depth)
    solution = solve_table(problem, Request(Psnr(psnr_db), 5, 0), RECIPES[5])
    assert solution.trial.psnr_db >= psnr_db


def test_a_flat_picture(table):
    problem = table()
    problem = replace(problem, samples=np.full_like(problem.samples, 77))
    solution = solve_table(problem, Request(Psnr(40.0), 5, 0), RECIPES[5])
    assert math.isinf(solution.trial.psnr_db)


@pytest.mark.parametrize(("psnr_db", "channels"), [(48.0, 1), (52.0, 3)])
def test_a_nearly_flat_picture_takes_no_code(table, psnr_db, channels):
    """The path of a code would take more bits than the symbols, and what is over the target is saved."""
    problem = table(channels=channels)
    samples = np.full_like(problem.samples, 250)
    samples[:, 0] += (
        np.random.default_rng(0).choice([0, 1, 2, 5], len(samples), p=[0.6, 0.2, 0.1, 0.1]).astype(np.uint8)
    )
    problem, request = replace(problem, samples=samples), Request(Psnr(psnr_db), 1, 0)
    start = analysed(Table(), problem, request)
    assert all(each.code is None for each in lattices(start))
    trial = chosen_by_bits(problem, request, start, RECIPES[1].enough)
    assert psnr_db <= trial.psnr_db
    coded = [trellis_trial(problem, request, start, each) for each in (ONE, TWO, THREE)]
    sizes = [problem.estimated_bytes(each.weights) for each in coded if each is not None]
    assert problem.estimated_bytes(trial.weights) < min([*sizes, problem.estimated_bytes(start.weights)])


def test_what_takes_too_much_memory_stays_as_it_is(table, monkeypatch):
    problem, request = table(), Request(Psnr(36.0), 5, 0)
    start = analysed(Table(), problem, request)
    assert chosen_by_bits(problem, request, start, RECIPES[5].enough) is not start
    monkeypatch.setattr(choice, "MAX_PIXELS", 100)
    assert chosen_by_bits(problem, request, start, RECIPES[5].enough) is start


def test_no_time_left(table):
    """The first rounding that reaches the target is taken, which is finer than the coarsest that does."""
    problem, late = table(), Request(Psnr(36.0), 5, 0, deadline=0.0)
    solution, start = solve_table(problem, late, RECIPES[5]), analysed(Table(), problem, late)
    assert np.array_equal(solution.trial.weights["level0"].symbols, start.weights["level0"].symbols)
    assert start.psnr_db >= 36.0
    searched = analysed(Table(), problem, Request(Psnr(36.0), 5, 0))
    assert start.weights["level0"].step.value <= searched.weights["level0"].step.value


def test_more_effort_tries_all_lattices(table, monkeypatch):
    problem, tried = table(), []
    monkeypatch.setattr(
        "nfcodec.fields.table.fit.trellis_trial", lambda *given: tried.append(given[3]) or trellis_trial(*given)
    )
    start, sizes = analysed(Table(), problem, Request(Psnr(36.0), 5, 0)), []
    for effort in (5, 6):
        tried.clear()
        trial = chosen_by_bits(problem, Request(Psnr(36.0), effort, 0), start, RECIPES[effort].enough)
        sizes.append(problem.estimated_bytes(trial.weights))
    assert len(tried) == 4
    assert sizes[1] <= sizes[0]
