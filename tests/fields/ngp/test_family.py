from __future__ import annotations

import math

import numpy as np
import pytest

import nfcodec
from nfcodec.codec.document import parse
from nfcodec.errors import UsageError
from nfcodec.fields.ngp.family import NgpFamily
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import hash_levels
from nfcodec.fields.ngp.plan import Sizes, sized_ngp
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


def samples(height: int, width: int, channels: int = 3, depth: int = 8) -> np.ndarray:
    """(H, W) or (H, W, C), smooth with an edge."""
    y, x = np.mgrid[:height, :width]
    planes = [0.5 + 0.25 * np.sin(x / 5 + c) * np.cos(y / 7) + 0.1 * (x > y) for c in range(channels)]
    image = np.round(np.stack(planes, axis=2) * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16)
    return image[:, :, 0] if channels == 1 else image


def session(height: int = 24, width: int = 20, given=None):
    raster = Raster(samples(height, width))
    picture = Picture.of(raster, Chain.prepare((), raster.samples, 0))
    return NgpFamily().begin(picture, Context(lambda *_: None), given)


def field_of(data: bytes) -> Ngp:
    field = parse(data, DEFAULT_LIMITS).field
    assert isinstance(field, Ngp)
    return field


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (24, 20)], ids=str)
def test_the_field_of_its_own_choice_fits_small_pictures(shape):
    opened, request = session(*shape), Request(Psnr(30.0), 1, 0)
    (plan,) = opened.plans(request)
    assert plan.recipe == RECIPES[1]
    assert opened.fit(plan, request).trial.psnr_db >= 30.0
    assert opened.estimated_bytes(request) is None


@pytest.mark.parametrize("given", [None, Sizes(), Sizes(levels=3, features=2), Sizes(5, 6, 1, (9,))], ids=str)
def test_the_plan_is_sized_for_each_target(given):
    raster = Raster(samples(24, 20))
    picture = Picture.of(raster, Chain.prepare((), raster.samples, 0))
    opened = session(24, 20, given)
    for psnr_db in (30.0, 60.0):
        plans = opened.plans(Request(Psnr(psnr_db), 3, 0))
        assert {plan.field for plan in plans} == {sized_ngp(picture, psnr_db, given or Sizes())}
        assert [plan.recipe for plan in plans] == [RECIPES[effort] for effort in (1, 2, 3)]


def test_a_given_field_is_the_one_planned():
    plan = session(given=HASHED).plans(Request(Psnr(30.0), 4, 0))[-1]
    assert (plan.field, plan.recipe, plan.n_bytes) == (HASHED, RECIPES[4], None)
    with pytest.raises(UsageError, match="ngp"):
        session(given=Siren(8))


def test_what_a_user_says_is_read():
    assert NgpFamily().parse("levels=2,hidden=8x4") == Sizes(levels=2, hidden=(8, 4))
    with pytest.raises(UsageError, match="levels=1"):
        NgpFamily().parse("levels=none")


@pytest.mark.parametrize(
    ("engine", "device", "taken"), [("auto", "cpu", True), ("torch", "cuda", True), ("numba", "cuda", False)]
)
@pytest.mark.parametrize("given", [None, Sizes(levels=2)], ids=str)
def test_what_the_family_says_of_itself(engine, device, taken, given):
    family, raster = NgpFamily(), Raster(samples(4, 4))
    picture = Picture.of(raster, Chain.prepare((), raster.samples, 0))
    assert (family.refuses(picture, engine, device, given) is None) == taken
    assert not family.suits(picture, Request(Psnr(40.0), 9, 0))
    eight, sixteen = family.lossless(8), family.lossless(16)
    assert 49 < eight.fit_db < 51
    assert (sixteen.fit_db, eight.from_db) == (90.0, math.inf)


