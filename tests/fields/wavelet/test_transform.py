from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.fields.wavelet.transform import HH, HL, LH, LL, MAX_LEVELS, bands

levels = st.integers(0, MAX_LEVELS)


@given(st.integers(1, 300), st.integers(1, 300), levels)
def test_every_place_belongs_to_one_band(height: int, width: int, n_levels: int):
    count = np.zeros((height, width), np.int64)
    for band in bands(height, width, n_levels):
        here = count[band.rows, band.cols]
        assert here.shape == band.shape
        assert here.size == band.size
        here += 1
    assert np.all(count == 1)


@pytest.mark.parametrize("n_levels", range(MAX_LEVELS + 1))
def test_places_are_those_of_the_format(n_levels: int):
    y, x = np.mgrid[0:140, 0:133]
    smooth, *details = bands(140, 133, n_levels)
    assert (smooth.level, smooth.orientation) == (n_levels, LL)
    assert not (y[smooth.rows, smooth.cols] % 2**n_levels).any()
    assert not (x[smooth.rows, smooth.cols] % 2**n_levels).any()
    for band in details:
        half = 2 ** (band.level - 1)
        odd = {HL: (0, 1), LH: (1, 0), HH: (1, 1)}[band.orientation]
        for axis, parity in zip((y, x), odd, strict=True):
            steps, rest = np.divmod(axis[band.rows, band.cols], half)
            assert not rest.any()
            assert np.all(steps % 2 == parity)


def test_bands_come_from_coarse_to_fine():
    found = [(band.level, band.orientation) for band in bands(8, 8, 3)]
    assert found == [(3, LL)] + [(level, kind) for level in (3, 2, 1) for kind in (HL, LH, HH)]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (9, 1)])
def test_thin_planes_have_empty_bands(height: int, width: int):
    sizes = {(band.level, band.orientation): band.size for band in bands(height, width, MAX_LEVELS)}
    assert sizes[MAX_LEVELS, LL] == 1
    assert all(size == 0 for (_, orientation), size in sizes.items() if orientation == HH)
    assert sum(sizes.values()) == height * width
