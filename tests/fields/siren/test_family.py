from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.errors import FormatError, UsageError
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.siren import family as module
from nfcodec.fields.siren import sampled_fit as sampled
from nfcodec.fields.siren import tiles
from nfcodec.fields.siren.family import SIREN_OVER_WAVELETS, SirenFamily
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.plan import PAPER, default_siren, well_started
from nfcodec.fields.siren.recipes import RECIPES
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fitting.family import Context
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.plans import Plan
from nfcodec.fitting.request import Request
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain

SMALL = Siren(16, 2)
QUICK = replace(RECIPES[5], fit_steps=300)
CLOSE_DB = 0.3


def picture(height: int = 60, width: int = 50, transform: str = "none") -> Picture:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    planes = [120 + 60 * np.sin(x / (4 + c)) * np.cos(y / 6) + 3 * x - 2 * y for c in range(3)]
    samples = (np.stack(planes, 2) + rng.normal(0, 3, (height, width, 3))).clip(0, 255).astype(np.uint8)
    return Picture.of(Raster(samples), Chain.prepare(parse_chain(transform), samples, 0))


def session(given=None, n_bytes: float = 500.0, transform: str = "none", **size):
    """One whose estimator says that a picture takes so many bytes, evenly spread."""

    def estimator(picture, request):
        return lambda rows, cols: [n_bytes / (rows * cols)] * (rows * cols)

    return SirenFamily().begin(picture(transform=transform, **size), Context(estimator), given)


def plan_of(field, recipe) -> Plan:
    return Plan(field, recipe, 5, (), 0.0)


@pytest.fixture
def quick(monkeypatch):
    """Fits of a few steps on few pixels."""
    monkeypatch.setattr(tiles, "PARAMETERS_PER_PIXEL", 1.0)
    monkeypatch.setattr(sampled, "PIXELS", 600)


def test_small_networks_are_planned_where_they_may_do():
    request = Request(Psnr(30.0), 5, 0)
    size = {"height": 256, "width": 384}
    small = session(n_bytes=1500.0, **size).plans(request)[-1]
    large = default_siren(picture(**size).geometry, False, 30.0)
    assert isinstance(small.field, TiledSiren)
    assert small.recipe == RECIPES[5]
    assert small.field.n_parameters(picture(**size).geometry) * 10 < large.n_parameters(picture(**size).geometry)
    for n_bytes, transform in ((200_000.0, "none"), (math.inf, "none"), (1500.0, "rpp")):
        plan = session(n_bytes=n_bytes, transform=transform, **size).plans(request)[-1]
        assert plan.field == default_siren(picture(**size).geometry, transform == "rpp", 30.0)


def test_a_given_field_is_the_one_planned():
    for given in (SMALL, TiledSiren(1, 2, (8, 9))):
        plan = session(given).plans(Request(Psnr(30.0), 3, 0))[-1]
        assert (plan.field, plan.recipe, plan.n_bytes) == (given, RECIPES[3], None)
    with pytest.raises(UsageError, match="siren"):
        session(Ngp.instant(64))


def test_a_chosen_field_starts_well_and_a_given_one_as_the_paper_has_it(monkeypatch):
    starts = []
    monkeypatch.setattr(module, "solve_memorising", lambda problem, request, recipe, start: starts.append(start))
    request = Request(Psnr(40.0), 3, 0)
    for given in (None, Siren(80)):
        opened = session(given, math.inf)
        opened.fit(opened.plans(request)[-1], request)
    assert starts == [well_started(default_siren(picture().geometry, False, 40.0), picture().geometry), PAPER]


def test_a_small_field_that_will_not_do_gives_way_to_a_large_one(monkeypatch):
    """A chosen one to the large one that was not chosen, a given one to K-FAC."""
    seen = []
    monkeypatch.setattr(module, "fit_small", lambda *_, **options: seen.append(options))
    monkeypatch.setattr(module, "solve_memorising", lambda problem, *_: problem.field)
    request, chosen = Request(Psnr(30.0), 3, 0), TiledSiren(1, 2, (8, 9))
    assert session().fit(plan_of(chosen, RECIPES[3]), request) == default_siren(picture().geometry, False, 30.0)
    assert session(SMALL).fit(plan_of(SMALL, RECIPES[3]), request) == SMALL
    assert [(each["planned"], each["last"]) for each in seen] == [(True, False), (False, False)]
    session(chosen).fit(plan_of(chosen, RECIPES[3]), request)
    assert (seen[-1]["planned"], seen[-1]["last"]) == (False, True)


def test_a_fit_serves_again_for_targets_close_to_its_own(quick, monkeypatch):
    fit_networks, fits = tiles.fit_networks, []

    def counted(*arguments):
        fits.append(arguments)
        return fit_networks(*arguments)

    monkeypatch.setattr(tiles, "fit_networks", counted)
    opened, quicker, found = session(SMALL), replace(QUICK, more_ways=4), {}
    for psnr_db, recipe, n_fits in (
        (32.8, QUICK, 1),
        (32.6, QUICK, 1),
        (33.0, QUICK, 1),
        (32.8, quicker, 2),
        (32.8, quicker, 2),
        (26.0, quicker, 3),
    ):
        solution = opened.fit(plan_of(SMALL, recipe), Request(Psnr(psnr_db), 5, 0))
        assert len(fits) == n_fits
        assert psnr_db <= solution.trial.psnr_db < psnr_db + CLOSE_DB or psnr_db == 26.0
        found[psnr_db, recipe] = solution
    again = session(SMALL).fit(plan_of(SMALL, QUICK), Request(Psnr(32.8), 5, 0))
    assert len(fits) == 4
    for name, weight in again.trial.weights.items():
        assert np.array_equal(weight.symbols, found[32.8, QUICK].trial.weights[name].symbols)
    assert (again.steps, found[32.6, QUICK].steps) == (300, 300)


def test_sizes_are_estimated_for_small_networks_alone():
    request = Request(Psnr(30.0), 5, 0)
    for given in (None, TiledSiren(1, 2, (8, 9))):
        assert session(given).estimated_bytes(request) == SIREN_OVER_WAVELETS * 500.0
    assert session(SMALL).estimated_bytes(request) is None
    assert session(transform="rpp").estimated_bytes(request) is None

    def out_of_reach(rows, cols):
        raise FormatError("no steps suit")

    opened = SirenFamily().begin(picture(), Context(lambda *_: out_of_reach))
    assert opened.estimated_bytes(request) == math.inf


@pytest.mark.parametrize(
    ("engine", "device", "taken"), [("auto", "cpu", True), ("numba", "auto", True), ("tinycudann", "auto", False)]
)
def test_what_the_family_says_of_itself(engine, device, taken):
    family = SirenFamily()
    assert (family.refuses(picture(), engine, device) is None) == taken
    assert not family.suits(picture(), Request(Psnr(40.0), 9, 0))
    assert (family.lossless(8).fit_db, family.lossless(16).from_db) == (30.0, math.inf)
