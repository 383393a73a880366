"""Rival codecs, each with a few of its settings."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from benchmarks.rates import codecs
from benchmarks.rates.codecs import AVIF_THREADS, LOSSLESS, LOSSY, Rival, there_and_back
from benchmarks.rates.encode_table import AS_GOOD
from benchmarks.rates.qualities import lowest_quality, nearest_quality
from nfcodec.errors import UsageError
from nfcodec.metrics import ms_ssim, psnr_db

Y, X = np.mgrid[0:64, 0:80]
SMOOTH = np.stack([110 + 70 * np.sin(X / (5 + c)) * np.cos(Y / 9) for c in range(3)], 2)
PICTURE = (SMOOTH + np.random.default_rng(0).normal(0, 6, SMOOTH.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("codec", list(LOSSY))
def test_more_quality_takes_more_bytes(codec: str) -> None:
    if codec == "jxl":
        pytest.importorskip("pillow_jxl")
    settings = LOSSY[codec].settings
    (low, small), (high, large) = (there_and_back(LOSSY[codec].at(settings[i]), PICTURE) for i in (2, -2))
    assert small["bytes"] < large["bytes"]
    assert psnr_db(PICTURE, low, 255) < psnr_db(PICTURE, high, 255)
    assert ms_ssim(PICTURE, low, 255) < ms_ssim(PICTURE, high, 255)
    assert small["bpp"] == 8 * small["bytes"] / (64 * 80)
    assert small["library"] == large["library"] != ""


@pytest.mark.parametrize("codec", list(LOSSLESS))
@pytest.mark.parametrize("picture", [PICTURE, PICTURE[:, :, 0]], ids=["rgb", "gray"])
def test_lossless_ones_are(codec: str, picture: np.ndarray) -> None:
    if codec == "jxl":
        pytest.importorskip("pillow_jxl")
    data, _ = LOSSLESS[codec].encode(picture)
    decoded = LOSSLESS[codec].decode(data).convert("L" if picture.ndim == 2 else "RGB")
    np.testing.assert_array_equal(np.asarray(decoded), picture)


@pytest.mark.parametrize("codec", AS_GOOD)
def test_the_lowest_quality_that_is_as_good(codec: str) -> None:
    rival = LOSSY[codec]
    small = PICTURE[:16, :16]
    as_good = [
        quality
        for quality in range(101)
        for decoded, _ in [there_and_back(rival.at(quality), small)]
        if psnr_db(small, decoded, 255) >= 30
    ]
    assert lowest_quality(small, 30.0, rival) == min(as_good)
    assert lowest_quality(small, 90.0, rival) is None
    assert lowest_quality(small[:, :, 0], 30.0, rival)


@pytest.mark.parametrize("near", [None, 0, 35, 100])
def test_the_quality_that_is_nearest(near: int | None) -> None:
    small, rival = PICTURE[:32, :32], LOSSY["jpeg-444"]
    found = [psnr_db(small, there_and_back(rival.at(quality), small)[0], 255) for quality in range(101)]
    for target_db in (30.0, 33.3, 90.0):
        nearest = min(range(101), key=lambda quality: abs(found[quality] - target_db))
        assert abs(found[nearest_quality(small, target_db, rival, near)] - found[nearest]) < 0.2


def test_avif_is_tuned_for_how_pictures_look_unless_it_is_told_otherwise() -> None:
    small = PICTURE[:32, :32]
    options = LOSSY["avif"].at(60).options
    usual, told, other = (
        Rival({**options, **more}, "avif").encode(small)[0]
        for more in ({}, {"advanced": {"tune": "iq"}}, {"advanced": {"tune": "psnr"}})
    )
    assert usual == told != other


def test_the_threads_of_avif_are_given_where_bytes_are_compared() -> None:
    found = {name: codec.at(50).options.get("max_threads") for name, codec in LOSSY.items() if name.startswith("avif")}
    assert found == dict.fromkeys(("avif", "avif-psnr", "avif-iq"), AVIF_THREADS)


def test_seconds_of_processors_leave_out_waiting() -> None:
    class Slow(Rival):
        def decode(self, data: bytes) -> Image.Image:
            time.sleep(0.1)
            return super().decode(data)

    _, row = there_and_back(Slow(LOSSY["webp"].at(50).options, "webp"), PICTURE)
    assert row["decode_seconds"] >= 0.1 > row["decode_cpu_seconds"] >= 0


def test_a_codec_that_pillow_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs.features, "check", lambda name: False)
    codecs._library_version.cache_clear()
    with pytest.raises(UsageError, match="cannot write webp"):
        LOSSY["webp"].at(50).encode(np.zeros((8, 8, 3), np.uint8))
    codecs._library_version.cache_clear()
