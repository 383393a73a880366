from __future__ import annotations

import pytest

from nfcodec.fields.wavelet.fit import solve
from nfcodec.fields.wavelet.plan import N_FILTERS
from nfcodec.fields.wavelet.problem import WaveletProblem
from nfcodec.fields.wavelet.recipes import RECIPES
from nfcodec.fields.wavelet.restoration import Filtered
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.request import Request


@pytest.fixture
def make_problem(make_problem):
    """The same for wavelets, as `photograph` then makes them too."""

    def make(*arguments, **options) -> WaveletProblem:
        problem = make_problem(*arguments, **options)
        return WaveletProblem(problem.field, problem.geometry, problem.samples, problem.value_map)

    return make


@pytest.fixture
def solved():
    """Fit a field, or choose among fields, at an effort."""

    def make(offers, psnr_db: float, effort: int = 1, recipe=None, **options):
        offers = [Filtered.of(offers)] if isinstance(offers, WaveletProblem) else offers
        return solve(offers, Request(Psnr(psnr_db), effort, 0, **options), recipe or RECIPES[effort])

    return make


@pytest.fixture
def offers_of():
    """The same picture without filters, then with more and more of them."""
    return lambda problem: [Filtered(problem, n_filters) for n_filters in (0, *N_FILTERS)]
