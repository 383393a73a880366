from __future__ import annotations

import numpy as np
import pytest

from nfcodec.errors import FormatError
from nfcodec.fields import Siren
from nfcodec.fitting.engines import Objective, Rates, create
from nfcodec.fitting.rounding import rounded
from nfcodec.fitting.solution import quantize
from nfcodec.fitting.tensors import allowed_mse, balanced_steps, start_general

SPEC = Siren(12, 2)


@pytest.fixture(scope="module")
def fitted_by_size():
    return {}


@pytest.fixture
def fitted(make_problem, fitted_by_size):
    """A problem, fitted parameters, their PSNR, and steps that lose about a decibel."""

    def make(*shape: int):
        if shape not in fitted_by_size:
            problem = make_problem(SPEC, *shape)
            engine = create("numba", "cpu", problem, start_general(problem, 0), Objective(), 0)
            for _ in range(150):
                engine.gradient()
                engine.update(Rates(0.0, 2.0**-9))
            psnr_db = problem.psnr_db(engine.evaluate().squared_error)
            steps = balanced_steps(problem, engine, allowed_mse(problem, engine.evaluate().mse, 1.0, psnr_db - 1))
            fitted_by_size[shape] = problem, engine.parameters(), psnr_db, steps
        return fitted_by_size[shape]

    return make


@pytest.mark.parametrize("coarser", [1, 3, 10])
def test_rounding_that_makes_up_for_itself_loses_less(fitted, coarser):
    problem, parameters, psnr_db, steps = fitted(40, 30)
    coarse = {name: step * coarser for name, step in steps.items()}
    plain = problem.exact_psnr_db(quantize(problem, parameters, coarse))
    ours = problem.exact_psnr_db(rounded(problem, parameters, coarse))
    assert plain < psnr_db
    assert ours > plain


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1)])
def test_pictures_of_few_pixels(fitted, shape):
    problem, parameters, _, steps = fitted(*shape)
    fine = {name: step / 16 for name, step in steps.items()}
    assert problem.exact_psnr_db(rounded(problem, parameters, fine)) > 15


def test_weights_are_whole_steps_and_the_same_every_time(fitted):
    problem, parameters, _, steps = fitted(40, 30)
    first, second = (rounded(problem, parameters, steps) for _ in range(2))
    plain = quantize(problem, parameters, steps)
    assert first.keys() == plain.keys()
    for name, weight in first.items():
        assert weight.step == plain[name].step
        assert np.array_equal(weight.symbols, second[name].symbols)
    assert any(not np.array_equal(first[name].symbols, plain[name].symbols) for name in first)


def test_steps_that_are_too_fine(fitted):
    problem, parameters, _, steps = fitted(40, 30)
    with pytest.raises(FormatError):
        rounded(problem, parameters, {name: step * 2.0**-40 for name, step in steps.items()})
