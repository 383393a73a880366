from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.exact.arithmetic import OUTPUT_BITS, Quantized, Step
from nfcodec.fields.wavelet import restoration as module
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.filters import MAX_FILTERS
from nfcodec.fields.wavelet.restoration import MOST_GAIN_DB, PIXELS_PER_FILTER, Filtered, Moments, choose
from tests.fields.wavelet.alone import filters_alone

UNIT = 2.0**-OUTPUT_BITS
KERNEL = "nfcodec.fields.wavelet.restoration_kernels:restore"


def missing_energy(problem, weights):
    """The mean squared distance of outputs from the targets, summed over channels."""
    error = problem.targets - problem.field.evaluate(problem.geometry, weights) * UNIT
    return float(np.square(error).sum()) / problem.geometry.n_pixels


@pytest.fixture
def photo(photograph, solved):
    """The linear part of a field for a photograph, and its weights."""

    def make(channels: int = 3):
        linear = photograph(Wavelet(4), channels)
        return linear, solved(linear, 34.0).trial.weights

    return make


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n_filters", [1, 16, MAX_FILTERS])
def test_the_layer_leaves_what_it_promises(photo, channels, n_filters):
    """Up to its rounding; the exact decoder is the judge."""
    linear, weights = photo(channels)
    filtered = Filtered(linear, n_filters)
    moments = Moments.of(linear, weights, n_filters)
    assert moments.energy == pytest.approx(missing_energy(linear, weights), rel=1e-4)
    _, promised = moments.solve(n_filters)
    assert promised < moments.energy
    left = missing_energy(filtered.problem, filtered.renewed(weights))
    assert left == pytest.approx(promised, rel=0.01)
    assert left <= moments.energy  # a layer that is not worth its rounding is 0


def test_more_filters_leave_less(photo):
    moments = Moments.of(*photo(), MAX_FILTERS)
    left = [moments.solve(n)[1] for n in (0, 1, 4, 16, 64, MAX_FILTERS)]
    assert all(more <= fewer * (1 + 1e-6) for fewer, more in itertools.pairwise(left))


def test_layers_are_least_squares(photo):
    """What is left does not correlate with the responses, but for the ridge."""
    moments = Moments.of(*photo(), 8)
    layer, _ = moments.solve(8)
    rest = moments.missing - moments.responses @ layer
    assert np.abs(rest).max() < 2e-3 * np.abs(moments.missing).max()


def test_without_filters_there_is_no_layer(photo):
    linear, weights = photo()
    plain = Filtered(linear)
    assert plain.problem is linear
    assert plain.renewed(weights) is weights
    assert plain.rest(weights) is linear
    assert choose([plain], weights) == (plain, 0.0)


def test_a_field_and_its_linear_part(photograph):
    problem = photograph(Wavelet(4, 24))
    filtered = Filtered.of(problem)
    assert filtered.n_filters == 24
    assert filtered.linear.field == Wavelet(4)
    assert filtered.problem.field == problem.field
    assert Filtered.of(filtered.linear).linear is filtered.linear


def test_a_layer_is_renewed_whatever_it_was(photo):
    """It depends on the coefficients and the linear map alone."""
    linear, weights = photo()
    filtered = Filtered(linear, 8)
    renewed = filtered.renewed(weights)
    assert list(renewed) == [tensor.name for tensor in filtered.problem.field.layout(linear.geometry)]
    again = filtered.renewed({**renewed, "bias_out": weights["bias_out"]})
    assert all(np.array_equal(again[name].symbols, weight.symbols) for name, weight in renewed.items())


def test_few_pixels_have_few_filters_on_offer(make_problem, solved, offers_of):
    for height, width in ((8, 8), (40, 39), (57, 57)):
        linear = make_problem(Wavelet(4), height, width)
        chosen, gain_db = choose(offers_of(linear), solved(linear, 36.0).trial.weights)
        assert chosen.n_filters * PIXELS_PER_FILTER <= height * width
        assert 0 <= gain_db <= MOST_GAIN_DB


def test_filters_asked_for_are_chosen(make_problem, solved):
    """Whatever they cost, and however few the pixels are."""
    for height, width in ((1, 2), (9, 7)):
        linear = make_problem(Wavelet(1), height, width)
        asked_for = Filtered(linear, 16)
        chosen, gain_db = choose([asked_for], solved(linear, 36.0).trial.weights)
        assert chosen is asked_for
        assert 0 <= gain_db <= MOST_GAIN_DB


