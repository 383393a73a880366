from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.fields.wavelet.analysis import Analysis, analysed
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.transform import analyse_planes
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.request import Request


@pytest.mark.parametrize("n_levels", [1, 3])
def test_the_transform_is_linear(n_levels):
    planes = np.random.default_rng(0).normal(0, 1, (2, 40, 37))
    parts = planes.copy()
    total = planes.sum(axis=0, keepdims=True)
    analyse_planes(parts, n_levels)
    analyse_planes(total, n_levels)
    assert np.allclose(parts.sum(axis=0), total[0])


@pytest.mark.parametrize("shape", [(24, 20), (1, 1), (1, 9), (17, 3)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_start_is_the_picture(make_problem, shape, channels):
    """Up to its quantizer step, of which each coefficient is off by no more than 0.6."""
    problem = make_problem(Wavelet(3), *shape, channels)
    weights = Analysis(problem, Request(Psnr(40.0), 5, 0)).weights()
    layout = problem.field.layout(problem.geometry)
    assert {name: weight.symbols.shape for name, weight in weights.items()} == {
        each.name: each.shape for each in layout
    }
    outputs = problem.field.evaluate(problem.geometry, weights) * 2.0**-24
    step = weights["level0"].step.value
    assert np.sqrt(np.square(outputs - problem.targets).mean()) < 0.6 * step


def test_a_coarser_start_has_a_larger_step(make_problem):
    analysis = Analysis(make_problem(Wavelet(2)), Request(Psnr(40.0), 5, 0))
    steps, coarser = (
        {name: weight.step.value for name, weight in analysis.weights(factor).items()} for factor in (1.0, 2.0)
    )
    assert coarser == {**steps, "level0": 2 * steps["level0"]}


@pytest.mark.parametrize("psnr_db", [20.0, 33.3, 45.0, 55.0])
def test_the_analysis_ends_just_over_the_target(make_problem, psnr_db):
    problem = make_problem(Wavelet(2), 48, 40)
    trial = analysed(problem, Request(Psnr(psnr_db), 5, 0))
    assert trial.psnr_db == problem.exact_psnr_db(trial.weights)
    assert psnr_db <= trial.psnr_db < psnr_db + 1.5


def test_the_analysis_of_a_constant_is_exact(make_problem):
    problem = make_problem(Wavelet(2))
    problem = replace(problem, samples=np.full_like(problem.samples, 77))
    assert math.isinf(analysed(problem, Request(Psnr(60.0), 1, 0)).psnr_db)
