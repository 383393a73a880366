from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, decode, encode
from nfcodec.coding.payload import decode_payload
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.plan import N_FILTERS, default_field
from nfcodec.fields.wavelet.recipes import RECIPES, Fit, Recipe
from nfcodec.format import HEADER, Header, read_chunks
from nfcodec.limits import DEFAULT_LIMITS
from nfcodec.metrics import psnr_db as measure
from nfcodec.raster import Raster

WIDE = Wavelet(4, 32)


def n_bytes(solution) -> float:
    return solution.problem.estimated_bytes(solution.trial.weights)


# ------------------------------------------------------------------------------------------------------------- solve


@pytest.mark.parametrize("psnr_db", [25.0, 38.5, 55.0])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", [8, 16])
def test_solutions_are_just_over_the_target(make_problem, solved, channels, depth, psnr_db):
    problem = make_problem(Wavelet(2), 48, 40, channels, depth=depth)
    solution = solved(problem, psnr_db, 3)
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert psnr_db <= solution.trial.psnr_db < psnr_db + 1.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 40), (33, 1), (2, 3), (16, 17)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n_levels", [0, 3, 7])
def test_every_shape(make_problem, solved, shape, channels, n_levels):
    problem = make_problem(Wavelet(n_levels), *shape, channels)
    assert solved(problem, 40.0, 3).trial.psnr_db >= 40.0


@pytest.mark.parametrize("value", [0, 1, 77, 255])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target_db", [20.0, 60.0])
def test_constant_pictures(make_problem, solved, value, channels, target_db):
    problem = make_problem(Wavelet(2), channels=channels)
    problem = replace(problem, samples=np.full_like(problem.samples, value))
    solution = solved(problem, target_db, 3)
    assert solution.trial.psnr_db >= target_db
    assert n_bytes(solution) < 80


def test_extreme_pictures(make_problem, solved):
    """Black and white noise: the largest coefficients there are."""
    problem = make_problem(Wavelet(4), 32, 32, 1)
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
def test_value_maps_and_permutations(make_problem, solved, transform, channels):
    problem = make_problem(Wavelet(2), channels=channels, transform=transform)
    solution = solved(problem, 35.0, 3)
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert solution.trial.psnr_db >= 35.0


def test_lossless_in_8_bits(make_problem, solved):
    problem = make_problem(Wavelet(2))
    assert math.isinf(solved(problem, 100.0, 3).trial.psnr_db)


