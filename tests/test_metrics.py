from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import UsageError
from nfcodec.metrics import MS_SSIM_WEIGHTS, ms_ssim, mse, psnr_db, squared_error


def noise(shape: tuple[int, ...], seed: int = 0, dtype: type = np.uint8):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def ramp(height: int, width: int):
    rows, columns = np.mgrid[:height, :width]
    return ((3 * rows + 2 * columns) % 256).astype(np.uint8)


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 65535)), min_size=1))
def test_squared_error_is_exact(pairs: list[tuple[int, int]]):
    a, b = (np.array(column, np.uint16) for column in zip(*pairs, strict=True))
    assert squared_error(a, b) == sum((x - y) ** 2 for x, y in pairs)


def test_squared_error_of_many_samples_does_not_overflow():
    a, b = np.zeros((1000, 1001), np.uint16), np.full((1000, 1001), 65535, np.uint16)
    assert squared_error(a, b) == 65535**2 * 1_001_000
    assert mse(a, b) == 65535.0**2
    assert psnr_db(a, b, 65535) == 0


def test_psnr():
    a = np.zeros((4, 5, 3), np.uint8)
    b = a.copy()
    assert psnr_db(a, b, 255) == math.inf
    b[0, 0, 0] = 255
    assert psnr_db(a, b, 255) == pytest.approx(10 * math.log10(60))
    assert mse(a, b) == pytest.approx(255**2 / 60)


@pytest.mark.parametrize("metric", [psnr_db, ms_ssim])
def test_bad_arguments(metric):
    image = noise((16, 16))
    with pytest.raises(UsageError, match="shape"):
        metric(image, noise((16, 17)), 255)
    with pytest.raises(UsageError, match="uint8"):
        metric(image.astype(np.float64), image.astype(np.float64), 255)
    with pytest.raises(UsageError, match="pixel"):
        metric(image[:0], image[:0], 255)
    with pytest.raises(UsageError, match="peak"):
        metric(image, image, 0)


def test_ms_ssim_needs_a_window():
    assert ms_ssim(noise((11, 11)), noise((11, 11)), 255) == pytest.approx(1)
    with pytest.raises(UsageError, match="11 x 11"):
        ms_ssim(noise((10, 50)), noise((10, 50)), 255)
    with pytest.raises(UsageError):
        ms_ssim(noise((400,)), noise((400,)), 255)


@pytest.mark.parametrize("shape", [(16, 16), (33, 47, 3), (180, 177), (161, 400, 1)])
def test_ms_ssim_of_equal_images_is_one(shape: tuple[int, ...]):
    image = noise(shape)
    assert ms_ssim(image, image, 255) == pytest.approx(1)


def test_ms_ssim_falls_with_noise_and_is_symmetric():
    image = ramp(180, 200)
    scores = []
    for amount in (1, 8, 64):
        shift = noise((180, 200)).astype(int) % (2 * amount + 1) - amount
        noisy = np.clip(image + shift, 0, 255).astype(np.uint8)
        scores.append(ms_ssim(image, noisy, 255))
        assert scores[-1] == pytest.approx(ms_ssim(noisy, image, 255))
    assert 1 > scores[0] > scores[1] > scores[2] > 0


def test_ms_ssim_of_a_negative_is_zero():
    image = noise((64, 64))
    assert ms_ssim(image, 255 - image, 255) == 0


def test_ms_ssim_is_the_mean_over_channels():
    a, b = noise((40, 40, 3)) // 8 + 100, noise((40, 40, 3), 1) // 8 + 100
    single = [ms_ssim(a[:, :, channel], b[:, :, channel], 255) for channel in range(3)]
    assert ms_ssim(a, b, 255) == pytest.approx(sum(single) / 3)


def test_ms_ssim_does_not_depend_on_depth():
    a, b = ramp(60, 60), noise((60, 60)) // 4 + ramp(60, 60) // 2
    wide = ms_ssim(a.astype(np.uint16) * 257, b.astype(np.uint16) * 257, 65535)
    assert wide == pytest.approx(ms_ssim(a, b, 255))


def test_ms_ssim_against_a_literal_reference():
    """Loops over windows and blocks, written from the paper."""
    a = ramp(45, 50)
    b = np.clip(a + noise((45, 50)).astype(int) % 41 - 20, 0, 255).astype(np.uint8)
    weights = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    window = np.outer(weights, weights) / weights.sum() ** 2
    x, y, terms = a.astype(float), b.astype(float), []
    for scale in range(3):  # 45, 23, 12
        values = []
        for i in range(x.shape[0] - 10):
            for j in range(x.shape[1] - 10):
                p, q = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
                mu, nu = (window * p).sum(), (window * q).sum()
                variances = (window * (p - mu) ** 2).sum() + (window * (q - nu) ** 2).sum()
                covariance = (window * (p - mu) * (q - nu)).sum()
                structure = (2 * covariance + 7.65**2) / (variances + 7.65**2)
                luminance = (2 * mu * nu + 2.55**2) / (mu**2 + nu**2 + 2.55**2)
                values.append(structure * luminance if scale == 2 else structure)
        terms.append(np.mean(values))
        x, y = (
            np.array(
                [[z[i : i + 2, j : j + 2].mean() for j in range(0, z.shape[1], 2)] for i in range(0, z.shape[0], 2)]
            )
            for z in (x, y)
        )
    exponents = np.array(MS_SSIM_WEIGHTS[:3]) / sum(MS_SSIM_WEIGHTS[:3])
    assert ms_ssim(a, b, 255) == pytest.approx(np.prod(np.array(terms) ** exponents), rel=1e-9)
