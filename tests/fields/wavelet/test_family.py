from __future__ import annotations

import math

import numpy as np
import pytest

from nfcodec.errors import EngineError, UsageError
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.wavelet.estimate import WaveletBytes
from nfcodec.fields.wavelet.family import WaveletFamily
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.plan import MOST_LEVELS, N_FILTERS, default_field, offers
from nfcodec.fields.wavelet.recipes import RECIPES
from nfcodec.fitting.family import Context
from nfcodec.fitting.goals import Lossless, Psnr, Size
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Request
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain

CONTEXT = Context(WaveletBytes)


@pytest.fixture
def picture(make_problem):
    def make(height: int = 24, width: int = 20, channels: int = 3, transform: str = "none") -> Picture:
        samples = make_problem(Wavelet(0), height, width, channels).samples.reshape(height, width, channels)
        return Picture.of(Raster(samples), Chain.prepare(parse_chain(transform), samples, 0))

    return make


def test_it_suits_pictures_whose_pixels_keep_their_places(picture):
    for goal, effort in ((Psnr(40.0), 1), (Psnr(120.0), 9), (Size(1), 5), (Lossless(), 5)):
        family, request = WaveletFamily(), Request(goal, effort, 0)
        assert family.suits(picture(), request)
        assert family.suits(picture(transform="gamma:2"), request)
        assert not family.suits(picture(transform="rpp"), request)
        assert not family.suits(picture(transform="zigzag"), request)


@pytest.mark.parametrize(
    ("engine", "device", "fits"),
    [
        ("auto", "auto", True),
        ("auto", "cpu", True),
        ("numba", "auto", True),
        ("numba", "cpu", True),
        ("auto", "cuda", False),
        ("numba", "cuda", False),
        ("torch", "auto", False),
        ("torch", "cpu", False),
        ("cuda", "auto", False),
        ("tinycudann", "auto", False),
    ],
)
def test_engines_that_cannot_are_refused_in_words(picture, engine, device, fits):
    refusal = WaveletFamily().refuses(picture(), engine, device)
    assert (refusal is None) == fits
    assert fits or (repr(engine) in refusal and "numba" in refusal)


def test_where_the_rest_is_left_to_a_residual():
    family = WaveletFamily()
    policy = family.lossless(8)
    assert policy.fit_db == pytest.approx(20 * math.log10(255 / 0.8))
    assert policy.from_db == pytest.approx(policy.fit_db + 9)
    policy = family.lossless(16)
    assert (policy.fit_db, policy.from_db) == (90.0, 94.0)


def test_default_levels_leave_a_few_coefficients(picture):
    for shape, n_levels in (
        ((1, 1), 0),
        ((1, 300), 6),
        ((20, 1), 2),
        ((7, 7), 0),
        ((8, 9), 1),
        ((24, 20), 2),
        ((512, 768), 6),
    ):
        for channels in (1, 3):
            assert default_field(Geometry(*shape, channels)) == Wavelet(min(n_levels, MOST_LEVELS))


def test_what_there_is_to_choose_from(picture):
    assert N_FILTERS == (16, 32, 64, 128)
    fields = [each.problem.field for each in offers(picture())]
    assert fields == [Wavelet(2), *(Wavelet(2, n_filters) for n_filters in N_FILTERS)]
    for given in (Wavelet(3), Wavelet(1, 5)):
        assert [each.problem.field for each in offers(picture(), given)] == [given]


@pytest.mark.parametrize("effort", range(1, 10))
def test_plans_are_of_the_effort(picture, effort):
    session = WaveletFamily().begin(picture(), CONTEXT)
    plans = session.plans(Request(Psnr(40.0), effort, 0))
    assert [plan.recipe for plan in plans] == [RECIPES[each] for each in range(1, effort + 1)]
    assert {plan.field for plan in plans} == {Wavelet(2)}
    steps = [sum(stage.steps for stage in plan.stages) for plan in plans]
    assert steps == [plan.recipe.n_steps for plan in plans]


def test_without_an_engine_no_steps_are_planned(picture, monkeypatch):
    def nowhere(*_):
        raise EngineError("no kernels")

    monkeypatch.setattr("nfcodec.fields.wavelet.family.load_engine", nowhere)
    session, request = WaveletFamily().begin(picture(), CONTEXT), Request(Psnr(40.0), 5, 0)
    session.get_ready(request)
    assert not any(stage.steps for plan in session.plans(request) for stage in plan.stages)


@pytest.mark.parametrize(("max_steps", "stages"), [(0, ()), (50, (50,)), (100, (60, 40)), (1000, (60, 300, 300, 340))])
def test_plans_take_no_more_steps_than_asked_for(picture, max_steps, stages):
    session = WaveletFamily().begin(picture(), CONTEXT)
    plan = session.plans(Request(Psnr(40.0), 7, 0, max_steps=max_steps))[-1]
    assert tuple(stage.steps for stage in plan.stages if stage.steps) == stages


@pytest.mark.parametrize("given", [None, Wavelet(2), Wavelet(1, 16)])
@pytest.mark.parametrize("transform", ["none", "rpp"])
def test_sessions_fit_one_target_after_another(picture, given, transform):
    session = WaveletFamily().begin(picture(transform=transform), CONTEXT, given)
    for psnr_db in (36.0, 42.0, 36.0):
        request = Request(Psnr(psnr_db), 2, 0)
        assert session.estimated_bytes(request) is None
        solution = session.fit(session.plans(request)[-1], request)
        assert psnr_db <= solution.trial.psnr_db < psnr_db + 1.0
        assert solution.field == (given or Wavelet(2))


def test_fields_of_other_families_are_refused(picture):
    with pytest.raises(UsageError, match="wavelet"):
        WaveletFamily().begin(picture(), CONTEXT, Siren(8))


# ---------------------------------------------------------------------------------------------------------- estimate


def test_the_estimate_is_about_what_a_file_takes(picture):
    source = picture(64, 80)
    request = Request(Psnr(36.0), 1, 0)
    (estimate,) = WaveletBytes(source, request)(1, 1)
    session = WaveletFamily().begin(source, CONTEXT, default_field(source.geometry))
    solution = session.fit(session.plans(request)[-1], request)
    assert estimate == pytest.approx(len(solution.problem.payload(solution.trial.weights)), rel=0.2)


def test_estimates_of_tiles_show_where_there_is_something():
    samples = np.full((64, 64, 1), 100, np.uint8)
    samples[:32, 32:, 0] = np.random.default_rng(0).integers(0, 256, (32, 32))
    source = Picture.of(Raster(samples), Chain.prepare([], samples, 0))
    estimates = WaveletBytes(source, Request(Psnr(30.0), 1, 0))
    tiles = estimates(2, 2)
    assert len(tiles) == 4
    assert min(tiles) > 0
    assert tiles[1] > 10 * max(tiles[0], tiles[2], tiles[3])
    assert sum(tiles) == pytest.approx(estimates(1, 1)[0], rel=0.3)
    assert len(estimates(3, 5)) == 15


def test_an_estimate_that_nobody_asks_for_costs_nothing(picture, monkeypatch):
    def unexpected(*arguments):
        raise AssertionError

    monkeypatch.setattr("nfcodec.fields.wavelet.estimate.analysed", unexpected)
    estimates = WaveletBytes(picture(), Request(Psnr(30.0), 1, 0))
    with pytest.raises(AssertionError):
        estimates(1, 1)
