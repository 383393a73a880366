"""For which pictures `auto` tries grids."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, decode, encode, inspect
from nfcodec.fields.grid.family import LEAST_PIXELS, MOST_PIXELS, GridFamily, GridSession
from nfcodec.fitting.goals import Lossless, Psnr, Size
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.request import Request
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain


def suits(goal=Psnr(40.0), effort=5, shape=(64, 64, 3), dtype=np.uint8, transform="none") -> bool:  # noqa: B008
    samples = np.broadcast_to(np.zeros((), dtype), shape)
    picture = Picture.of(Raster(samples), Chain.prepare(parse_chain(transform), samples, 0))
    return GridFamily().suits(picture, Request(goal, effort, 0))


@pytest.mark.parametrize(
    "wishes",
    [
        {}, {"effort": 4}, {"effort": 9}, {"goal": Psnr(20.0)}, {"goal": Psnr(50.0)},
        {"shape": (64, 64, 1)}, {"shape": (LEAST_PIXELS, 1, 3)}, {"shape": (1500, 2000, 1)}, {"transform": "gamma:2"},
    ],
    ids=str,
)  # fmt: skip
def test_it_suits_pictures_whose_pixels_keep_their_places_where_there_are_many_steps(wishes):
    assert suits(**wishes)


@pytest.mark.parametrize(
    "wishes",
    [
        {"effort": 3}, {"goal": Psnr(50.2)}, {"goal": Lossless()}, {"dtype": np.uint16}, {"transform": "rpp"},
        {"shape": (63, 65, 3)}, {"shape": (MOST_PIXELS + 1, 1, 1)},
    ],
    ids=str,
)  # fmt: skip
def test_it_does_not_suit(wishes):
    assert not suits(**wishes)


def test_it_suits_sizes():
    assert suits(goal=Size(1000))


def test_grids_are_kept_where_their_file_is_smaller():
    """Diagonal lines of one pixel with noise, which wavelets do not suit."""
    y, x = np.mgrid[:64, :64]
    noise = np.random.default_rng(0).normal(0, 4, (64, 64, 3))
    lines = ((x + 2 * y) % 3 * 90 + 30)[:, :, None]
    raster = Raster((lines + noise).clip(0, 255).astype(np.uint8))
    events = []
    encoded = encode(raster, EncodeOptions(34.0, effort=4, max_steps=600), events.append)
    assert encoded.report["field"] == inspect(encoded.data).field == "grid"
    wavelet, grid = encoded.report["tried"]
    assert (wavelet["field"], wavelet["effort"], grid["field"], grid["effort"]) == ("wavelet", 1, "grid", 4)
    assert grid["bytes"] == len(encoded.data) < wavelet["bytes"]
    assert events[-1].message.startswith("kept grid at effort 4 (")
    assert psnr_db(decode(encoded.data).samples, raster.samples, 255) >= 34
    assert [event.task for event in events if event.plan is not None] == ["wavelet"]  # one bar over both


def test_no_grid_is_fitted_where_a_size_holds_all_samples(monkeypatch):
    def fit(*_):
        raise AssertionError

    monkeypatch.setattr(GridSession, "fit", fit)
    raster = Raster(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    encoded = encode(raster, EncodeOptions(size_bytes=10**6, effort=4))
    assert np.array_equal(decode(encoded.data).samples, raster.samples)
    assert [each["field"] for each in encoded.report.get("tried", ())] != ["grid"]
