"""The contract of nfcodec.fitting.family, for every family."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest

import nfcodec
from nfcodec.codec import EncodeOptions, encode
from nfcodec.exact.geometry import Geometry
from nfcodec.fields import registry
from nfcodec.fitting.family import Context
from nfcodec.fitting.goals import Psnr
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Request
from nfcodec.limits import MAX_EFFORT, Limits
from nfcodec.raster import Raster
from nfcodec.transforms import Chain

NAMES = [*registry.FAMILIES, "mosaic"]
each_family = pytest.mark.parametrize("name", NAMES)

LIGHT = {"effort": 1, "max_steps": 400}


@each_family
@pytest.mark.parametrize(
    ("shape", "depth", "psnr"), [((16, 18, 1), 8, 28.0), ((18, 16, 3), 8, 28.0), ((9, 11, 1), 16, 35.0)]
)
def test_the_promise_is_kept(name, picture, shape, depth, psnr):
    image = picture(*shape, depth)
    encoded = nfcodec.encode_with_report(image, field=name, psnr=psnr, **LIGHT)
    decoded = nfcodec.decode_array(encoded.data)
    error = np.square(decoded.astype(float) - image).mean()
    assert 10 * np.log10((2**depth - 1) ** 2 / max(error, 1e-30)) >= psnr
    assert encoded.report["reached"]


@each_family
@pytest.mark.parametrize("transform", ["rpp", "standardize", "zigzag", "inversion+rpp"])
def test_any_chain(name, picture, transform):
    image = picture(14, 16, 1)
    encoded = nfcodec.encode_with_report(image, field=name, psnr=24.0, transform=transform, **LIGHT)
    assert encoded.report["reached"]
    assert nfcodec.inspect(encoded.data).transform == transform


@each_family
def test_the_family_is_named(name, picture):
    encoded = nfcodec.encode_with_report(picture(16, 16, 1), field=name, psnr=26.0, **LIGHT)
    info = nfcodec.inspect(encoded.data)
    assert (encoded.report["field"], info.field) == (name, name)
    closed = encoded.report["steps"] == 0 and name != "samples"
    assert ("closed form" in encoded.report["fitted"]) == closed
    assert ("closed form" in info.fitted) == closed


@each_family
def test_lossless(name, picture):
    image = picture(9, 8, 3)
    assert np.array_equal(nfcodec.decode_array(nfcodec.encode(image, field=name, lossless=True, **LIGHT)), image)


@each_family
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 1, 1), (1, 7, 1), (5, 1, 3)])
def test_degenerate_sizes(name, picture, shape):
    data = nfcodec.encode(picture(*shape), field=name, psnr=20.0, **LIGHT)
    assert nfcodec.decode_array(data).shape == picture(*shape).shape


@each_family
def test_a_flat_picture(name):
    image = np.full((12, 10), 77, np.uint8)
    assert np.array_equal(nfcodec.decode_array(nfcodec.encode(image, field=name, psnr=70.0, **LIGHT)), image)


@each_family
def test_a_size(name, picture):
    encoded = nfcodec.encode_with_report(picture(16, 16, 1), field=name, size=600, **LIGHT)
    assert len(encoded.data) <= 600
    assert encoded.report["reached"]


@each_family
def test_the_field_of_a_file_can_be_given(name, picture):
    """What a family chose is fitted again when it is given, and named alike."""
    image = picture(12, 12, 1)
    first = nfcodec.encode(image, field=name, psnr=24.0, **LIGHT)
    field = field_of(first)
    again = nfcodec.encode_with_report(image, field=field, psnr=24.0, best_effort=True, **LIGHT)
    assert again.report["field"] == name
    assert field_of(again.data) == field


def field_of(data: bytes):
    from nfcodec.codec.document import parse
    from nfcodec.limits import DEFAULT_LIMITS

    return parse(data, DEFAULT_LIMITS).field


@each_family
def test_every_effort_has_a_documented_recipe(name):
    family = registry.family(name)
    assert family.name == name
    assert set(family.recipes) == set(range(1, MAX_EFFORT + 1))
    for recipe in family.recipes.values():
        assert is_dataclass(recipe)
        assert type(recipe).__doc__
        assert fields(recipe)


@each_family
@pytest.mark.parametrize("max_steps", [None, 0, 7])
def test_plans_say_what_they_take(name, picture, max_steps):
    """For each effort, up to the one asked for, as far as they differ; the same field has the same promise."""
    session = begun(name, picture(80, 64, 3))
    request = Request(Psnr(30.0), 5, 0, max_steps=max_steps)
    session.get_ready(request)
    plans = session.plans(request)
    for plan in plans:
        assert 1 <= plan.effort <= 5
        assert plan.recipe == registry.family(name).recipes[plan.effort]
        assert all(stage.seconds >= 0 and stage.steps >= 0 for stage in plan.stages)
        assert {stage.phase for stage in plan.stages} <= {"fit", "shrink", "fine-tune", "quantize", "write"}
        assert plan.stages[-1].phase == "write"
        assert 0 < plan.seconds_of_writing <= plan.seconds < np.inf
        assert plan.seconds == pytest.approx(sum(stage.seconds for stage in plan.stages))
        assert 1e7 < plan.memory_bytes < 1e10
    for field in {plan.field for plan in plans}:
        mine = [plan for plan in plans if plan.field == field]
        assert [plan.effort for plan in mine] == sorted({plan.effort for plan in mine})
        assert len({plan.n_bytes for plan in mine}) == 1
        assert mine[-1].seconds >= mine[0].seconds
    assert session.plans(request) == plans  # nothing is probed twice


@each_family
def test_a_larger_picture_takes_more(name, picture):
    """Of sizes far apart: small pictures may take more iterations, and several fits."""
    small, large = (begun(name, picture(side, side, 1)).plans(Request(Psnr(30.0), 1, 0))[0] for side in (32, 512))
    assert large.seconds > small.seconds
    assert large.memory_bytes > small.memory_bytes


@each_family
def test_phases_are_those_of_the_plan(name, picture):
    """Whoever draws a bar hears of the plan first, and then of nothing that it does not say."""
    seen = []
    nfcodec.encode(picture(24, 24, 1), field=name, psnr=26.0, effort=2, max_steps=400, on_event=seen.append)
    (first,) = (i for i, event in enumerate(seen) if event.plan is not None)
    planned = {stage.phase for stage in seen[first].plan.stages}
    assert {"write"} <= {event.phase for event in seen[first:]} <= planned | {"prepare", "quantize"}
    assert seen[-1].phase == "write"


def begun(name, image):
    raster = Raster.from_array(image)
    picture = Picture.of(raster, Chain.prepare([], raster.samples, 0))
    return registry.family(name).begin(picture, Context(registry.estimator()))


@each_family
def test_time_that_is_up_ends_the_fit(name, picture):
    encoded = nfcodec.encode_with_report(
        picture(24, 24, 1), field=name, psnr=30.0, time_limit_s=1e-3, best_effort=True, effort=9
    )
    assert encoded.report["fit_seconds"] < 20
    assert nfcodec.decode_array(encoded.data).shape == (24, 24)


@each_family
def test_limits_are_checked_before_the_fit(name, picture):
    raster = Raster.from_array(picture(16, 16, 1))
    options = EncodeOptions(psnr_db=26.0, field=name, effort=1)
    with pytest.raises(nfcodec.LimitError):
        encode(raster, options, limits=Limits(max_work=0))


@each_family
def test_events_come(name, picture):
    seen = []
    nfcodec.encode(picture(16, 16, 1), field=name, psnr=26.0, on_event=seen.append, **LIGHT)
    assert seen
    assert all(event.seconds >= 0 for event in seen)


@pytest.mark.parametrize("name", registry.FAMILIES)
def test_a_field_of_another_family_is_refused(name):
    from nfcodec.fitting.family import Context
    from tests.contract.toy_family import Mosaic

    with pytest.raises(nfcodec.UsageError):
        registry.family(name).begin(_square(), Context(registry.estimator()), Mosaic(2))


def _square():
    samples = np.zeros((8, 8, 1), np.uint8)
    return Picture.of(Raster(samples), Chain.prepare([], samples, 0))


def test_auto_takes_wavelets_where_pixels_keep_their_places(picture):
    for transform, name in (("none", "wavelet"), ("standardize", "wavelet"), ("rpp", "table"), ("zigzag", "table")):
        report = nfcodec.encode_with_report(picture(12, 12, 1), psnr=26.0, transform=transform, **LIGHT).report
        assert report["field"] == name


def test_auto_without_wavelets_takes_what_stands_in(picture):
    pytest.importorskip("torch")
    report = nfcodec.encode_with_report(picture(12, 12, 1), psnr=26.0, engine="torch", **LIGHT).report
    assert report["field"] == "table"


def test_an_unknown_name_is_a_usage_error(picture):
    with pytest.raises(nfcodec.UsageError, match="mosaic"):
        nfcodec.encode(picture(4, 4, 1), field="frog")


@pytest.mark.parametrize("name", ["wavelet", "siren"])
def test_limits_hold_for_whatever_a_fit_may_end_with(name, picture):
    """Not only for the first choice, and before the fit."""
    raster, events = Raster.from_array(picture(200, 200, 1)), []
    session = registry.family(name).begin(
        Picture.of(raster, Chain.prepare([], raster.samples, 0)), Context(registry.estimator())
    )
    request = Request(Psnr(26.0), 1, 0)
    session.get_ready(request)
    (plan,) = session.plans(request)
    geometry = Geometry(200, 200, 1)
    work = [field.cost(geometry).work for field in (plan.field, *plan.others)]
    assert min(work) < max(work)
    options = EncodeOptions(psnr_db=26.0, field=name, effort=1)
    with pytest.raises(nfcodec.LimitError):
        encode(raster, options, events.append, Limits(max_work=0.99 * max(work)))
    assert not {"fit", "shrink"} & {event.phase for event in events}
