from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.exact.arithmetic import OUTPUT_BITS
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.plan import wavelet_ngps
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.filters import MAX_FILTERS
from nfcodec.fields.wavelet.fit import solve_wavelet
from nfcodec.fields.wavelet.restoration import MOST_GAIN_DB, PIXELS_PER_FILTER, Moments, choose, restored
from nfcodec.fitting.request import Request

UNIT = 2.0**-OUTPUT_BITS


def candidates_of(problem):
    return [replace(problem, spec=spec) for spec in wavelet_ngps(problem.geometry)]


def solved(problem, psnr_db):
    return solve_wavelet([problem], Request(psnr_db, 1, 0))[0].trial.weights


def missing_energy(problem, weights):
    """The mean squared distance of outputs from the targets, summed over channels."""
    error = problem.targets - problem.spec.evaluate(problem.geometry, weights) * UNIT
    return float(np.square(error).sum()) / problem.geometry.n_pixels


def plain_of(channels: int, n_levels: int = 4) -> Ngp:
    return Ngp((WaveletLevel(n_levels, channels),), hidden=(), bias=True, skip=True)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n_filters", [1, 16, MAX_FILTERS])
def test_the_layer_leaves_what_it_promises(photograph, channels, n_filters):
    """Up to its rounding; the exact decoder is the judge."""
    plain = photograph(plain_of(channels), channels)
    problem = replace(plain, spec=replace(plain.spec, hidden=(n_filters,), shipped=True))
    weights = solved(plain, 34.0)
    moments = Moments.of(plain, weights, n_filters)
    assert moments.energy == pytest.approx(missing_energy(plain, weights), rel=1e-4)
    _, promised = moments.solve(n_filters)
    assert promised < moments.energy
    left = missing_energy(problem, restored(problem, plain, weights))
    assert left == pytest.approx(promised, rel=0.01)
    assert left <= moments.energy  # a layer that is not worth its rounding is 0


def test_more_filters_leave_less(photograph):
    plain = photograph(plain_of(3))
    moments = Moments.of(plain, solved(plain, 34.0), MAX_FILTERS)
    left = [moments.solve(n)[1] for n in (0, 1, 4, 16, 64, MAX_FILTERS)]
    assert all(more <= fewer * (1 + 1e-6) for fewer, more in itertools.pairwise(left))


def test_layers_are_least_squares(photograph):
    """What is left does not correlate with the responses, but for the ridge."""
    plain = photograph(plain_of(3))
    moments = Moments.of(plain, solved(plain, 34.0), 8)
    layer, _ = moments.solve(8)
    rest = moments.missing - moments.responses @ layer
    assert np.abs(rest).max() < 2e-3 * np.abs(moments.missing).max()


def test_without_filters_there_is_no_layer(photograph):
    plain = photograph(plain_of(3))
    weights = solved(plain, 34.0)
    assert restored(plain, plain, weights) is weights
    assert choose([plain], weights) == (plain, 0.0)


def test_few_pixels_have_few_filters_on_offer(make_problem):
    for height, width in ((8, 8), (40, 39), (57, 57)):
        problems = candidates_of(make_problem(plain_of(3), height, width))
        chosen, gain_db = choose(problems, solved(problems[0], 36.0))
        assert sum(chosen.spec.hidden) * PIXELS_PER_FILTER <= height * width
        assert 0 <= gain_db <= MOST_GAIN_DB


def test_filters_asked_for_are_chosen(make_problem):
    """Whatever they cost, and however few the pixels are."""
    for height, width in ((1, 2), (9, 7)):
        plain, first, *_ = candidates_of(make_problem(plain_of(3, 1), height, width))
        chosen, gain_db = choose([plain, first], solved(plain, 36.0), forced=True)
        assert chosen is first
        assert 0 <= gain_db <= MOST_GAIN_DB


def test_what_is_held_counts(photograph):
    """A problem with constant outputs asks for the rest, and measures the whole."""
    plain = photograph(plain_of(3))
    weights = solved(plain, 34.0)
    held = np.random.default_rng(0).integers(-(1 << 18), 1 << 18, plain.targets.shape)
    rest = replace(plain, constant=held)
    assert np.allclose(rest.targets + held * UNIT, plain.targets, atol=1e-6)
    outputs = plain.spec.evaluate(plain.geometry, weights)
    trial = rest.trial_of(weights, outputs - held)
    assert np.array_equal(trial.samples, plain.trial(weights).samples)
    assert rest.exact_psnr_db(weights) < plain.exact_psnr_db(weights)


@pytest.mark.parametrize("psnr_db", [20.0, 35.0, 45.0, 55.0])
def test_expected_psnr_is_the_inverse_of_the_allowed_error(photograph, psnr_db):
    problem = photograph(plain_of(3))
    assert problem.expected_db(problem.allowed_mse(psnr_db)) == pytest.approx(psnr_db, abs=1e-9)
