from __future__ import annotations

import math

import numpy as np
import pytest

from nfcodec.errors import UsageError
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.family import NgpFamily, solve_ngp
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import hash_levels
from nfcodec.fields.ngp.plan import default_ngp
from nfcodec.fields.ngp.recipes import RECIPES
from nfcodec.fields.siren.field import Siren
from nfcodec.fitting.family import Context
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Request
from nfcodec.limits import DEFAULT_LIMITS
from nfcodec.raster import Raster
from nfcodec.transforms import Chain

HASHED = Ngp(hash_levels(4, 2, 8, 4, 1.6), hidden=(16, 16))


def picture(height: int, width: int) -> Picture:
    y, x = np.mgrid[:height, :width]
    samples = (128 + 60 * np.sin(x / 5)[..., None] * np.cos(y / 7)[..., None] + [[[0, 9, 20]]]).astype(np.uint8)
    return Picture.of(Raster(samples), Chain.prepare((), samples, 0))


def session(height: int = 24, width: int = 20, given=None):
    return NgpFamily().begin(picture(height, width), Context(lambda *_: None), given)


def solved(problem, psnr_db, effort=2, seed=0, **limits):
    return solve_ngp(problem, Request(Psnr(psnr_db), effort, seed, **limits), RECIPES[effort])


def test_fits_reach_their_target_and_repeat_exactly(make_problem):
    problem, events = make_problem(HASHED), []
    first, second = (solved(problem, 32.0, seed=7, device="cpu", listen=events.append) for _ in range(2))
    assert first.problem is problem
    assert first.trial.psnr_db == problem.exact_psnr_db(first.trial.weights) >= 32.0
    assert first.steps == second.steps >= first.fit_steps > 0
    assert {event.phase for event in events} >= {"fit", "fine-tune", "quantize"}
    for name, weight in first.trial.weights.items():
        assert np.array_equal(weight.symbols, second.trial.weights[name].symbols)


@pytest.mark.parametrize("limit", [{"deadline": 0.0}, {"max_steps": 0}, {"max_steps": 6}], ids=str)
def test_what_there_is_when_steps_or_time_run_out(make_problem, limit):
    solution = solved(make_problem(HASHED), 45.0, 9, **limit)
    assert solution.steps == limit.get("max_steps", 0)
    assert 0 < solution.trial.psnr_db < 45.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (24, 20)], ids=str)
def test_the_default_field_fits_small_pictures(shape):
    opened, request = session(*shape), Request(Psnr(30.0), 1, 0)
    (plan,) = opened.plans(request)
    assert plan.recipe == RECIPES[1]
    assert opened.fit(plan, request).trial.psnr_db >= 30.0
    assert opened.estimated_bytes(request) is None


def test_the_default_field_follows_the_size():
    sizes = []
    for height, width in ((1, 1), (30, 40), (512, 768), (4000, 6000)):
        geometry = Geometry(height, width, 3)
        field = default_ngp(geometry)
        field.check(geometry, DEFAULT_LIMITS)
        sizes.append(max(level.size for level in field.levels))
        assert field.n_parameters(geometry) < max(40_000, 4 * geometry.n_pixels)
    assert sizes == sorted(sizes)
    assert sizes[-1] == 2**19


def test_a_given_field_is_the_only_plan():
    (plan,) = session(given=HASHED).plans(Request(Psnr(30.0), 4, 0))
    assert (plan.field, plan.recipe, plan.n_bytes) == (HASHED, RECIPES[4], None)
    with pytest.raises(UsageError, match="ngp"):
        session(given=Siren(8))


@pytest.mark.parametrize(
    ("engine", "device", "taken"), [("auto", "cpu", True), ("torch", "cuda", True), ("numba", "cuda", False)]
)
def test_what_the_family_says_of_itself(engine, device, taken):
    family = NgpFamily()
    assert (family.refuses(picture(4, 4), engine, device) is None) == taken
    assert not family.suits(picture(4, 4))
    eight, sixteen = family.lossless(8), family.lossless(16)
    assert 49 < eight.fit_db < 51
    assert (sixteen.fit_db, eight.from_db) == (90.0, math.inf)
