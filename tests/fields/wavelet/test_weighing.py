from __future__ import annotations

import numpy as np
import pytest

from nfcodec.exact.arithmetic import Quantized
from nfcodec.fields.wavelet import weighing
from nfcodec.fields.wavelet.analysis import analysed
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.rate import Priors
from nfcodec.fields.wavelet.recipes import RECIPES
from nfcodec.fields.wavelet.restoration import Filtered
from nfcodec.fields.wavelet.weighing import Weighing, _last_moves, settle, weigh
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.landing import land
from nfcodec.fitting.request import Request

SETTLINGS = RECIPES[5].settlings


def test_weighing_prefers_what_is_predicted():
    exact = np.array([0.7, 0.7, 0.7, 0.52, -1.9, 3.0], np.float32).reshape(1, -1, 1)
    location = np.array([0.0, 0.0, 1.0, 0.0, 4.0, 0.0], np.float32).reshape(1, -1, 1)
    scale = np.array([1 / 16, 8.0, 1 / 16, 1.0, 1.0, 1 / 16], np.float32).reshape(1, -1, 1)
    assert Weighing(exact, Priors(location, scale)).at().reshape(-1).tolist() == [0, 1, 1, 0, -2, 3]


def test_a_price_trades_error_for_bits():
    rng = np.random.default_rng(0)
    exact = rng.laplace(0, 2, (40, 40, 1))
    priors = Priors(np.zeros(exact.shape, np.float32), np.full(exact.shape, 2, np.float32))
    weighing = Weighing(exact, priors)
    assert np.array_equal(weighing.at(0.0), np.round(exact))
    found = [weighing.at(price) for price in (0.0, 0.05, 0.1, 0.4)]
    errors = [float(np.square(each - exact).sum()) for each in found]
    bits = [float(priors.bits(each).sum()) for each in found]
    assert errors == sorted(errors)
    assert errors[-1] > errors[0]
    assert bits == sorted(bits, reverse=True)
    assert bits[-1] < bits[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_weighing_comes_close_to_the_target_and_makes_files_smaller(photograph, channels):
    linear, request = photograph(Wavelet(4), channels), Request(Psnr(38.0), 1, 0)
    start = analysed(linear, request)
    weighed = weigh(linear, request, start.weights)
    assert linear.exact_psnr_db(weighed) == pytest.approx(38.0, abs=0.05)
    assert linear.estimated_bytes(weighed) < linear.estimated_bytes(start.weights)


@pytest.mark.parametrize("n_filters", [0, 16])
def test_settling_ends_just_over_the_target(photograph, n_filters):
    filtered, request = Filtered(photograph(Wavelet(4)), n_filters), Request(Psnr(38.0), 1, 0)
    weighed = weigh(filtered.linear, request.at(37.5), analysed(filtered.linear, request).weights)
    trial = settle(filtered, request, weighed, SETTLINGS)
    assert trial.psnr_db == filtered.problem.exact_psnr_db(trial.weights)
    assert 38.0 <= trial.psnr_db < 38.02


def weighed_at(linear, psnr_db):
    """Weights some of whose coefficients have been moved to what is predicted."""
    request = Request(Psnr(psnr_db), 1, 0)
    return weigh(linear, request, analysed(linear, request).weights)


@pytest.mark.parametrize("target_db", [35.0, 36.5])
def test_last_moves_land_on_the_target(make_problem, target_db):
    """From above towards what is predicted, from below towards the picture; by one, and coefficients alone."""
    linear = make_problem(Wavelet(2), 48, 40)
    start = weighed_at(linear, 36.0)

    def propose(weights, outputs, short):
        assert short == (linear.exact_psnr_db(start) < target_db)
        return _last_moves(linear, weights, outputs, short)

    trial = land(linear, Request(Psnr(target_db), 1, 0), start, propose)
    assert target_db <= trial.psnr_db < target_db + 0.05
    assert trial.psnr_db == linear.exact_psnr_db(trial.weights)
    moved = {name: np.abs(weight.symbols - start[name].symbols).max() for name, weight in trial.weights.items()}
    assert moved == {"level0": 1, "skip": 0, "bias_out": 0}
    if target_db < 36.0:
        assert linear.estimated_bytes(trial.weights) < linear.estimated_bytes(start)


def test_last_moves_save_bits_or_take_error_away(make_problem):
    linear = make_problem(Wavelet(2))
    weights = weighed_at(linear, 36.0)
    level, outputs = weights["level0"], linear.field.evaluate(linear.geometry, weights)
    priors = linear.priors(level)
    for short in (True, False):
        moves = _last_moves(linear, weights, outputs, short)
        assert moves.name == "level0"
        assert len(moves.order) > 20
        steps = moves.towards.reshape(level.symbols.shape)
        if not short:
            chosen = np.isin(np.arange(steps.size), moves.order).reshape(steps.shape)
            saved = priors.bits(level.symbols) - priors.bits(level.symbols + steps)
            assert np.all(saved[chosen] > 0)
        else:
            best = moves.first(len(moves.order), weights)
            assert linear.exact_psnr_db(best) > linear.exact_psnr_db(weights)


def test_a_spoilt_field_is_repaired(make_problem):
    """Coefficients that are off by one where it hurts come back."""
    linear = make_problem(Wavelet(2), 48, 40)
    request = Request(Psnr(36.0), 1, 0)
    weights = analysed(linear, request).weights
    spoilt = weights["level0"].symbols.copy()
    spoilt[::3, ::2] += 1
    start = {**weights, "level0": Quantized(spoilt, weights["level0"].step)}
    assert linear.exact_psnr_db(start) < 35.0
    trial = settle(Filtered(linear), request, start, SETTLINGS)
    assert trial.psnr_db >= 36.0


def test_settling_keeps_the_steps(make_problem):
    linear, request = make_problem(Wavelet(2), 40, 40), Request(Psnr(36.0), 1, 0)
    start = analysed(linear, request).weights
    trial = settle(Filtered(linear), request, start, SETTLINGS)
    assert all(weight.step == start[name].step for name, weight in trial.weights.items())


def test_a_price_of_nothing_is_not_the_end(photograph, monkeypatch):
    """What filters do to coarse symbols may not suffice at any price, and what they do to finer ones does, in time."""
    linear, request, seen = photograph(Wavelet(5)), Request(Psnr(50.0), 5, 0), []
    filtered = Filtered(linear, 32)
    weights = weigh(linear, request.at(49.1), analysed(linear, request).weights)
    priced = weighing._priced

    def noted(*arguments):
        seen.append(priced(*arguments))
        return seen[-1]

    monkeypatch.setattr(weighing, "_priced", noted)
    trial = settle(filtered, request, weights, SETTLINGS)
    reached = [each for _, _, each in seen]
    assert reached[0] is False
    assert reached[-1] is True
    assert 50.0 <= trial.psnr_db < 50.02
