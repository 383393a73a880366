"""Curves of rate and quality."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rates.curves import (
    Curve,
    bd_rate,
    bd_rate_within,
    mean_at_settings,
    mean_bpp_at,
    published,
    published_by_picture,
)


def test_curves_leave_out_what_is_beaten() -> None:
    curve = Curve.of([(1.0, 30.0), (2.0, 36.0), (1.5, 29.0), (2.0, 35.0), (4.0, 42.0)])
    assert curve == Curve((1.0, 2.0, 4.0), (30.0, 36.0, 42.0))
    assert curve.bpp_at(33.0) == pytest.approx(2**0.5)
    assert curve.bpp_at(36.0) == pytest.approx(2.0)
    assert curve.quality_at(2**0.5) == pytest.approx(33.0)
    assert curve.quality_at(0.9) is curve.quality_at(4.1) is None
    assert curve.bpp_at(29.7) is None
    assert curve.bpp_at(29.8) == curve.bpp_at(30.0)
    assert curve.bpp_at(42.1) is None


def test_means_need_all_pictures() -> None:
    a, b = Curve((1.0, 2.0), (30.0, 40.0)), Curve((3.0, 4.0), (30.0, 35.0))
    assert mean_bpp_at([a, b], 30.0) == pytest.approx(2.0)
    assert mean_bpp_at([a, b], 38.0) is None
    assert mean_bpp_at([], 30.0) is None


def test_bd_rates() -> None:
    reference = Curve((0.5, 1.0, 2.0, 4.0, 8.0), (28.0, 32.0, 36.0, 40.0, 44.0))
    smaller = Curve(tuple(0.75 * bpp for bpp in reference.bpp), reference.quality)
    assert bd_rate(reference, smaller) == pytest.approx(-25.0, abs=0.5)
    assert bd_rate(smaller, reference) == pytest.approx(100 / 3, abs=0.7)
    assert bd_rate(reference, Curve((1.0, 2.0, 3.0), (30.0, 31.0, 32.0))) is None
    assert bd_rate(reference, Curve(reference.bpp, tuple(q + 50 for q in reference.quality))) is None


def test_published_curves_increase() -> None:
    curves = published()
    assert {"AVIF", "WebP", "C3", "Cool-chic 5"} <= set(curves)
    for name, curve in curves.items():
        assert list(curve.bpp) == sorted(curve.bpp), name
        assert list(curve.quality) == sorted(curve.quality), name
    assert curves["AVIF"].bpp_at(32.0) == pytest.approx(0.367, abs=0.005)
    assert curves["WebP"].bpp_at(40.0) == pytest.approx(2.17, abs=0.02)


def test_a_bd_rate_within_a_range() -> None:
    psnr_db = np.arange(30.0, 51.0, 2.0)
    reference = Curve(tuple(np.exp(psnr_db / 8)), tuple(psnr_db))
    cheap_above_40 = np.where(psnr_db > 40, 0.8, 1.2)
    test = Curve(tuple(cheap_above_40 * np.exp(psnr_db / 8)), tuple(psnr_db))
    assert bd_rate_within(reference, test, 30, 36) == pytest.approx(20, abs=0.01)
    assert bd_rate_within(reference, test, 46, 50) == pytest.approx(-20, abs=0.01)
    assert bd_rate_within(reference, test, 30, 50) == pytest.approx(bd_rate(reference, test), abs=0.1)
    assert bd_rate_within(reference, test, 48, 54) is None  # they cover a third of it
    assert bd_rate_within(reference, Curve(test.bpp[:3], test.quality[:3]), 30, 34) is None


def test_a_mean_at_settings_leaves_out_settings_that_not_every_picture_has() -> None:
    points = {10: [(0.1, 30.0), (0.3, 32.0)], 20: [(0.2, 33.0), (0.6, 35.0)], 30: [(0.4, 36.0)]}
    assert mean_at_settings(points) == Curve((0.2, 0.4), (31.0, 34.0))


def test_published_pictures_have_the_published_mean() -> None:
    (pictures,) = published_by_picture().values()
    assert len(pictures) == 24
    means = mean_at_settings({i: [(c.bpp[i], c.quality[i]) for c in pictures.values()] for i in range(5)})
    assert means.bpp == pytest.approx(published()["Cool-chic 5"].bpp, abs=1e-4)
    assert means.quality == pytest.approx(published()["Cool-chic 5"].quality, abs=1e-3)


def test_between_points_a_curve_bends_as_the_points_do() -> None:
    psnr_db = np.arange(28.0, 52.0, 4.0)
    bent = np.exp(psnr_db / 8 - (psnr_db - 28) ** 2 / 800)  # the logarithm of the rate grows ever more slowly
    curve = Curve(tuple(bent), tuple(psnr_db))
    for middle in psnr_db[1:-2] + 2.0:
        true = np.exp(middle / 8 - (middle - 28) ** 2 / 800)
        straight = np.exp(np.interp(middle, psnr_db, np.log(bent)))
        assert straight < curve.bpp_at(middle)
        assert curve.bpp_at(middle) == pytest.approx(true, rel=2e-3)
