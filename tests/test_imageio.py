"""imageio reads and writes .nfc files through Pillow, once that knows them."""

from __future__ import annotations

import numpy as np
import pytest

import nfcodec
import nfcodec.pillow
from tests.codec.pictures import picture

iio = pytest.importorskip("imageio.v3")

EXACT = {"lossless": True, "effort": 1, "field": "samples"}


def array_of(channels: int, depth: int = 8) -> np.ndarray:
    return picture(23, 37, channels=1 if channels < 3 else 3, depth=depth, alpha=channels in (2, 4)).to_array()


@pytest.mark.parametrize(("channels", "depth"), [(1, 8), (2, 8), (3, 8), (4, 8), (1, 16)])
def test_there_and_back(channels, depth, tmp_path):
    array = array_of(channels, depth)
    iio.imwrite(tmp_path / "a.nfc", array, **EXACT)
    assert (tmp_path / "a.nfc").read_bytes() == nfcodec.encode(array, **EXACT)
    back = iio.imread(tmp_path / "a.nfc")
    np.testing.assert_array_equal(back, array)
    assert (back.dtype, back.flags.writeable) == (array.dtype, True)
    found = iio.improps(tmp_path / "a.nfc")
    assert (found.shape, found.dtype) == (array.shape, array.dtype)


def test_bytes_and_open_files():
    array = array_of(3)
    data = iio.imwrite("<bytes>", array, plugin="pillow", extension=".nfc", **EXACT)
    assert data == nfcodec.encode(array, **EXACT)
    with iio.imopen(data, "r") as file:
        np.testing.assert_array_equal(file.read(index=0), array)
        assert [each.shape for each in file.iter()] == [array.shape]


def test_metadata(tmp_path):
    iio.imwrite(tmp_path / "a.nfc", array_of(3), dpi=(300, 300), icc_profile=b"a profile", **EXACT)
    found = iio.immeta(tmp_path / "a.nfc")
    assert (found["dpi"], found["icc_profile"]) == ((300, 300), b"a profile")


def test_the_older_interface(tmp_path):
    from imageio import v2

    v2.imwrite(tmp_path / "a.nfc", array_of(3), **EXACT)
    np.testing.assert_array_equal(v2.imread(tmp_path / "a.nfc"), array_of(3))


def test_errors_come_through(tmp_path):
    path = tmp_path / "a.nfc"
    path.write_bytes(nfcodec.encode(array_of(3), **EXACT)[:-9])
    with pytest.raises(OSError, match="truncated"):
        iio.imread(path)
    with pytest.raises(ValueError, match="does not know 'quality'"):
        iio.imwrite("<bytes>", array_of(3), plugin="pillow", extension=".nfc", quality=80)
