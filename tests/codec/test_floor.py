"""No file of `auto` is much larger than the samples that it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, decode, encode, inspect
from nfcodec.images.files import image_bytes
from nfcodec.raster import Raster
from tests.codec.pictures import METADATA, noise, picture

HEADERS = 100
"""Bytes that a file may take beside the samples and the metadata."""

RNG = np.random.default_rng(5)


def letters(height: int, width: int) -> np.ndarray:
    """Black on white: a few signs again and again."""
    signs = RNG.integers(0, 2, (4, 8, 6)) * 255
    lines = [np.hstack([signs[i] for i in RNG.integers(0, 4, width // 6)]) for _ in range(height // 8)]
    return np.vstack(lines).astype(np.uint8)


def palette(height: int, width: int, n: int) -> np.ndarray:
    """Patches of a few colours."""
    colours = RNG.integers(0, 256, (n, 3), dtype=np.uint8)
    patches = RNG.integers(0, n, (-(-height // 4), -(-width // 4)))
    return colours[np.kron(patches, np.ones((4, 4), int))][:height, :width]


def checks(height: int, width: int, side: int) -> np.ndarray:
    return ((np.indices((height, width)) // side).sum(axis=0) % 2 * 255).astype(np.uint8)


PICTURES = {
    "a pixel": Raster.from_array(np.array([[[3, 200, 77]]], np.uint8)),
    "a gray pixel": Raster.from_array(np.array([[7]], np.uint8)),
    "a row": Raster.from_array(picture(1, 300).samples),
    "a row of noise": noise(1, 300),
    "a column": Raster.from_array(picture(300, 1, 1).samples),
    "a column of noise": noise(300, 1, 1),
    "a strip": Raster.from_array(picture(3, 120).samples),
    "letters": Raster.from_array(letters(48, 72)),
    "letters in RGB": Raster.from_array(np.repeat(letters(40, 36)[:, :, None], 3, axis=2)),
    "noise of one bit": Raster.from_array(RNG.integers(0, 2, (24, 30)).astype(np.uint8) * 255),
    "three colours": Raster.from_array(palette(30, 26, 3)),
    "forty colours": Raster.from_array(palette(32, 40, 40)),
    "checks": Raster.from_array(checks(32, 32, 1)),
    "large checks": Raster.from_array(checks(33, 31, 8)),
    "one colour": Raster.from_array(np.full((20, 20, 3), (10, 20, 200), np.uint8)),
    "noise": noise(20, 20),
    "gray noise": noise(33, 17, 1),
    "noise of 16 bits": noise(14, 14, 3, 16),
    "gray noise of 16 bits": noise(20, 20, 1, 16),
    "8 bits in 16": Raster.from_array(picture(24, 20).samples.astype(np.uint16) * 257),
    "12 bits in 16": Raster.from_array(RNG.integers(0, 1 << 12, (20, 20)).astype(np.uint16) * 16),
    "noise with alpha": Raster.from_array(RNG.integers(0, 256, (18, 18, 4), dtype=np.uint8)),
    "noise with alpha of 16 bits": Raster.from_array(RNG.integers(0, 1 << 16, (11, 12, 4)).astype(np.uint16)),
    "letters in alpha": Raster.from_array(np.dstack([letters(32, 36), letters(32, 36)])),
    "a picture": picture(24, 20),
}
FEW_VALUED = [
    "letters",
    "letters in RGB",
    "noise of one bit",
    "three colours",
    "large checks",
    "one colour",
    "8 bits in 16",
]
GOALS = {"lossless": {"lossless": True}, "40 dB": {"psnr_db": 40.0}, "60 dB": {"psnr_db": 60.0}}


def raw_bytes(raster: Raster) -> int:
    return raster.samples.nbytes + (0 if raster.alpha is None else raster.alpha.nbytes)


@pytest.mark.parametrize("transform", ["none", "rpp", "gamma:2+rpp"])
@pytest.mark.parametrize("name", PICTURES)
def test_no_file_is_much_larger_than_the_samples(name, transform):
    raster = PICTURES[name]
    for options in GOALS.values():
        encoded = encode(raster, EncodeOptions(transform=transform, effort=1, **options))
        assert encoded.report["reached"]
        assert encoded.report["raw_bytes"] == raw_bytes(raster)
        assert len(encoded.data) <= raw_bytes(raster) + HEADERS
        found = decode(encoded.data)
        if encoded.report["psnr_db"] is None:
            assert np.array_equal(found.samples, raster.samples)
        assert raster.alpha is None or np.array_equal(found.alpha, raster.alpha)


@pytest.mark.parametrize("name", FEW_VALUED)
def test_few_valued_pictures_are_no_larger_than_as_png(name):
    raster = PICTURES[name]
    assert len(encode(raster, EncodeOptions(lossless=True, effort=1)).data) <= len(image_bytes(raster, "png"))


def test_metadata_are_beside_the_samples():
    raster = Raster(noise().samples, metadata=METADATA)
    encoded = encode(raster, EncodeOptions(lossless=True, effort=1))
    assert raw_bytes(raster) < encoded.report["raw_bytes"] < raw_bytes(raster) + sum(map(len, METADATA.values()))
    assert len(encoded.data) <= encoded.report["raw_bytes"] + HEADERS + 12 * len(METADATA)


def test_a_size_may_be_met_without_loss():
    raster = PICTURES["letters"]
    encoded = encode(raster, EncodeOptions(size_bytes=500, effort=1))
    assert (encoded.report["field"], encoded.report["psnr_db"]) == ("samples", None)
    assert encoded.report["fitted"] == inspect(encoded.data).fitted == "packed without a fit"
    assert encoded.report["target_bytes"] == 500
    smaller = encode(raster, EncodeOptions(size_bytes=150, effort=1))
    assert len(smaller.data) <= 150
    assert smaller.report["psnr_db"] is not None


@pytest.mark.parametrize("field", ["wavelet", "table"])
def test_a_field_that_is_named_is_not_replaced(field):
    raster = PICTURES["letters"]
    report = encode(raster, EncodeOptions(field=field, lossless=True, effort=1)).report
    assert report["field"] == field
