"""What is fitted to a picture where the user leaves it open, and what a user may say."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import UsageError
from nfcodec.fields.ngp import plan
from nfcodec.fields.ngp.plan import Sizes, coarseness_of, roughness, sized_ngp
from nfcodec.fitting.picture import Picture
from nfcodec.limits import DEFAULT_LIMITS
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain

SHAPES = [(1, 1), (1, 9), (9, 1), (2, 3), (16, 16), (17, 5)]
LARGE = [(768, 512), (3000, 1), (1, 3000)]


def picture(samples: np.ndarray, transform: str = "none") -> Picture:
    raster = Raster(samples)
    return Picture.of(raster, Chain.prepare(parse_chain(transform), raster.samples, 0))


def smooth(height: int, width: int, channels: int = 1) -> Picture:
    y, x = np.ogrid[:height, :width]
    planes = [128 + 60 * np.sin(x / 40 + c) * np.cos(y / 50) for c in range(channels)]
    return picture(np.stack(np.broadcast_arrays(*planes), axis=2).astype(np.uint8))


def noise(height: int, width: int, channels: int = 1) -> Picture:
    return picture(np.random.default_rng(0).integers(0, 256, (height, width, channels)).astype(np.uint8))


KINDS = {"smooth": smooth, "noise": noise}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("levels=8", Sizes(levels=8)),
        ("table=3", Sizes(table=3)),
        ("features=4", Sizes(features=4)),
        ("hidden=64", Sizes(hidden=(64,))),
        ("hidden=64x32x1", Sizes(hidden=(64, 32, 1))),
        ("levels=8,table=14,features=2,hidden=32x32", Sizes(8, 14, 2, (32, 32))),
        ("hidden=4096,features=8,table=24,levels=32", Sizes(32, 24, 8, (4096,))),
        ("levels=1," + "hidden=" + "x".join(["5"] * 16), Sizes(levels=1, hidden=(5,) * 16)),
    ],
)
def test_sizes_are_read(text, sizes):
    assert Sizes.parse(text) == sizes


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "8", "levels", "levels=", "=8", "levels=8,", ",levels=8", "levels=8;table=9", "levels=8 table=9",
        "levels =8", "Levels=8", "depth=8", "levels=0", "levels=33", "levels=-1", "levels=2.5", "levels=1e1",
        "levels=8x8", "levels=8,levels=8", "table=2", "table=25", "features=0", "features=3", "features=16",
        "hidden=0", "hidden=4097", "hidden=16x", "hidden=x16", "hidden=16x0", "hidden=16X16", "hidden=16,16",
        "hidden=" + "x".join(["5"] * 17), "levels=" + "9" * 5000, "levels=\u0668", "levels=\u00b2", "levels==8",
    ],
)  # fmt: skip
def test_what_makes_no_field_is_refused_in_one_sentence(text):
    with pytest.raises(UsageError, match="ngp field") as error:
        Sizes.parse(text)
    assert "\n" not in str(error.value)


def test_the_refusal_says_what_there_may_be():
    for text in ("depth=3", "levels=0"):
        with pytest.raises(UsageError) as error:
            Sizes.parse(text)
        assert all(f"{size.name}=" in str(error.value) for size in fields(Sizes))


@given(st.text(max_size=20) | st.from_regex(r"\A(levels|table|features|hidden)=[0-9x,=]{0,9}\Z"))
def test_any_text_is_sizes_or_refused(text):
    try:
        sizes = Sizes.parse(text)
    except UsageError:
        return
    assert sized_ngp(smooth(5, 7), 40.0, sizes)


@each_kind
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [*SHAPES, *LARGE], ids=str)
def test_fields_of_all_pictures(kind, shape, channels):
    """The finest level has an entry for each pixel, no vertices share one, and a file may hold it all."""
    shown = kind(*shape, channels)
    for psnr_db in (plan.LEAN_DB, plan.LEAN_DB + 1):
        field, geometry = sized_ngp(shown, psnr_db, Sizes()), shown.geometry
        DEFAULT_LIMITS.check_cost(field.cost(geometry))
        for level in field.levels:
            used = level.used(geometry)
            assert used.index.size == len(np.unique(used.index)) == math.prod(map(len, level.vertices(geometry)))
            assert used.on_lattice == level.is_dense
        y, x = field.levels[-1].axes(geometry)
        assert not y.fraction.any()
        assert not x.fraction.any()
        assert field.levels[-1].used(geometry).index.size == geometry.n_pixels
        scales = [level.scale for level in field.levels]
        assert scales == sorted(scales)


def test_a_field_of_a_large_picture():
    for kind in KINDS.values():
        shown = kind(4000, 3000)
        field = sized_ngp(shown, 40.0, Sizes())
        DEFAULT_LIMITS.check_cost(field.cost(shown.geometry))
        assert field.levels[-1].is_dense


def test_tables_do_not_grow_with_what_lies_outside_the_picture():
    for shape in ((3000, 1), (1, 3000), (2000, 40)):
        shown = noise(*shape)
        field = sized_ngp(shown, 40.0, Sizes())
        entries = sum(level.used(shown.geometry).index.size for level in field.levels)
        assert sum(level.size for level in field.levels) < 4 * plan.SPARSE * entries
        assert not field.levels[-1].is_dense


def test_pictures_too_large_for_tables_without_collisions_have_hashed_ones():
    shown = smooth(5000, 5)
    (level,) = sized_ngp(shown, 40.0, Sizes(levels=1)).levels
    assert not level.is_dense
    assert 25_000 <= level.size <= 1 << 24


def test_rough_pictures_have_a_level_for_each_pixel_and_one_for_all():
    for channels in (1, 3):
        plain, rough = (sized_ngp(kind(32, 24, channels), 40.0, Sizes()) for kind in (smooth, noise))
        assert len(plain.levels) > 2 == len(rough.levels)
        assert rough.levels[-1].scale == plain.levels[-1].scale
        assert rough.levels[0].resolution == 2


def test_colours_share_a_number_a_pixel_up_to_some_target():
    for channels, kind, psnr_db, is_lean in (
        (3, smooth, plan.LEAN_DB, True), (3, smooth, plan.LEAN_DB + 0.1, False), (3, noise, plan.LEAN_DB, False),
    ):  # fmt: skip
        *coarse, fine = (level.features for level in sized_ngp(kind(32, 24, channels), psnr_db, Sizes()).levels)
        assert fine == (1 if is_lean else coarse[0])
        assert set(coarse) == {4}
    (alone,) = sized_ngp(smooth(32, 24, 3), plan.LEAN_DB, Sizes(levels=1)).levels
    assert alone.features == 4  # as no other level tells the colours
    for psnr_db in (30.0, 60.0):
        assert {level.features for level in sized_ngp(smooth(32, 24), psnr_db, Sizes()).levels} == {1}


@each_kind
def test_what_the_user_says_counts(kind):
    shown = kind(64, 48, 3)
    own = sized_ngp(shown, 40.0, Sizes())
    assert len(sized_ngp(shown, 40.0, Sizes(levels=3)).levels) == 3
    assert [level.features for level in sized_ngp(shown, 40.0, Sizes(features=2)).levels] == [2] * len(own.levels)
    assert sized_ngp(shown, 40.0, Sizes(hidden=(7, 5, 3))).hidden == (7, 5, 3)
    small = sized_ngp(shown, 40.0, Sizes(table=6))
    assert [level.size for level in small.levels] == [min(level.size, 64) for level in own.levels]
    everything = sized_ngp(shown, 40.0, Sizes(5, 9, 8, (6,)))
    assert [(level.features, level.size <= 512) for level in everything.levels] == [(8, True)] * 5
    assert everything.hidden == (6,)


@each_kind
@pytest.mark.parametrize("levels", [1, 2, 3, 8, 20, 32])
def test_any_number_of_levels_suits_any_picture(kind, levels):
    """Where a picture is too small for so many, there are fewer."""
    for shape in [*SHAPES, (200, 150)]:
        field = sized_ngp(kind(*shape), 40.0, Sizes(levels=levels))
        assert len(field.levels) == levels if max(shape) > 5 else 1 <= len(field.levels) <= levels
        assert field.levels[-1].scale == max(shape)


def test_roughness():
    flat, line = picture(np.full((9, 9, 3), 7, np.uint8)), picture(np.arange(200, dtype=np.uint8).reshape(1, 200, 1))
    assert roughness(flat) == roughness(smooth(1, 1)) == 0
    assert roughness(line) < 0.01
    assert roughness(smooth(60, 80)) < 0.05
    for channels in (1, 3):
        assert roughness(noise(64, 64, channels)) == pytest.approx(1, abs=0.1)
    checkered = picture(((np.indices((20, 20)).sum(axis=0) % 2) * 200)[:, :, None].astype(np.uint8))
    assert roughness(checkered) == pytest.approx(2, abs=0.1)


def test_roughness_is_that_of_what_is_fitted():
    samples = smooth(40, 50).raster.samples
    assert roughness(picture(samples, "rpp")) == pytest.approx(1, abs=0.1)
    expected = roughness(picture(samples // 2))
    for other in (255 - samples // 2, samples // 2 * 2, samples // 2 + 100):
        assert roughness(picture(other)) == pytest.approx(expected, rel=1e-3)


def test_rough_pictures_take_finer_steps():
    assert 0 < coarseness_of(noise(16, 16)) < coarseness_of(smooth(16, 16))
