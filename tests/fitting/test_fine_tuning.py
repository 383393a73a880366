from __future__ import annotations

import numpy as np
import pytest

from nfcodec.errors import FormatError
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.plan import initial_for
from nfcodec.fitting.engines import Objective, Rates, create
from nfcodec.fitting.fine_tuning import Tuning, allowed_mse, balanced_steps, coarsest_steps, quantized_and_tuned
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.request import Clock, Request

RATES = Rates(2.0**-9.5, 2.0**-9.5)


@pytest.fixture
def fitted(make_problem):
    """A problem, its engine, and a fit of about 30 dB."""
    problem = make_problem(Siren(24, 2), channels=1)
    engine = create("numba", "cpu", problem, initial_for(problem, 0), Objective(), 0)
    result = fit(problem, engine, Schedule(30.0, 2000, RATES), Clock("fit", 30.0, 0.0))
    assert result.reached
    return problem, engine, result


def test_steps_share_the_error_by_parameters(fitted):
    problem, engine, result = fitted
    allowed = 0.2 * result.stats.mse
    steps = balanced_steps(problem, engine, allowed)
    layout = problem.field.layout(problem.geometry)
    assert steps.keys() == {tensor.name for tensor in layout}
    engine.set_objective(Objective(steps))
    assert engine.evaluate().mse - result.stats.mse == pytest.approx(allowed, rel=1.0)
    finer = balanced_steps(problem, engine, allowed / 100)
    assert all(finer[name] < step for name, step in steps.items())


def test_what_quantization_may_add(fitted):
    problem, _, result = fitted
    assert allowed_mse(problem, result.stats.mse, 3.01, 27.0) == pytest.approx(result.stats.mse, rel=1e-2)
    assert allowed_mse(problem, 0.0, 1.0, 30.0) == pytest.approx(1e-5)


@pytest.mark.parametrize("factor", [1e-9, 0.1, 1.0, 50.0])
def test_the_coarsest_steps_reach_the_target_and_twice_as_coarse_ones_do_not(fitted, factor):
    """Whether the steps to begin with are too fine for the format, too fine, or too coarse."""
    problem, engine, result = fitted
    request = Request(Psnr(29.0), 3, 0)
    begin = {name: factor * step for name, step in balanced_steps(problem, engine, 0.2 * result.stats.mse).items()}
    steps, trial = coarsest_steps(problem, request, result, begin)
    assert trial.psnr_db >= 29.0
    assert trial.psnr_db == problem.exact_psnr_db(trial.weights)
    ratios = {round(4 * np.log2(steps[name] / step), 6) for name, step in begin.items()}
    assert len(ratios) == 1
    assert ratios.pop().is_integer()
    _, coarser = coarsest_steps(problem, Request(Psnr(0.0), 3, 0), result, steps)
    assert coarser.psnr_db < trial.psnr_db


def test_a_target_out_of_reach_gives_what_is_as_good_as_the_fit(fitted):
    problem, engine, result = fitted
    begin = balanced_steps(problem, engine, result.stats.mse)
    _, trial = coarsest_steps(problem, Request(Psnr(60.0), 3, 0), result, begin)
    assert trial.psnr_db > result.psnr_db - 0.1


def test_no_steps_suit_what_is_no_number(fitted):
    problem, _, result = fitted
    result.parameters["weight1"][:] = np.inf
    with np.errstate(all="ignore"), pytest.raises(FormatError):
        coarsest_steps(problem, Request(Psnr(20.0), 3, 0), result, dict.fromkeys(result.parameters, 1e-3))


def test_fine_tuning_makes_steps_coarser_within_its_budget(fitted):
    problem, engine, result = fitted
    request, sizes = Request(Psnr(29.0), 3, 0), []
    for times in (0, 6):
        engine.restore(result.parameters)
        trial, done = quantized_and_tuned(problem, request, engine, result, 100, Tuning(times, 30, RATES))
        assert trial.psnr_db >= 29.0
        assert 0 <= done <= 100
        sizes.append(problem.estimated_bytes(trial.weights))
    assert sizes[1] < sizes[0]
    engine.restore(result.parameters)
    assert quantized_and_tuned(problem, request, engine, result, 0, Tuning(6, 30, RATES))[1] == 0
