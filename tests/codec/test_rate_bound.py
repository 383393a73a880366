"""The rate-distortion function of a picture's colours."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from nfcodec.codec import EncodeOptions, bound_bytes, encode
from nfcodec.codec.rate_bound import lower_bound_bits
from nfcodec.raster import Raster


def gaussian(n_channels: int, sigma: float) -> np.ndarray:
    values = np.random.default_rng(0).normal(128, sigma, (200_000, n_channels))
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("psnr_db", [28.0, 34.0])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_gaussian_source_has_its_closed_form(n_channels, psnr_db):
    expected = n_channels / 2 * math.log2(20.0**2 * 10 ** (psnr_db / 10) / 255**2)
    assert lower_bound_bits(gaussian(n_channels, 20.0), psnr_db, 255) == pytest.approx(expected, rel=0.03)


def test_one_colour_costs_nothing():
    assert lower_bound_bits(np.full((500, 3), 77, np.uint8), 40.0, 255) == pytest.approx(0.0, abs=1e-3)


def test_it_never_exceeds_the_entropy_and_grows_with_the_target():
    samples = np.random.default_rng(1).integers(100, 104, (50_000, 1)).astype(np.uint8)
    bits = [lower_bound_bits(samples, psnr_db, 255) for psnr_db in (45.0, 50.0, 55.0, 60.0)]
    assert all(a < b for a, b in pairwise(bits))
    assert 1.2 < bits[-1] <= 2.0  # the tangent is below R(D) where errors are small beside a sample


def test_too_large_a_lattice_is_declined():
    samples = np.array([[0, 0, 0], [65535, 65535, 65535]], np.uint16)
    assert lower_bound_bits(samples, 90.0, 65535) is None


def test_only_chains_that_leave_no_order_have_a_bound():
    raster = Raster(np.random.default_rng(2).integers(0, 256, (24, 24, 3)).astype(np.uint8))
    assert bound_bytes(raster, "none", 40.0) is None
    assert bound_bytes(raster, "standardize", 40.0) is None
    assert bound_bytes(raster, "rpp+zigzag", 40.0) is None
    bound = bound_bytes(raster, "standardize+rpp", 30.0)
    assert bound is not None
    assert 0 < bound < len(encode(raster, EncodeOptions(30.0, transform="rpp")).data)
