from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, decode, encode
from nfcodec.coding.payload import SLOPES, decode_weights, encode_weights, estimate_bytes
from nfcodec.exact.arithmetic import OUTPUT_BITS, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel
from nfcodec.fields.plan import MAX_WAVELET_LEVELS, N_FILTERS, candidates, wavelet_ngp, wavelet_ngps
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.solve import solve
from nfcodec.fields.table.analysis import analyse_planes
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.fit import FITS, solve_wavelet, start_wavelet, suits_wavelet
from nfcodec.fields.wavelet.rate import estimated_bytes, laplace_bits, prior_of, regime_of, smallest_payload
from nfcodec.fields.wavelet.weighing import Weighing
from nfcodec.fitting.engines import Objective
from nfcodec.fitting.engines.numba.engine import NumbaEngine
from nfcodec.fitting.problem import quantize
from nfcodec.fitting.request import Request
from nfcodec.format import HEADER, Header, read_chunks
from nfcodec.limits import DEFAULT_LIMITS
from nfcodec.metrics import psnr_db as measure
from nfcodec.raster import Raster

SMALL = Geometry(24, 20, 3)
ROOT = Path(__file__).parents[3]


def solved(problem, psnr_db, effort=1, **options):
    return solve_wavelet([problem], Request(psnr_db, effort, 0, **options))[0]


def spec_of(channels: int, n_levels: int = 2) -> Ngp:
    return Ngp((WaveletLevel(n_levels, channels),), hidden=(), bias=True, skip=True)


def filtered(channels: int, n_filters: int, n_levels: int = 2) -> Ngp:
    return replace(spec_of(channels, n_levels), hidden=(n_filters,), shipped=True)


# ---------------------------------------------------------------------------------------------------------- analysis


@pytest.mark.parametrize("n_levels", [1, 3])
def test_the_analysis_is_linear(n_levels):
    planes = np.random.default_rng(0).normal(0, 1, (2, 40, 37))
    parts = planes.copy()
    total = planes.sum(axis=0, keepdims=True)
    analyse_planes(parts, n_levels)
    analyse_planes(total, n_levels)
    assert np.allclose(parts.sum(axis=0), total[0])


def test_bits_are_of_distributions():
    location = np.array([0.0, 0.25, -3.5, 40.0], np.float32)
    for scale in (0.1, 1.0, 30.0):
        symbols = np.arange(-2000, 2001)[:, None]
        prior = (location[None], np.full((1, 4), scale, np.float32))
        assert np.allclose(
            np.exp2(-laplace_bits(symbols, prior)).sum(axis=0), 1, atol=0.02
        )  # the floor under 4001 symbols


def test_weighing_prefers_what_is_predicted():
    exact = np.array([0.7, 0.7, 0.7, 0.52, -1.9, 3.0])
    location = np.array([0.0, 0.0, 1.0, 0.0, 4.0, 0.0], np.float32)
    scale = np.array([1 / 16, 8.0, 1 / 16, 1.0, 1.0, 1 / 16], np.float32)
    assert Weighing(exact, (location, scale)).at().tolist() == [0, 1, 1, 0, -2, 3]


def test_priors_are_those_of_the_coder(make_problem):
    """Bits under the priors are the bits of the file, but for the tables' rounding."""
    problem = make_problem(spec_of(3, 3), 64, 64)
    weights = solved(problem, 38.0).trial.weights
    bits = laplace_bits(weights["level0"].symbols, prior_of(problem, weights["level0"])).sum()
    assert 0.98 * bits < 8 * estimated_bytes(problem, weights) < 1.02 * bits + 8 * 40  # and the linear part


