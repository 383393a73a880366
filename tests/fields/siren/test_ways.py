from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.fields.siren import ways as module
from nfcodec.fields.siren.recipes import RECIPES
from nfcodec.fields.siren.sampled_fit import fit_networks
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.siren.ways import cheapest, quantized
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.request import Request


@pytest.mark.parametrize("seed", range(20))
def test_the_cheapest_rows_come_close_to_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    errors, sizes = rng.uniform(1, 2, (5, 4)), rng.uniform(10, 11, (5, 4))
    allowed = float(errors[2].sum())
    chosen = cheapest(errors, sizes, allowed, 2)
    columns = np.arange(4)
    every = [np.array(rows) for rows in itertools.product(range(5), repeat=4)]
    best = min(sizes[rows, columns].sum() for rows in every if errors[rows, columns].sum() <= allowed)
    found = sizes[chosen, columns].sum()
    assert errors[chosen, columns].sum() <= allowed
    assert found <= sizes[2].sum()
    assert found - best < 0.35


def test_the_only_row_that_will_do_stays():
    errors, sizes = np.array([[1.0, 1.0], [2.0, 3.0]]), np.array([[9.0, 9.0], [1.0, 1.0]])
    assert cheapest(errors, sizes, 2.0, 0) == [0, 0]
    assert cheapest(errors, sizes, 3.0, 0) == [1, 0]
    assert cheapest(errors, sizes, 4.0, 0) == [0, 1] or cheapest(errors, sizes, 4.0, 0) == [1, 0]
    assert cheapest(errors, sizes, 5.0, 0) == [1, 1]
    assert cheapest(errors[:1], sizes[:1], 2.0, 0) == [0, 0]
    assert cheapest(np.zeros((2, 1)), np.array([[3.0], [2.0]]), 0.0, 0) == [1]


@pytest.fixture
def fitted(make_problem, monkeypatch):
    monkeypatch.setattr("nfcodec.fields.siren.sampled_fit.PIXELS", 600)
    problem = make_problem(TiledSiren(2, 2, (15, 16, 17, 18), 2), 90, 80)
    fits = fit_networks(problem, Request(Psnr(25.0), 5, 0), 300)
    return problem, fits, problem.psnr_db(sum(each.stats.squared_error for each in fits))


def test_more_ways_take_no_more_bytes_and_keep_the_target(fitted):
    problem, fits, reached_db = fitted
    sizes = []
    for n_ways in (0, 12):
        request = Request(Psnr(reached_db - 0.6), 5, 0)
        trial = quantized(problem, fits, reached_db, request, replace(RECIPES[5], more_ways=n_ways))
        assert trial.psnr_db == problem.exact_psnr_db(trial.weights)
        assert request.psnr_db <= trial.psnr_db < request.psnr_db + 0.1
        sizes.append(problem.estimated_bytes(trial.weights))
    assert sizes[1] < sizes[0]


def test_a_target_out_of_reach_gives_the_closest(fitted):
    problem, fits, reached_db = fitted
    trial = quantized(problem, fits, reached_db, Request(Psnr(reached_db + 1), 5, 0), RECIPES[5])
    assert reached_db - 0.5 < trial.psnr_db < reached_db + 0.5


def test_no_time_is_left_for_more_ways(fitted, monkeypatch):
    problem, fits, reached_db = fitted
    monkeypatch.setattr(module, "cheapest", lambda *given: pytest.fail("there is time for one only"))
    late = Request(Psnr(reached_db - 0.6), 5, 0, deadline=0.0)
    assert late.expired()
    quantized(problem, fits, reached_db, late, RECIPES[5])
