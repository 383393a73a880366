import hashlib

import numpy as np
import pytest

from nfcodec.errors import UsageError
from nfcodec.raster import Raster


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("shape", "channels", "alpha"),
    [((5, 7), 1, False), ((5, 7, 1), 1, False), ((5, 7, 2), 1, True), ((5, 7, 3), 3, False), ((5, 7, 4), 3, True)],
)
def test_arrays_come_back(dtype, shape, channels, alpha):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    raster = Raster.from_array(array)
    assert (raster.height, raster.width, raster.channels, raster.n_pixels) == (5, 7, channels, 35)
    assert (raster.alpha is not None) == alpha
    assert raster.depth == 8 * array.itemsize
    assert raster.peak == np.iinfo(dtype).max
    back = raster.to_array()
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, array[:, :, 0] if shape == (5, 7, 1) else array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 3), np.int16),
        np.zeros((3, 3), np.uint32),
        np.zeros((3, 3), np.complex64),
        np.zeros((3, 3), object),
        np.zeros((0, 3), np.float32),
        np.zeros((3, 3, 5), bool),
        np.zeros(3, np.uint8),
        np.zeros((3, 3, 5), np.uint8),
        np.zeros((3, 3, 0), np.uint8),
        np.zeros((0, 3), np.uint8),
        np.zeros((1, 3, 3, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(array):
    with pytest.raises(UsageError):
        Raster.from_array(array)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_floats_are_rounded_to_8_bits(dtype):
    array = np.array([[0, 1], [0.5, 0.001]], dtype)
    assert Raster.from_array(array).to_array().tolist() == [[0, 255], [128, 0]]
    every = np.arange(256, dtype=np.uint8)[None]
    assert np.array_equal(Raster.from_array((every / 255).astype(dtype)).to_array(), every)


@pytest.mark.parametrize("value", [-1e-6, 1.001, 255, np.nan, np.inf])
def test_floats_out_of_range_are_refused(value):
    with pytest.raises(UsageError, match=r"floats must lie in \[0, 1\], and this one goes from"):
        Raster.from_array(np.array([[0.5, value]]))


def test_truth_is_white():
    raster = Raster.from_array(np.array([[True, False, True]]))
    assert raster.to_array().tolist() == [[255, 0, 255]]
    assert raster.depth == 8


def test_alpha_must_match():
    samples = np.zeros((2, 3, 3), np.uint8)
    with pytest.raises(UsageError):
        Raster(samples, np.zeros((3, 2), np.uint8))
    with pytest.raises(UsageError):
        Raster(samples, np.zeros((2, 3), np.uint16))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [False, True])
def test_the_digest_is_of_the_samples_then_alpha_in_raster_order(dtype, alpha):
    rng = np.random.default_rng(0)
    samples = rng.integers(0, np.iinfo(dtype).max, (3, 5, 3)).astype(dtype)
    plane = rng.integers(0, np.iinfo(dtype).max, (3, 5)).astype(dtype) if alpha else None
    little = np.dtype(dtype).newbyteorder("<")
    content = b"".join(each.astype(little).tobytes() for each in (samples, plane) if each is not None)
    expected = hashlib.sha256(content).digest()[:8]
    assert Raster(samples, plane, {"icc": b"not part of it"}).digest() == expected
    strided = np.asfortranarray(np.repeat(samples, 2, axis=1))[:, ::2]
    assert Raster(strided, plane).digest() == expected
    assert Raster(samples ^ samples.dtype.type(1), plane).digest() != expected


def test_unknown_metadata_is_refused():
    with pytest.raises(UsageError, match="gps"):
        Raster(np.zeros((1, 1, 1), np.uint8), None, {"gps": b""})
