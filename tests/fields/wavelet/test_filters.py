from __future__ import annotations

import numpy as np
import pytest

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.wavelet import filters as module
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.filters import MAX_FEATURES, MAX_FILTERS, N_INPUTS, SIDE, filters
from nfcodec.fields.wavelet.transform import synthesis
from tests.fields.wavelet.alone import filters_alone

BLOB_BYTES = 2 * 128 * (25 * 3 + 1)
STEP = Step(200, -14)


def responses(picture: np.ndarray, n_filters: int = MAX_FILTERS) -> np.ndarray:
    """(H, W, n): what each filter makes of a picture (H, W, features) in quantizer steps, in steps.

    Through the exact evaluation, a filter at a time: its output is the first channel.
    """
    height, width, features = picture.shape
    geometry, found = Geometry(height, width, features), []
    for i in range(n_filters):
        weight = np.zeros((features, n_filters), np.int64)
        weight[0, i] = 1
        weights = {"level0": Quantized(picture, STEP), "weight1": Quantized(weight, Step(128, -7))}
        outputs = filters_alone(Wavelet(0, n_filters), geometry, weights)
        assert not outputs[:, 1:].any()
        found.append(outputs[:, :1] * 2.0**-24 / STEP.value)
    return np.concatenate(found, axis=1).reshape(height, width, n_filters)


def test_shapes():
    kernels, biases = filters()
    assert (SIDE, MAX_FEATURES, MAX_FILTERS, N_INPUTS) == (5, 3, 128, 75)
    assert kernels.shape == (128, 25, 3)
    assert biases.shape == (128,)
    assert kernels.dtype == biases.dtype == np.int64
    assert np.abs(kernels).max() < 2**15
    assert np.abs(biases).max() < 2**15


def test_filters_differ():
    kernels, biases = filters()
    rows = np.concatenate([kernels.reshape(128, -1), biases[:, None]], axis=1)
    assert len(np.unique(rows, axis=0)) == 128
    assert np.all(kernels.any(axis=1).any(axis=0))  # of all features there are some that read it
    assert kernels.any(axis=(1, 2)).all()


def test_weights_of_a_feature_sum_to_nothing():
    kernels, _ = filters()
    assert not kernels.sum(axis=1).any()


@pytest.mark.parametrize("features", [1, 2, 3])
@pytest.mark.parametrize("value", [-1000, 0, 7, 4000])
def test_a_constant_gets_no_response_but_biases(features, value):
    _, biases = filters()
    found = responses(np.full((4, 6, features), value))
    unit = 2.0**-17 / STEP.value + 1e-9  # activations are rounded
    assert np.abs(found - np.maximum(biases / 1024, 0)).max() <= unit
    assert np.ptp(found, axis=(0, 1)).max() == 0


def test_constants_added_to_features_change_nothing():
    """Up to the edges, as these are repeated."""
    picture = np.random.default_rng(0).integers(-20, 21, (5, 7, 3))
    found, moved = responses(picture, 9), responses(picture + np.array([300, -41, 7]), 9)
    assert np.ptp(found) > 1
    assert np.array_equal(found, moved)


def test_a_point_shows_the_filters():
    """Offsets are in raster order, and those after are to the right and below; features come last."""
    kernels, biases = filters()
    picture = np.zeros((9, 9, 3), np.int64)
    picture[4, 4] = 3, 0, -2
    found = responses(picture, 12)
    unit = 2.0**-16 / STEP.value + 1e-9
    for at, (dy, dx) in enumerate((dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)):
        expected = np.maximum((3 * kernels[:12, at, 0] - 2 * kernels[:12, at, 2] + biases[:12]) / 1024, 0)
        assert np.abs(found[4 - dy, 4 - dx] - expected).max() <= unit
    assert np.array_equal(found[0, 0], responses(np.zeros((1, 1, 3), np.int64), 12)[0, 0])


def test_the_first_filters_are_the_same_with_more_of_them():
    picture = np.random.default_rng(1).integers(-20, 21, (6, 5, 2))
    assert np.array_equal(responses(picture, 5), responses(picture, 40)[..., :5])


@pytest.mark.parametrize("exponent", [-128, -120, -118, -60, 0])
def test_steps_of_all_sizes(exponent):
    """A level's step is that of the biases too, down to the smallest, which leaves nothing of them."""
    level = Quantized(np.zeros((2, 2, 1), np.int64), Step(255, exponent))
    weights = {"level0": level, "weight1": Quantized(np.ones((1, 128), np.int64), Step(128, -7))}
    outputs = filters_alone(Wavelet(0, MAX_FILTERS), Geometry(2, 2, 1), weights)
    _, biases = filters()
    expected = sum(max(0, round(int(bias) * level.step.value * 2.0**6)) for bias in biases)
    assert np.all(np.abs(outputs * 2.0**-8 - expected) <= 64)
    assert np.all(outputs == 0) == (exponent < -20)


def test_coefficients_too_large_for_the_filters_are_refused():
    geometry = Geometry(3, 3, 3)
    level = Quantized(np.full((3, 3, 3), 1 << 24), Step(255, -15))
    weights = {
        "level0": level,
        "skip": Quantized(np.zeros((3, 3), np.int64), Step(128, -7)),
        "weight1": Quantized(np.zeros((3, 128), np.int64), Step(128, -7)),
        "bias_out": Quantized(np.zeros(3, np.int64), Step(128, -7)),
    }
    synthesis(geometry, level, 0)
    Wavelet(0).evaluator(geometry, weights)
    with pytest.raises(FormatError):
        Wavelet(0, 128).evaluator(geometry, weights)


# ------------------------------------------------------------------------------------------------------------ damage


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Put other bytes in the place of the filters."""

    def make(blob: bytes) -> None:
        (tmp_path / "filters.bin").write_bytes(blob)
        monkeypatch.setattr(module, "files", lambda package: tmp_path)
        filters.cache_clear()

    yield make
    filters.cache_clear()


def test_the_order_of_the_file(install):
    """Filter by filter its weights, offset by offset and feature by feature, then its bias; little-endian."""
    install(np.arange(128 * 76).astype("<i2").tobytes())
    kernels, biases = filters()
    for i in (0, 1, 127):
        assert biases[i] == 76 * i + 75
        for at in (0, 1, 24):
            assert kernels[i, at].tolist() == [76 * i + 3 * at + f for f in range(3)]
    install(b"\xfe\xff" * (BLOB_BYTES // 2))
    assert filters()[1].tolist() == [-2] * 128


@pytest.mark.parametrize("size", [0, 2, BLOB_BYTES - 2, BLOB_BYTES + 2, 2 * BLOB_BYTES, 1, BLOB_BYTES - 1])
def test_damaged_filters_are_refused(install, size):
    install(bytes(size))
    with pytest.raises(FormatError, match="damaged"):
        filters()
    with pytest.raises(FormatError, match="damaged"):
        responses(np.zeros((2, 2, 1), np.int64), 1)
