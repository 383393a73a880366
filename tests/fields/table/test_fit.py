from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel
from nfcodec.fields.plan import default_ngp, table_ngp
from nfcodec.fields.solve import solve
from nfcodec.fields.table import choice
from nfcodec.fields.table.fit import chosen_by_bits, suits_table, trellis_trial
from nfcodec.fields.table.pyramid import solve_dense
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.rate import estimated_bytes
from nfcodec.fitting.request import Request


@pytest.fixture
def table(make_problem):
    """The problem of a permuted picture."""

    def make(height: int = 60, width: int = 50, channels: int = 3, depth: int = 8):
        return make_problem(table_ngp(Geometry(height, width, channels)), height, width, channels, "rpp", depth)

    return make


def test_what_is_a_table(table):
    problem = table()
    assert suits_table(problem)
    geometry = problem.geometry
    for spec in (
        default_ngp(geometry),
        Ngp((DenseLevel(0, 3),), hidden=(4,), bias=True, skip=True),
        Ngp((DenseLevel(0, 4),), hidden=(), bias=True, skip=True),
        Ngp((DenseLevel(1, 3),), hidden=(), bias=True, skip=True),
        Ngp((WaveletLevel(0, 3),), hidden=(), bias=True, skip=True),
    ):
        assert not suits_table(replace(problem, spec=spec))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("psnr_db", [28.0, 36.0])
def test_fewer_bytes_at_the_target(table, channels, psnr_db):
    problem, request = table(90, 80, channels), Request(psnr_db, 5, 0)
    start = solve_dense(problem, request).trial
    solution, used = solve([problem], request)
    assert used is problem
    assert solution.steps == 0
    trial = solution.trial
    assert psnr_db <= trial.psnr_db < psnr_db + 0.1
    assert trial.psnr_db == problem.exact_psnr_db(trial.weights)
    assert estimated_bytes(problem, trial.weights) < 0.96 * estimated_bytes(problem, start.weights)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1)])
@pytest.mark.parametrize(("depth", "psnr_db"), [(8, 30.0), (8, 200.0), (16, 30.0), (16, 90.0)])
def test_small_and_exact_pictures_keep_their_promise(table, shape, depth, psnr_db):
    problem = table(*shape, depth=depth)
    solution, _ = solve([problem], Request(psnr_db, 5, 0))
    assert solution.trial.psnr_db >= psnr_db


def test_a_flat_picture(table):
    problem = table()
    problem = replace(problem, samples=np.full_like(problem.samples, 77))
    solution, _ = solve([problem], Request(40.0, 5, 0))
    assert math.isinf(solution.trial.psnr_db)


def test_what_takes_too_much_memory_stays_as_it_is(table, monkeypatch):
    problem, request = table(), Request(36.0, 5, 0)
    start = solve_dense(problem, request).trial
    assert chosen_by_bits(problem, request, start) is not start
    monkeypatch.setattr(choice, "MAX_PIXELS", 100)
    assert chosen_by_bits(problem, request, start) is start


def test_no_time_left(table):
    problem = table()
    solution, _ = solve([problem], Request(36.0, 5, 0, deadline=0.0))
    start = solve_dense(problem, Request(36.0, 5, 0)).trial
    assert np.array_equal(solution.trial.weights["level0"].symbols, start.weights["level0"].symbols)


def test_more_effort_tries_all_lattices(table, monkeypatch):
    problem, tried = table(), []
    monkeypatch.setattr(
        "nfcodec.fields.table.fit.trellis_trial", lambda *given: tried.append(given[3]) or trellis_trial(*given)
    )
    start, sizes = solve_dense(problem, Request(36.0, 5, 0)).trial, []
    for effort in (5, 6):
        tried.clear()
        trial = chosen_by_bits(problem, Request(36.0, effort, 0), start)
        sizes.append(estimated_bytes(problem, trial.weights))
    assert len(tried) == 4
    assert sizes[1] <= sizes[0]
