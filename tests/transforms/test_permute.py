from __future__ import annotations

import numpy as np
import pytest

from nfcodec.errors import FormatError, UnsupportedError, UsageError
from nfcodec.transforms import RandomPermutation, Zigzag, intensities
from nfcodec.transforms.orders import seeded_permutation, zigzag_path

SAMPLES = np.array([[[9], [3], [7]], [[3], [0], [9]]], np.uint8)


def test_rpp():
    rpp = RandomPermutation.prepare(None, SAMPLES, 2**64 - 1)
    assert rpp.pack() == b"\x01" + b"\xff" * 8
    assert RandomPermutation.unpack(rpp.pack()) == rpp
    assert RandomPermutation.packed_size(1) == RandomPermutation.packed_size(3) == 9
    assert rpp.order(3, 4, None).tolist() == seeded_permutation(12, 2**64 - 1).tolist()


def test_rpp_rejects():
    with pytest.raises(UsageError, match="seed"):
        RandomPermutation.prepare(None, SAMPLES, -1)
    with pytest.raises(UsageError, match="no parameter"):
        RandomPermutation.parse("7")
    with pytest.raises(UnsupportedError, match="algorithm 2"):
        RandomPermutation.unpack(b"\x02" + bytes(8))
    with pytest.raises(FormatError, match="bytes"):
        RandomPermutation.unpack(bytes(8))


def test_zigzag_sorts_along_the_path():
    plane = SAMPLES[:, :, 0]
    order = Zigzag().order(2, 3, plane)
    along = order[zigzag_path(2, 3)]
    assert along.tolist() == [4, 1, 3, 2, 0, 5]  # stable: 3s and 9s in raster order
    moved = plane.reshape(-1)[order].reshape(2, 3)
    assert moved.tolist() == [[0, 3, 9], [3, 7, 9]]


def test_zigzag_needs_a_plane():
    with pytest.raises(UsageError, match="key plane"):
        Zigzag().order(2, 3, None)


def test_intensities():
    assert intensities(SAMPLES).tolist() == SAMPLES[:, :, 0].tolist()
    for dtype, peak in ((np.uint8, 255), (np.uint16, 65535)):
        colours = np.array([[[peak] * 3, [0] * 3, [peak, 0, 0], [0, peak, 0], [0, 0, peak]]], dtype)
        plane = intensities(colours)
        assert plane.dtype == dtype
        assert plane.tolist() == [[peak, 0, *((weight * peak + 128) >> 8 for weight in (77, 150, 29))]]
