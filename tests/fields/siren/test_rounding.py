from __future__ import annotations

import sys

import numpy as np
import pytest

from nfcodec.coding.payload import ANY, CODED
from nfcodec.errors import FormatError
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.plan import initial_for
from nfcodec.fields.siren.rounding import STEP, rounded
from nfcodec.fitting.engines import Objective, Rates, create
from nfcodec.fitting.fine_tuning import allowed_mse, balanced_steps
from nfcodec.fitting.problem import quantize
from nfcodec.kernels.paths import has_kernels

FIELD = Siren(12, 2)


@pytest.fixture(scope="module")
def fitted_by_size():
    return {}


@pytest.fixture
def fitted(make_problem, fitted_by_size):
    """A problem, fitted parameters, their PSNR, and steps that lose about a decibel."""

    def make(*shape: int):
        if shape not in fitted_by_size:
            problem = make_problem(FIELD, *shape)
            engine = create("numba", "cpu", problem, initial_for(problem, 0), Objective(), 0)
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


def test_the_same_every_time_and_with_the_steps_asked_for(fitted):
    problem, parameters, _, steps = fitted(40, 30)
    first, second = (rounded(problem, parameters, steps) for _ in range(2))
    assert first.keys() == parameters.keys()
    for name, weight in first.items():
        factor = STEP if name.startswith("weight") else 1.0
        assert weight.step.value == pytest.approx(factor * steps[name], rel=0.01)
        assert np.array_equal(weight.symbols, second[name].symbols)


def test_neurons_are_sorted_by_bias(fitted):
    problem, parameters, *_, steps = fitted(40, 30)
    for size in (1, 4):
        weights = rounded(problem, parameters, {name: size * step for name, step in steps.items()})
        for name in FIELD.trained[:-1]:
            assert np.all(np.diff(weights[f"bias{name}"].symbols) >= 0)
    assert np.allclose(weights["bias_out"].values, parameters["bias_out"], atol=0.2)


@pytest.fixture
def without_kernels(monkeypatch):
    monkeypatch.setitem(sys.modules, "nfcodec.kernels.viterbi", None)
    has_kernels.cache_clear()
    yield
    has_kernels.cache_clear()


def test_parities_have_paths(fitted):
    problem, parameters, _, steps = fitted(40, 30)
    symbols = {name: weight.symbols for name, weight in rounded(problem, parameters, steps).items()}
    assert FIELD.orders(problem.geometry, symbols) == (CODED,)
    assert problem.payload(rounded(problem, parameters, steps))[0] == CODED


def test_without_kernels_symbols_have_no_paths(fitted, without_kernels):
    problem, parameters, psnr_db, steps = fitted(40, 30)
    weights = rounded(problem, parameters, steps)
    assert all(weight.step == plain.step for weight, plain in zip(
        weights.values(), quantize(problem, parameters, steps).values(), strict=True))  # fmt: skip
    assert FIELD.orders(problem.geometry, {name: each.symbols for name, each in weights.items()}) == (ANY,)
    assert problem.exact_psnr_db(quantize(problem, parameters, steps)) < problem.exact_psnr_db(weights) < psnr_db


def test_paths_give_more_for_the_same_bytes(fitted):
    """With steps so fine that what goes lost is the same share of what any of them would lose."""
    problem, parameters, psnr_db, steps = fitted(40, 30)
    lost, sizes = [], []
    for kernels in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            if not kernels:
                patch.setattr("nfcodec.fields.siren.rounding.has_kernels", lambda: False)
            weights = [rounded(problem, parameters, {n: s * f for n, s in steps.items()}) for f in (0.9, 1.0, 1.1)]
        lost.append(np.mean([10 ** (-problem.exact_psnr_db(each) / 10) - 10 ** (-psnr_db / 10) for each in weights]))
        sizes.append(np.mean([problem.estimated_bytes(each) for each in weights]))
    n_weights = sum(value.size for name, value in parameters.items() if name.startswith("weight"))
    bits = 8 * (sizes[1] - sizes[0]) / n_weights
    assert 10 * np.log10(lost[0] / lost[1]) - 6.02 * bits > 0.5  # dB


def test_steps_that_are_too_fine(fitted):
    problem, parameters, _, steps = fitted(40, 30)
    with pytest.raises(FormatError):
        rounded(problem, parameters, {name: step * 2.0**-40 for name, step in steps.items()})