def test_finer_targets_cost_more(make_problem, solved):
    problem = make_problem(Wavelet(2), 40, 40)
    sizes = [n_bytes(solved(problem, psnr_db, 3)) for psnr_db in (28.0, 34.0, 40.0, 46.0)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.5 * sizes[-1]


def test_solutions_repeat_exactly(make_problem, solved):
    first, second = (solved(make_problem(Wavelet(2)), 36.0, 3).trial.weights for _ in range(2))
    for name, weight in first.items():
        assert weight.step == second[name].step
        assert np.array_equal(weight.symbols, second[name].symbols)


def test_an_expired_deadline_still_gives_a_solution(make_problem, solved):
    problem = make_problem(Wavelet(2))
    solution = solved(problem, 36.0, 9, deadline=time.monotonic() - 1)
    assert solution.steps == 0
    assert math.isfinite(solution.trial.psnr_db)


# --------------------------------------------------------------------------------------------------------------- fit


def test_steps_make_files_smaller(photograph, solved):
    problem = photograph(Wavelet(4))
    sizes = [n_bytes(solved(problem, 40.0, effort)) for effort in (1, 5)]
    assert sizes[1] < sizes[0]


def test_as_many_steps_as_asked_for(make_problem, solved):
    problem = make_problem(Wavelet(3), 64, 64)
    assert solved(problem, 36.0, 5, max_steps=7).steps == 7
    assert solved(problem, 36.0, 5, max_steps=0).steps == 0


# ----------------------------------------------------------------------------------------------------------- filters


def assert_valid(solution):
    """What a file would hold gives the samples and the PSNR that the solution states."""
    problem, trial = solution.problem, solution.trial
    assert list(trial.weights) == [tensor.name for tensor in problem.field.layout(problem.geometry)]
    symbols = decode_payload(problem.field, problem.geometry, problem.payload(trial.weights))
    again = problem.trial({name: replace(trial.weights[name], symbols=values) for name, values in symbols.items()})
    assert np.array_equal(again.samples, trial.samples)
    assert again.psnr_db == trial.psnr_db


@pytest.mark.parametrize("effort", [1, 2])
def test_filters_are_chosen_where_they_pay(photograph, solved, offers_of, effort):
    linear = photograph(Wavelet(5))
    without, solution = solved(linear, 36.0, effort), solved(offers_of(linear), 36.0, effort)
    assert solution.field.n_filters in N_FILTERS
    assert np.any(solution.trial.weights["weight1"].symbols)
    assert_valid(solution)
    assert 36.0 <= solution.trial.psnr_db < 36.05
    assert n_bytes(solution) < n_bytes(without)


def test_larger_files_take_more_filters(photograph, solved, offers_of):
    offers = offers_of(photograph(Wavelet(5)))
    widths = [solved(offers, psnr_db).field.n_filters for psnr_db in (26.0, 33.0, 44.0)]
    assert widths == sorted(widths)
    assert widths[0] == 0
    assert widths[2] > widths[1] > 0


@pytest.mark.parametrize("effort", [1, 3])
def test_small_pictures_take_no_filters(make_problem, solved, offers_of, effort):
    """What comes out is what would without any on offer."""
    for shape in ((1, 1), (2, 9), (24, 20)):
        linear = make_problem(default_field(Geometry(*shape, 3)), *shape)
        solution = solved(offers_of(linear), 38.0, effort)
        assert solution.problem is linear
        alone = solved(linear, 38.0, effort).trial.weights
        assert all(
            np.array_equal(weight.symbols, alone[name].symbols) for name, weight in solution.trial.weights.items()
        )


@pytest.mark.parametrize("value", [0, 77, 255])
def test_constant_pictures_take_no_filters(make_problem, solved, offers_of, value):
    problem = make_problem(Wavelet(4), 64, 64)
    linear = replace(problem, samples=np.full_like(problem.samples, value))
    solution = solved(offers_of(linear), 40.0)
    assert solution.problem is linear
    assert n_bytes(solution) < 80


@pytest.mark.parametrize("psnr_db", [25.0, 36.0, 42.0])
@pytest.mark.parametrize("effort", [1, 2])
def test_filters_on_offer_do_no_harm_to_noise(make_problem, solved, offers_of, psnr_db, effort):
    problem = make_problem(Wavelet(4), 64, 64)
    noise = np.random.default_rng(0).integers(0, 256, problem.samples.shape).astype(np.uint8)
    linear = replace(problem, samples=noise)
    solution = solved(offers_of(linear), psnr_db, effort)
    assert solution.trial.psnr_db >= psnr_db
    assert_valid(solution)
    assert n_bytes(solution) < 1.005 * n_bytes(solved(linear, psnr_db, effort))


@pytest.mark.parametrize("n_filters", [1, 20, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_filters_asked_for_are_kept(make_problem, solved, channels, n_filters):
    problem = make_problem(Wavelet(2, n_filters), 40, 48, channels)
    for effort in (1, 2):
        solution = solved(problem, 36.0, effort)
        assert solution.field == problem.field
        assert_valid(solution)
        assert 36.0 <= solution.trial.psnr_db < 36.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 40), (33, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("psnr_db", [20.0, 40.0, 60.0])
def test_filters_asked_for_in_every_shape(make_problem, solved, shape, psnr_db):
    """Where nothing is missing there is nothing to restore: then the field may come back without its filters."""
    problem = make_problem(Wavelet(3, 16), *shape)
    solution = solved(problem, psnr_db, 2)
    assert solution.trial.psnr_db >= psnr_db
    assert solution.field in (Wavelet(3, 16), Wavelet(3))
    assert_valid(solution)


@pytest.mark.parametrize("transform", ["inversion", "standardize", "scale:0.5", "gamma:2", "sympower", "zigzag"])
def test_filters_under_value_maps_and_permutations(make_problem, solved, transform):
    problem = make_problem(Wavelet(2, 16), 40, 48, transform=transform)
    solution = solved(problem, 36.0)
    assert solution.field == problem.field
    assert_valid(solution)
    assert solution.trial.psnr_db >= 36.0


@pytest.mark.slow
def test_filters_and_steps(photograph, solved):
    """Steps on the linear part, then the layer that suits it, make the file smaller still."""
    problem = photograph(WIDE)
    analysed, fitted = (solved(problem, 40.0, effort) for effort in (1, 5))
    assert (analysed.engine, fitted.engine) == (None, "numba")
    assert fitted.steps > 0
    assert n_bytes(fitted) < n_bytes(analysed)
    assert 40.0 <= fitted.trial.psnr_db < 40.05
    assert_valid(fitted)


def test_filters_repeat_exactly(photograph, solved):
    first, second = (solved(photograph(WIDE), 36.0, 2).trial.weights for _ in range(2))
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert weight.step == second[name].step
        assert np.array_equal(weight.symbols, second[name].symbols)


def test_filters_after_the_deadline(make_problem, solved):
    problem = make_problem(Wavelet(2, 16), 40, 48)
    solution = solved(problem, 36.0, 9, deadline=time.monotonic() - 1)
    assert solution.field == problem.field
    assert solution.steps == 0
    assert solution.trial.psnr_db >= 36.0


def test_files_with_filters(photograph):
    """Through the codec, chosen and asked for."""
    samples = photograph(Wavelet(2)).samples.reshape(160, 160, 3)
    for field in ("auto", "wavelet", Wavelet(3, 24)):
        data = encode(Raster(samples), EncodeOptions(36.0, field=field, effort=1)).data
        found = Wavelet.unpack(Header.unpack(read_chunks(data)[HEADER], DEFAULT_LIMITS).field)
        assert found == field if isinstance(field, Wavelet) else found.n_filters
        assert 36.0 <= measure(decode(data).samples, samples, 255) < 36.05


@pytest.mark.slow
@pytest.mark.parametrize("psnr_db", [32.0, 40.0])
def test_more_effort_never_costs_bytes(photograph, solved, offers_of, psnr_db):
    offers, sizes = offers_of(photograph(Wavelet(5))), []
    for effort in (1, 3, 5):
        solution = solved(offers, psnr_db, effort)
        assert psnr_db <= solution.trial.psnr_db < psnr_db + 0.1
        sizes.append(n_bytes(solution))
    assert sizes[0] >= sizes[1] >= sizes[2]
    if psnr_db > 36:  # the files of 32 dB are too small for filters
        assert sizes[2] < 0.99 * sizes[0]


@pytest.mark.parametrize("filters", ["on offer", "asked for"])
def test_a_few_steps_never_cost_bytes(photograph, solved, offers_of, filters):
    """On a picture that is small enough for every run; see `test_more_effort_never_costs_bytes`."""
    offers = offers_of(photograph(Wavelet(4), side=96)) if filters == "on offer" else photograph(WIDE, side=96)
    fewer, more = (solved(offers, 40.0, recipe=each) for each in (replace(RECIPES[2], fits=()), RECIPES[2]))
    assert (fewer.steps, more.steps) == (0, RECIPES[2].n_steps)
    assert 40.0 <= more.trial.psnr_db < 40.1
    assert n_bytes(more) <= n_bytes(fewer)


@pytest.mark.parametrize("psnr_db", [30.0, 36.0, 40.0, 46.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_quickest_effort_costs_few_bytes(photograph, make_problem, solved, offers_of, psnr_db, channels):
    """Beside effort 2 without its steps, of a photograph; more of a few noisy pixels, whose files are of some words."""
    for linear, most in (
        (photograph(Wavelet(4), channels, 96), 0.025),
        (make_problem(Wavelet(3), 48, 40, channels), 0.15),
    ):
        offers = offers_of(linear)
        quick, thorough = (solved(offers, psnr_db, recipe=each) for each in (RECIPES[1], replace(RECIPES[2], fits=())))
        assert psnr_db <= quick.trial.psnr_db < psnr_db + 0.5
        assert n_bytes(quick) <= (1 + most) * n_bytes(thorough) + 4  # a word


def test_high_efforts_have_the_fits_of_lower_ones_and_more():
    assert sorted(RECIPES) == list(range(1, 10))
    for effort in range(6, 10):
        fits, fewer = RECIPES[effort].fits, RECIPES[effort - 1].fits
        assert fits[: len(fewer)] == fewer
        assert len(fits) > len(fewer)


@pytest.mark.parametrize(("max_steps", "n_steps"), [(5, 5), (11, 11), (None, 18)])
def test_fits_share_the_steps_asked_for(make_problem, solved, max_steps, n_steps):
    problem, recipe = make_problem(Wavelet(3), 40, 40), Recipe((Fit(5), Fit(5, 0.93), Fit(8)))
    solution = solved(problem, 36.0, recipe=recipe, max_steps=max_steps)
    assert solution.steps == solution.fit_steps == n_steps
    assert solution.trial.psnr_db >= 36.0


@pytest.mark.slow
def test_more_fits_do_what_fewer_do_and_more(photograph, solved, offers_of):
    few, more = Recipe((Fit(20),)), Recipe((Fit(20), Fit(20, 0.93), Fit(30)))
    offers, sizes = offers_of(photograph(Wavelet(5))), []
    for recipe, max_steps, n_steps in ((few, None, 20), (more, 20, 20), (more, 45, 45), (more, None, 70)):
        solution = solved(offers, 40.0, recipe=recipe, max_steps=max_steps)
        assert solution.steps == solution.fit_steps == n_steps
        sizes.append(n_bytes(solution))
    assert sizes[0] == sizes[1] >= sizes[2] >= sizes[3]


def test_an_analysis_is_enough_where_time_is_up(photograph, solved):
    problem = photograph(Wavelet(4))
    hasty, whole = solved(problem, 36.0, deadline=1.0), solved(problem, 36.0)
    assert hasty.trial.psnr_db >= 36.0
    assert hasty.field == Wavelet(4)
    assert n_bytes(hasty) > n_bytes(whole)


# -------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_files_keep_their_promise(make_problem, alpha, depth):
    samples = make_problem(Wavelet(2), 21, 18, depth=depth).samples.reshape(21, 18, 3)
    raster = Raster(samples, samples[:, :, 0] if alpha else None)
    decoded = decode(encode(raster, EncodeOptions(42.0)).data)
    assert measure(decoded.samples, raster.samples, raster.peak) >= 42.0
    assert (decoded.alpha is None) == (raster.alpha is None)
