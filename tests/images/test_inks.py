"""Pictures in CMYK: through their profile, or by a guess, and with a word about it."""

from __future__ import annotations

import io
import itertools
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from nfcodec.errors import ImageReadError, LimitError
from nfcodec.images import inks
from nfcodec.images.files import Reading, raster_from_bytes
from nfcodec.limits import Limits

pytestmark = pytest.mark.skipif(not features.check("littlecms2"), reason="this Pillow does not have LittleCMS")

D50 = struct.pack(">3i", *(round(65536 * value) for value in (0.9642, 1, 0.8249)))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def profile(name=b"Inks of a test") -> bytes:
    """An ICC profile of four inks of middling strength: a table (lut8) of Lab colours at the corners of CMYK."""
    corners = bytearray()
    for cyan, magenta, yellow, black in itertools.product((0, 1), repeat=4):
        light = 255 * (1 - 0.4 * cyan - 0.3 * magenta - 0.1 * yellow) * (1 - black)
        a, b = 60 * magenta - 40 * cyan, 80 * yellow - 40 * cyan
        corners += bytes(round(max(0, value)) for value in (light, 128 + a * (1 - black), 128 + b * (1 - black)))
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = (
        b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + bytes(range(256)) * 4 + corners + bytes(range(256)) * 3
    )
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + D50,
        b"A2B0": table,
        b"A2B1": table,
    }
    directory, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for signature, data in tags.items():
        directory += signature + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = 128 + len(directory) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, b"prtr", b"CMYK", b"Lab ") + bytes(12) + b"acsp"
    return (head + bytes(28) + D50).ljust(128, b"\0") + directory + body


def cmyk(format, icc=b"", color=(255, 0, 0, 0)):
    buffer = io.BytesIO()
    options = {"icc_profile": icc} if icc else {}
    Image.new("CMYK", (20, 10), color).save(buffer, format, **options)
    return buffer.getvalue()


def read(data, **limits):
    """The picture, and what is said of it."""
    said: list[str] = []
    return raster_from_bytes(data, Limits(**limits), how=Reading(tell=said.append)), said


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_a_profile_is_followed(format):
    raster, said = read(cmyk(format, profile()))
    assert raster.samples.shape == (10, 20, 3)
    red, green, blue = raster.samples[0, 0].astype(int)
    assert red < 40
    assert 140 < green < 190  # which the guess takes for 255
    assert 190 < blue < 240
    assert "icc" not in raster.metadata
    assert said == ["its CMYK inks were converted to sRGB through its colour profile (Inks of a test)"]


def test_paper_and_black_stay_white_and_black():
    for color, value in (((0, 0, 0, 0), 255), ((0, 0, 0, 255), 0)):
        assert np.abs(read(cmyk("TIFF", profile(), color))[0].samples.astype(int) - value).max() <= 1


@pytest.mark.parametrize("icc", [b"", b"garbage", SRGB, profile()[:900]], ids=["none", "garbage", "sRGB", "cut"])
def test_without_a_profile_of_inks(icc):
    raster, said = read(cmyk("TIFF", icc))
    assert raster.samples[0, 0].tolist() == [0, 255, 255]
    assert said == [inks.GUESSED]


def test_damaged_profiles_end_in_a_picture():
    data = profile()
    for at in range(0, len(data), 211):
        damaged = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
        assert read(cmyk("TIFF", damaged))[0].samples.shape == (10, 20, 3)


def test_a_profile_is_held_against_the_limits():
    with pytest.raises(LimitError, match="metadata"):
        read(cmyk("TIFF", profile()), max_metadata_bytes=1000)


def test_deep_inks_are_refused():
    """Pillow reads the upper half of each sample alone."""
    data = bytearray(cmyk("TIFF"))
    tags = {tag: data.index(struct.pack("<HH", tag, 3)) for tag in (258,)}
    place = struct.unpack_from("<I", data, tags[258] + 8)[0]
    data[place : place + 8] = struct.pack("<4H", 16, 16, 16, 16)
    with pytest.raises(ImageReadError, match="16-bit colour"):
        read(bytes(data))


def test_long_descriptions_are_cut():
    assert len(read(cmyk("TIFF", profile(b"x" * 500)))[1][0]) < 150