PICTURES = {
    "gray": (samples(32, 24, 1), {"psnr": 38.0}),
    "RGB": (samples(20, 28), {"psnr": 38.0}),
    "gray and alpha": (samples(18, 17, 2), {"psnr": 36.0}),
    "RGB and alpha": (samples(17, 19, 4), {"psnr": 36.0}),
    "16 bits": (samples(20, 16, 1, 16), {"psnr": 60.0}),
    "flat": (np.full((16, 16), 77, np.uint8), {"psnr": 60.0}),
    "black": (np.zeros((16, 18, 3), np.uint8), {"psnr": 40.0}),
    "white": (np.full((16, 18), 65535, np.uint16), {"psnr": 40.0}),
    "1 x 1": (samples(1, 1), {"psnr": 45.0}),
    "one row": (samples(1, 40), {"psnr": 36.0}),
    "one column": (samples(37, 1, 1), {"psnr": 36.0}),
    "noise": (np.random.default_rng(0).integers(0, 256, (20, 20)).astype(np.uint8), {"psnr": 36.0}),
    "black and white": ((np.indices((20, 20)).sum(axis=0) % 7 > 3).astype(np.uint8) * 255, {"psnr": 36.0}),
    "rpp": (samples(24, 24), {"psnr": 36.0, "transform": "rpp"}),
    "zigzag": (samples(20, 24), {"psnr": 36.0, "transform": "zigzag"}),
    "gamma": (samples(20, 24), {"psnr": 36.0, "transform": "gamma:2.2"}),
    "center and gamma": (samples(20, 24, 1), {"psnr": 36.0, "transform": "center:1+gamma:2"}),
    "sympower, rpp": (samples(24, 20), {"psnr": 36.0, "transform": "sympower+rpp"}),
    "low": (samples(24, 20), {"psnr": 8.0}),
}


@pytest.mark.parametrize(("image", "options"), PICTURES.values(), ids=PICTURES.keys())
def test_all_kinds_of_pictures_reach_their_target(image, options):
    encoded = nfcodec.encode_with_report(image, field="ngp", effort=1, **options)
    assert encoded.report["reached"]
    assert encoded.report["field"] == "ngp"
    decoded, own = (each.reshape(*image.shape[:2], -1) for each in (nfcodec.decode_array(encoded.data), image))
    n_colours = own.shape[2] - (own.shape[2] in (2, 4))
    assert np.array_equal(decoded[:, :, n_colours:], own[:, :, n_colours:])
    error = np.square(decoded[:, :, :n_colours].astype(float) - own[:, :, :n_colours]).mean()
    assert 10 * math.log10(np.iinfo(image.dtype).max ** 2 / max(error, 1e-30)) >= options["psnr"]


@pytest.mark.parametrize("channels", [1, 3])
def test_without_loss(channels):
    image = samples(15, 17, channels)
    encoded = nfcodec.encode_with_report(image, field="ngp", lossless=True, effort=1, max_steps=400)
    assert np.array_equal(nfcodec.decode_array(encoded.data), image)
    assert encoded.report["reached"]


@pytest.mark.parametrize(("channels", "size"), [(1, 480), (3, 900)])
def test_a_size_is_kept_and_used(channels, size):
    image = samples(16, 18, channels)
    encoded = nfcodec.encode_with_report(image, field="ngp", size=size, effort=1, max_steps=200)
    assert 0.7 * size < len(encoded.data) <= size
    assert encoded.report["reached"]
    assert encoded.psnr_db > 20


def test_more_is_better():
    """A smaller file where a lower PSNR is asked for, and where more steps are taken."""
    image = samples(64, 48, 1)
    sizes = [
        len(nfcodec.encode(image, field="ngp", psnr=psnr, effort=effort))
        for psnr, effort in ((44.0, 1), (36.0, 1), (36.0, 3))
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_sizes_in_the_name_of_the_field():
    image = samples(32, 24, 1)
    sizes = "levels=3,table=7,features=2,hidden=12x6"
    field = field_of(nfcodec.encode(image, field=f"ngp:{sizes}", psnr=24.0, effort=1))
    assert [level.features for level in field.levels] == [2, 2, 2]
    assert max(level.size for level in field.levels) == 128
    assert field.hidden == (12, 6)
    for name in ("ngp:", "ngp:levels", "ngp:levels=0", "ngp:width=3", "wavelet:levels=3", "table:", "mlp:levels=3"):
        with pytest.raises(UsageError):
            nfcodec.encode(image, field=name)