@pytest.mark.parametrize("shape", [(24, 20), (1, 1), (1, 9), (17, 3)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_start_is_the_picture(make_problem, shape, channels):
    """Up to its quantizer step, of which each coefficient is off by no more than 0.6."""
    problem = make_problem(spec_of(channels, 3), *shape, channels)
    weights = quantize(problem, *start_wavelet(problem, Request(40.0, 5, 0)))
    outputs = problem.spec.evaluate(problem.geometry, weights) * 2.0**-24
    step = weights["level0"].step.value
    assert np.sqrt(np.square(outputs - problem.targets).mean()) < 0.6 * step


# ------------------------------------------------------------------------------------------------------------- solve


@pytest.mark.parametrize("psnr_db", [25.0, 38.5, 55.0])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", [8, 16])
def test_solutions_are_just_over_the_target(make_problem, channels, depth, psnr_db):
    problem = make_problem(spec_of(channels), 48, 40, channels, depth=depth)
    solution = solved(problem, psnr_db, 3)
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert psnr_db <= solution.trial.psnr_db < psnr_db + 1.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 40), (33, 1), (2, 3), (16, 17)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n_levels", [0, 3, 7])
def test_every_shape(make_problem, shape, channels, n_levels):
    problem = make_problem(spec_of(channels, n_levels), *shape, channels)
    assert solved(problem, 40.0, 3).trial.psnr_db >= 40.0


@pytest.mark.parametrize("value", [0, 1, 77, 255])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target_db", [20.0, 60.0])
def test_constant_pictures(make_problem, value, channels, target_db):
    problem = make_problem(spec_of(channels), channels=channels)
    problem = replace(problem, samples=np.full_like(problem.samples, value))
    solution = solved(problem, target_db, 3)
    assert solution.trial.psnr_db >= target_db
    assert estimated_bytes(problem, solution.trial.weights) < 80


def test_extreme_pictures(make_problem):
    """Black and white noise: the largest coefficients there are."""
    problem = make_problem(spec_of(1, 4), 32, 32, 1)
    noise = np.random.default_rng(0).integers(0, 2, problem.samples.shape).astype(np.uint8) * 255
    assert solved(replace(problem, samples=noise), 50.0, 3).trial.psnr_db >= 50.0


@pytest.mark.parametrize(
    "transform",
    [
        "inversion",
        "standardize",
        "scale:0.5",
        "scale:2",
        "center:1",
        "gamma:0.5",
        "gamma:2",
        "sympower",
        "rpp",
        "zigzag",
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_value_maps_and_permutations(make_problem, transform, channels):
    problem = make_problem(spec_of(channels), channels=channels, transform=transform)
    solution = solved(problem, 35.0, 3)
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert solution.trial.psnr_db >= 35.0


def test_lossless_in_8_bits(make_problem):
    problem = make_problem(spec_of(3))
    assert math.isinf(solved(problem, 100.0, 3).trial.psnr_db)


def test_finer_targets_cost_more(make_problem):
    problem = make_problem(spec_of(3), 40, 40)
    sizes = [
        estimated_bytes(problem, solved(problem, psnr_db, 3).trial.weights) for psnr_db in (28.0, 34.0, 40.0, 46.0)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.5 * sizes[-1]


def test_solutions_repeat_exactly(make_problem):
    first, second = (solved(make_problem(spec_of(3)), 36.0, 3).trial.weights for _ in range(2))
    for name, weight in first.items():
        assert weight.step == second[name].step
        assert np.array_equal(weight.symbols, second[name].symbols)


def test_an_expired_deadline_still_gives_a_solution(make_problem):
    problem = make_problem(spec_of(3))
    solution = solved(problem, 36.0, 9, deadline=time.monotonic() - 1)
    assert solution.steps == 0
    assert math.isfinite(solution.trial.psnr_db)


def test_wavelets_are_solved_through_solve(make_problem):
    problems = [make_problem(spec) for spec in candidates("ngp", SMALL, False, 40.0)]
    assert [suits_wavelet(each) for each in problems] == [True] * 5
    assert [each.spec.hidden for each in problems] == [(), (16,), (32,), (64,), (128,)]
    assert [each.spec.shipped for each in problems] == [False] + [True] * 4
    solution, problem = solve(problems, Request(40.0, 3, 0))
    assert problem in problems
    assert 40.0 <= solution.trial.psnr_db < 41.0


def test_what_suits(make_problem):
    assert suits_wavelet(make_problem(wavelet_ngp(SMALL)))
    assert suits_wavelet(make_problem(filtered(3, 5)))
    unsuited = [
        Siren(8),
        Ngp((DenseLevel(0, 3),), hidden=(), bias=True, skip=True),
        Ngp((WaveletLevel(2, 3),), hidden=(), skip=True),
        Ngp((WaveletLevel(2, 3),), hidden=(4,), bias=True),
        Ngp((WaveletLevel(2, 2),), hidden=(), bias=True, skip=True),
        Ngp((WaveletLevel(2, 3),), hidden=(4,), bias=True, skip=True),
        Ngp((WaveletLevel(2, 3),), hidden=(4, 4), bias=True, skip=True),
        replace(filtered(3, 5), bias=False),
        replace(filtered(3, 5), skip=False),
        replace(filtered(3, 5), hidden=(5, 4)),
        filtered(2, 5),
    ]
    assert not any(suits_wavelet(make_problem(spec)) for spec in unsuited)


# --------------------------------------------------------------------------------------------------------------- fit


def test_steps_make_files_smaller(photograph):
    problem = photograph(spec_of(3, 4))
    sizes = [estimated_bytes(problem, solved(problem, 40.0, effort).trial.weights) for effort in (1, 5)]
    assert sizes[1] < sizes[0]


def test_as_many_steps_as_asked_for(make_problem):
    problem = make_problem(spec_of(3, 3), 64, 64)
    assert solved(problem, 36.0, 5, max_steps=7).steps == 7
    assert solved(problem, 36.0, 5, max_steps=0).steps == 0


# ----------------------------------------------------------------------------------------------------------- filters


def candidates_of(problem):
    """The same picture without filters, then with more and more of them."""
    return [replace(problem, spec=spec) for spec in wavelet_ngps(problem.geometry)]


def assert_valid(problem, trial):
    """What a file would hold gives the samples and the PSNR that the solution states."""
    layout = problem.spec.layout(problem.geometry)
    assert list(trial.weights) == [tensor.name for tensor in layout]
    symbols = decode_weights(layout, smallest_payload(problem, trial.weights))
    again = problem.trial({name: replace(trial.weights[name], symbols=values) for name, values in symbols.items()})
    assert np.array_equal(again.samples, trial.samples)
    assert again.psnr_db == trial.psnr_db


@pytest.mark.parametrize("effort", [1, 2])
def test_filters_are_chosen_where_they_pay(photograph, effort):
    plain, *others = candidates_of(photograph(spec_of(3)))
    without = solved(plain, 36.0, effort)
    solution, problem = solve_wavelet([plain, *others], Request(36.0, effort, 0))
    assert problem in others
    assert np.any(solution.trial.weights["weight1"].symbols)
    assert_valid(problem, solution.trial)
    assert 36.0 <= solution.trial.psnr_db < 36.05
    assert estimated_bytes(problem, solution.trial.weights) < estimated_bytes(plain, without.trial.weights)


def test_larger_files_take_more_filters(photograph):
    problems = candidates_of(photograph(spec_of(3)))
    found = [solve_wavelet(problems, Request(psnr_db, 1, 0))[1].spec for psnr_db in (26.0, 33.0, 44.0)]
    widths = [sum(spec.hidden) for spec in found]
    assert widths == sorted(widths)
    assert widths[0] == 0
    assert widths[2] > widths[1] > 0


@pytest.mark.parametrize("effort", [1, 3])
def test_small_pictures_take_no_filters(make_problem, effort):
    """What comes out is what would without any on offer."""
    for shape in ((1, 1), (2, 9), (24, 20)):
        plain, *others = candidates_of(make_problem(spec_of(3), *shape))
        solution, problem = solve_wavelet([plain, *others], Request(38.0, effort, 0))
        assert problem is plain
        alone = solved(plain, 38.0, effort).trial.weights
        assert all(
            np.array_equal(weight.symbols, alone[name].symbols) for name, weight in solution.trial.weights.items()
        )


@pytest.mark.parametrize("value", [0, 77, 255])
def test_constant_pictures_take_no_filters(make_problem, value):
    problem = make_problem(spec_of(3), 64, 64)
    plain, *others = candidates_of(replace(problem, samples=np.full_like(problem.samples, value)))
    solution, problem = solve_wavelet([plain, *others], Request(40.0, 1, 0))
    assert problem is plain
    assert estimated_bytes(problem, solution.trial.weights) < 80


@pytest.mark.parametrize("psnr_db", [25.0, 36.0, 42.0])
@pytest.mark.parametrize("effort", [1, 2])
def test_filters_on_offer_do_no_harm_to_noise(make_problem, psnr_db, effort):
    problem = make_problem(spec_of(3), 64, 64)
    noise = np.random.default_rng(0).integers(0, 256, problem.samples.shape).astype(np.uint8)
    plain, *others = candidates_of(replace(problem, samples=noise))
    without = estimated_bytes(plain, solved(plain, psnr_db, effort).trial.weights)
    solution, problem = solve_wavelet([plain, *others], Request(psnr_db, effort, 0))
    assert solution.trial.psnr_db >= psnr_db
    assert_valid(problem, solution.trial)
    assert estimated_bytes(problem, solution.trial.weights) < 1.005 * without


@pytest.mark.parametrize("n_filters", [1, 20, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_filters_asked_for_are_kept(make_problem, channels, n_filters):
    problem = make_problem(filtered(channels, n_filters), 40, 48, channels)
    for effort in (1, 2):
        solution, found = solve_wavelet([problem], Request(36.0, effort, 0))
        assert found is problem
        assert_valid(problem, solution.trial)
        assert 36.0 <= solution.trial.psnr_db < 36.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 40), (33, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("psnr_db", [20.0, 40.0, 60.0])
def test_filters_asked_for_in_every_shape(make_problem, shape, psnr_db):
    """Where nothing is missing there is nothing to restore: then the field may come back without its filters."""
    problem = make_problem(filtered(3, 16, 3), *shape)
    solution, found = solve_wavelet([problem], Request(psnr_db, 2, 0))
    assert solution.trial.psnr_db >= psnr_db
    assert found.spec in (problem.spec, replace(problem.spec, hidden=(), shipped=False))
    assert_valid(found, solution.trial)


@pytest.mark.parametrize("transform", ["inversion", "standardize", "scale:0.5", "gamma:2", "sympower", "zigzag"])
def test_filters_under_value_maps_and_permutations(make_problem, transform):
    problem = make_problem(filtered(3, 16), 40, 48, transform=transform)
    solution, found = solve_wavelet([problem], Request(36.0, 1, 0))
    assert found is problem
    assert_valid(problem, solution.trial)
    assert solution.trial.psnr_db >= 36.0


def test_filters_and_steps(photograph):
    """Steps on the linear part, then the layer that suits it, make the file smaller still."""
    problem = photograph(filtered(3, 32, 4))
    analysed, fitted = (solve_wavelet([problem], Request(40.0, effort, 0))[0] for effort in (1, 5))
    assert (analysed.engine, fitted.engine) == ("analysis", "numba")
    assert fitted.steps > 0
    sizes = [estimated_bytes(problem, each.trial.weights) for each in (analysed, fitted)]
    assert sizes[1] < sizes[0]
    assert 40.0 <= fitted.trial.psnr_db < 40.05
    assert_valid(problem, fitted.trial)


def test_filters_repeat_exactly(photograph):
    first, second = (
        solve_wavelet([photograph(filtered(3, 32, 4))], Request(36.0, 2, 0))[0].trial.weights for _ in range(2)
    )
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert weight.step == second[name].step
        assert np.array_equal(weight.symbols, second[name].symbols)


def test_filters_after_the_deadline(make_problem):
    problem = make_problem(filtered(3, 16), 40, 48)
    solution, found = solve_wavelet([problem], Request(36.0, 9, 0, deadline=time.monotonic() - 1))
    assert found is problem
    assert solution.steps == 0
    assert solution.trial.psnr_db >= 36.0


def test_files_with_filters(photograph):
    """Through the codec, chosen and asked for."""
    samples = photograph(spec_of(3)).samples.reshape(160, 160, 3)
    for field in ("ngp", filtered(3, 24, 3)):
        data = encode(Raster(samples), EncodeOptions(36.0, field=field, effort=1)).data
        assert Ngp.unpack(Header.unpack(read_chunks(data)[HEADER], DEFAULT_LIMITS).field).shipped
        assert 36.0 <= measure(decode(data).samples, samples, 255) < 36.05


# -------------------------------------------------------------------------------------------------------------- plan


def test_default_levels_leave_a_few_coefficients():
    for shape, n_levels in (((1, 1), 0), ((1, 300), 0), ((7, 7), 0), ((8, 9), 1), ((24, 20), 2), ((512, 768), 6)):
        for channels in (1, 3):
            spec = wavelet_ngp(Geometry(*shape, channels))
            assert spec.levels == (WaveletLevel(min(n_levels, MAX_WAVELET_LEVELS), channels),)
            plain, *others = wavelet_ngps(Geometry(*shape, channels))
            assert plain == spec
            assert [each.hidden for each in others] == [(n_filters,) for n_filters in N_FILTERS]
            assert all(each == replace(spec, hidden=each.hidden, shipped=True) for each in others)


# -------------------------------------------------------------------------------------------------------------- rate


def test_the_regime_follows_the_step(make_problem):
    problem = make_problem(spec_of(3))
    steps = [Step(128, exponent) for exponent in (-128, -23, -13, -12, -7, 8, 127)]
    assert [regime_of(problem, step) for step in steps] == [72, 72, 80, 88, 116, 116, 116]


def test_the_regime_does_not_depend_on_the_scale_of_the_values(make_problem):
    found = [
        regime_of(make_problem(spec_of(3), transform=transform), Step.nearest(step))
        for transform, step in (("none", 2.0**-6), ("scale:2", 2.0**-5), ("scale:0.5", 2.0**-7), ("inversion", 2.0**-6))
    ]
    assert found == [80] * 4


def test_the_payload_is_of_its_regime(make_problem):
    problem = make_problem(spec_of(3))
    weights = solved(problem, 36.0, 3).trial.weights
    payload = smallest_payload(problem, weights)
    assert payload[:2] == bytes([SLOPES, regime_of(problem, weights["level0"].step)])
    assert abs(estimated_bytes(problem, weights) - len(payload)) <= 8
    layout = problem.spec.layout(problem.geometry)
    symbols = {name: weight.symbols for name, weight in weights.items()}
    decoded = decode_weights(layout, payload)
    assert all(np.array_equal(decoded[name], values) for name, values in symbols.items())
    assert payload == encode_weights(layout, SLOPES, symbols, payload[1])
    far_off = estimate_bytes(layout, SLOPES, symbols, 255)
    assert estimate_bytes(layout, SLOPES, symbols, payload[1]) < far_off


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_files_keep_their_promise(make_problem, alpha, depth):
    samples = make_problem(spec_of(3), 21, 18, depth=depth).samples.reshape(21, 18, 3)
    raster = Raster(samples, samples[:, :, 0] if alpha else None)
    decoded = decode(encode(raster, EncodeOptions(42.0)).data)
    assert measure(decoded.samples, raster.samples, raster.peak) >= 42.0
    assert (decoded.alpha is None) == (raster.alpha is None)


# ------------------------------------------------------------------------------------------------------------ engine


def exact_mse(problem, parameters):
    """By the exact decoder, from parameters in steps of 2^-18."""
    weights = quantize(problem, parameters, dict.fromkeys(parameters, 2.0**-18))
    outputs = problem.spec.evaluate(problem.geometry, weights) * 2.0**-OUTPUT_BITS
    return float(np.square(outputs - problem.targets).mean())


def random_parameters(problem, rng):
    initial = problem.spec.initial(problem.geometry, 0)
    return {name: rng.normal(0, 0.2, value.shape).astype(np.float32) for name, value in initial.items()}


@pytest.mark.parametrize(
    ("shape", "hidden"),
    [((1, 1), ()), ((1, 9), ()), ((8, 1), ()), ((13, 22), ()), ((64, 130), ()), ((13, 22), (5,)), ((64, 130), (5,))],
    ids=str,
)
def test_gradients_equal_differences_of_the_exact_decoder(make_problem, shape, hidden):
    """The error is quadratic in each tensor of a linear field, so that wide differences are exact there; a network has
    kinks, which even out over many pixels."""
    problem = make_problem(replace(spec_of(3, 3), hidden=hidden), *shape)
    rng = np.random.default_rng(0)
    parameters = random_parameters(problem, rng)
    engine = NumbaEngine(problem, parameters, Objective(), 0)
    assert engine.gradient().mse == pytest.approx(exact_mse(problem, parameters), rel=2e-3)
    step = 2.0**-9 if hidden else 0.25
    for name, gradient in engine.gradients().items():
        direction = rng.normal(0, 1, gradient.shape)
        sides = [{**parameters, name: parameters[name] + sign * step * direction} for sign in (1, -1)]
        ahead, behind = (exact_mse(problem, side) for side in sides)
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction) / gradient.size**0.5
        expected = (ahead - behind) / (2 * step)
        assert abs(float((gradient * direction).sum()) - expected) < (0.05 if hidden else 0.005) * scale, name


def test_targets_can_be_changed_and_come_back(make_problem):
    problem = make_problem(spec_of(3, 3))
    parameters = random_parameters(problem, np.random.default_rng(0))
    engine, shift = NumbaEngine(problem, parameters, Objective(), 0), np.float32(0.25)
    before = engine.gradient().mse
    engine.set_objective(Objective(targets=problem.targets + shift))
    shifted = {**parameters, "bias_out": parameters["bias_out"] - shift}
    assert engine.gradient().mse == pytest.approx(
        NumbaEngine(problem, shifted, Objective(), 0).gradient().mse, rel=1e-5
    )
    engine.set_objective(Objective())
    assert engine.gradient().mse == before


@pytest.mark.parametrize("psnr_db", [32.0, 40.0])
def test_more_effort_never_costs_bytes(photograph, psnr_db):
    problems = candidates_of(photograph(spec_of(3, 4)))
    sizes = []
    for effort in (1, 3, 5):
        solution, problem = solve_wavelet(problems, Request(psnr_db, effort, 0))
        assert psnr_db <= solution.trial.psnr_db < psnr_db + 0.1
        sizes.append(estimated_bytes(problem, solution.trial.weights))
    assert sizes[0] >= sizes[1] >= sizes[2]
    if psnr_db > 36:  # the files of 32 dB are too small for filters
        assert sizes[2] < 0.99 * sizes[0]


def test_high_efforts_do_what_lower_ones_do_and_more(photograph, monkeypatch):
    for effort in range(6, 10):
        assert FITS[effort][: len(FITS[effort - 1])] == FITS[effort - 1]
        assert len(FITS[effort]) > len(FITS[effort - 1])
    monkeypatch.setattr("nfcodec.fields.wavelet.fit.FITS", {2: [(20, 1.0)], 6: [(20, 1.0), (20, 0.93), (30, 1.0)]})
    problems, sizes = candidates_of(photograph(spec_of(3, 4))), []
    for effort, max_steps, n_steps in ((2, None, 20), (6, 20, 20), (6, 45, 45), (6, None, 70)):
        solution, problem = solve_wavelet(problems, Request(40.0, effort, 0, max_steps=max_steps))
        assert solution.steps == solution.fit_steps == n_steps
        sizes.append(estimated_bytes(problem, solution.trial.weights))
    assert sizes[0] == sizes[1] >= sizes[2] >= sizes[3]