def test_the_rest_is_what_the_filters_leave(photo):
    """With their effect held, the linear part alone gives what the whole field does, but for rounding."""
    linear, weights = photo()
    filtered = Filtered(linear, 16)
    renewed = filtered.renewed(weights)
    rest = filtered.rest(renewed)
    assert rest.field == linear.field
    whole = filtered.problem.field.evaluate(linear.geometry, renewed)
    effect = filters_alone(filtered.problem.field, linear.geometry, renewed)
    assert np.allclose(rest.held, effect * UNIT, atol=1e-4)
    assert np.abs(rest.held).max() > 1e-3
    assert np.allclose(rest.targets + rest.held, linear.targets, atol=1e-6)
    assert np.abs(linear.field.evaluate(linear.geometry, renewed) + effect - whole).max() <= 1
    assert rest.near_psnr_db(renewed) == pytest.approx(filtered.problem.exact_psnr_db(renewed), abs=0.01)


def test_what_is_held_counts(photo):
    """A problem with held outputs asks for the rest, and measures the whole."""
    linear, weights = photo()
    held = np.random.default_rng(0).uniform(-(2**-6), 2**-6, linear.targets.shape).astype(np.float32)
    rest = replace(linear, held=held)
    assert np.allclose(rest.targets + held, linear.targets, atol=1e-6)
    exact = linear.field.evaluate(linear.geometry, weights) + np.rint(held / UNIT).astype(np.int64)
    assert np.allclose(rest.near_outputs(weights), exact * UNIT, atol=1e-4)
    assert rest.near_psnr_db(weights) == pytest.approx(linear.trial_of(weights, exact).psnr_db, abs=0.005)
    assert rest.near_psnr_db(weights) < linear.near_psnr_db(weights) - 0.1


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (200, 1), (2, 3), (3, 129), (40, 128), (9, 131)], ids=str)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("n_filters", [1, 20, MAX_FILTERS])
def test_compiled_filters_are_those_of_numpy(make_problem, monkeypatch, shape, channels, n_filters):
    """And of the exact evaluation."""
    pytest.importorskip("numba")
    linear = make_problem(Wavelet(2), *shape, channels)
    filtered, rng = Filtered(linear, n_filters), np.random.default_rng(0)
    weights = {
        tensor.name: Quantized(rng.integers(-90, 91, tensor.shape), Step(130 + i, -13))
        for i, tensor in enumerate(filtered.problem.field.layout(linear.geometry))
    }
    exact = filters_alone(filtered.problem.field, linear.geometry, weights) * UNIT
    assert module.compiled(KERNEL) is not None
    compiled = filtered.rest(weights).held
    monkeypatch.setattr(module, "compiled", lambda path, repays: None)
    plain = filtered.rest(weights).held
    largest = max(0.01, np.abs(exact).max())
    assert largest > 0.01 or shape == (1, 1) or n_filters == 1
    assert compiled.shape == plain.shape == exact.shape
    assert np.abs(compiled - plain).max() < 5e-6 + 1e-5 * largest
    assert np.abs(compiled - exact).max() < 0.01 * largest


def test_a_few_tiles_tell_what_there_is_to_restore(photo, monkeypatch):
    """Where a picture is large, tiles all over it make about the layer that all of them would."""
    linear, weights = photo()
    monkeypatch.setattr(module, "TILE_PIXELS", 640)
    every, seen = Moments.of(linear, weights, 16), []
    count = module._Responses.__call__
    monkeypatch.setattr(
        module._Responses, "__call__", lambda self, start, stop: seen.append((start, stop)) or count(self, start, stop)
    )
    monkeypatch.setattr(module, "MOMENTS_PIXELS", linear.geometry.n_pixels // 4)
    some = Moments.of(linear, weights, 16)
    assert [start for start, _ in sorted(seen)] == list(range(8, 160, 16))
    assert all(stop - start == 4 for start, stop in seen)
    layer, _ = some.solve(16)
    _, best = every.solve(16)
    left = every.energy - 2 * (layer * every.missing).sum() + (layer * (every.responses @ layer)).sum()
    assert left - best < 0.7 * (every.energy - best)
