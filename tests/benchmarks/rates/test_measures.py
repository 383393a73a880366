"""Measures beside PSNR, held to what other programs say of the same pictures."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from benchmarks.rates.measures import MEASURES, measures
from benchmarks.rates.ssimulacra2 import BLUR, ssimulacra2

Y, X = np.mgrid[0:180, 0:201]
WAVES = np.stack([120 + 80 * np.sin(X / (4 + c)) * np.cos(Y / (9 - c)) + 20 * np.sin(X * Y / 900) for c in range(3)], 2)
PICTURE = WAVES.round().clip(0, 255).astype(np.uint8)
COARSE = (PICTURE // 24 * 24 + 12).clip(0, 255).astype(np.uint8)
SHIFTED = np.roll(PICTURE, 1, 1)


@pytest.mark.parametrize(
    ("decoded", "expected"),
    [(COARSE, 53.92848), (SHIFTED, 49.498094), (COARSE // 2 + 60, -39.606033)],
    ids=["coarse", "shifted", "pale"],
)
def test_ssimulacra2_is_that_of_libjxl(decoded: np.ndarray, expected: float) -> None:
    """As the package ssimulacra2 0.3.0 has it when its blur is replaced by that of libjxl."""
    assert ssimulacra2(PICTURE, decoded) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("decoded", "expected"), [(COARSE, 0.9904257), (SHIFTED, 0.9794542)], ids=["coarse", "shifted"]
)
def test_ms_ssim_is_that_of_another_program(decoded: np.ndarray, expected: float) -> None:
    """Of the package pytorch-msssim 1.0.0, whose weights have 32 bits; it halves only even sides as we do."""
    a, b = PICTURE[:176, :192], decoded[:176, :192]
    assert measures(a, b)["ms_ssim"] == pytest.approx(expected, abs=1e-5)


def test_the_blur_is_a_filter_of_sigma_one_and_a_half() -> None:
    kernel = np.concatenate([BLUR, BLUR[-2::-1]])
    places = np.arange(-4, 5)
    assert kernel.sum() == pytest.approx(1)
    assert (kernel * places**2).sum() == pytest.approx(1.5**2)


def test_ssimulacra2_at_its_ends() -> None:
    assert ssimulacra2(PICTURE, PICTURE) == 100
    assert ssimulacra2(PICTURE, 255 - PICTURE) < -100
    assert ssimulacra2(PICTURE[:, :, 0], PICTURE[:, :, 0]) == 100
    assert ssimulacra2(PICTURE[:7], PICTURE[:7]) is None


def test_all_measures_of_a_picture_that_is_too_small_for_some() -> None:
    assert measures(PICTURE, PICTURE) == {"psnr_db": 999.0, "ms_ssim": 1.0, "ssimulacra2": 100.0}
    assert measures(PICTURE[:8, :8], COARSE[:8, :8])["ms_ssim"] is None
    small = measures(PICTURE[:4, :4], COARSE[:4, :4])
    assert set(small) == set(MEASURES)
    assert (small["psnr_db"] > 20, small["ssimulacra2"]) == (True, None)
