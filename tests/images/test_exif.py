"""How EXIF says that a picture is to be turned, and how many pixels it has to the inch."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from nfcodec.images import exif
from nfcodec.raster import Raster

PIXELS = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def pillows(**tags: object) -> bytes:
    """EXIF as Pillow writes it, by the names in `exif`."""
    written = Image.Exif()
    for name, value in tags.items():
        written[getattr(exif, name)] = value
    return written.tobytes()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(turn, channels):
    raster = Raster.from_array(PIXELS[:, :, :channels])
    blob = pillows(ORIENTATION=turn)
    assert exif.orientation(blob) == turn
    image = Image.fromarray(raster.to_array())
    image.info["exif"] = blob
    found = exif.upright(Raster(raster.samples, raster.alpha, {"exif": blob}))
    assert np.array_equal(found.to_array(), np.asarray(ImageOps.exif_transpose(image)))
    assert found.to_array().flags.c_contiguous
    assert exif.orientation(found.metadata["exif"]) == 1
    assert exif.upright(found) is found


def test_deep_pictures_are_turned():
    raster = Raster(np.arange(6, dtype=np.uint16).reshape(2, 3, 1) * 1000, None, {"exif": pillows(ORIENTATION=6)})
    assert exif.upright(raster).to_array().tolist() == [[3000, 0], [4000, 1000], [5000, 2000]]


@pytest.mark.parametrize("turn", range(1, 9))
def test_metadata_of_a_turned_picture(turn):
    """All else in it is kept; a resolution that differs across and down changes places with the sides."""
    blob = pillows(ORIENTATION=turn, X_RESOLUTION=300.0, Y_RESOLUTION=100.0)
    xmp = b"<a tiff:Orientation='%d'/><tiff:Orientation>%d</tiff:Orientation><b>6</b>" % (turn, turn)
    raster = Raster(PIXELS[:, :, :3], None, {"exif": blob, "xmp": xmp, "icc": b"profile"})
    found = exif.upright(raster).metadata
    assert found["icc"] == b"profile"
    assert found["xmp"] == b"<a tiff:Orientation='1'/><tiff:Orientation>1</tiff:Orientation><b>6</b>"
    assert exif.resolution(found["exif"]) == ((100, 300) if turn >= 5 else (300, 100))
    tags = Image.Exif()
    tags.load(found["exif"])
    assert tags[0x0112] == 1


@pytest.mark.parametrize("blob", [b"", b"Exif\0\0", b"II*\0", b"garbage of all kinds", pillows(ORIENTATION=9),
                                  pillows(ORIENTATION=0), pillows(X_RESOLUTION=72.0),
                                  pillows(ORIENTATION=6)[:-4]])  # fmt: skip
def test_where_nothing_is_said_nothing_is_turned(blob):
    assert exif.orientation(blob) == 1


@pytest.mark.parametrize("unit", [{}, {"RESOLUTION_UNIT": 2}, {"RESOLUTION_UNIT": 3}])
def test_resolutions_of_pillow(unit):
    factor = 2.54 if unit.get("RESOLUTION_UNIT") == 3 else 1.0
    blob = pillows(X_RESOLUTION=300.0, Y_RESOLUTION=150.5, **unit)
    assert exif.resolution(blob) == pytest.approx((300 * factor, 150.5 * factor))


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"X_RESOLUTION": 300.0},
        {"X_RESOLUTION": 300.0, "Y_RESOLUTION": 300.0, "RESOLUTION_UNIT": 1},
        {"X_RESOLUTION": 0.0, "Y_RESOLUTION": 0.0},
        {"X_RESOLUTION": 0.01, "Y_RESOLUTION": 300.0},
        {"X_RESOLUTION": 300.0, "Y_RESOLUTION": 4e9},
    ],
)
def test_no_resolution(tags):
    assert exif.resolution(pillows(**tags)) is None


def test_a_resolution_over_nothing():
    blob = exif.with_resolution(b"", (300.0, 300.0))
    assert exif.resolution(blob[:-4] + bytes(4)) is None


@given(st.floats(0.0254, 5e7), st.floats(0.0254, 5e7))
def test_a_resolution_of_its_own(across, down):
    found = exif.resolution(exif.with_resolution(b"", (across, down)))
    for value, dpi in zip(found or (), (across, down), strict=True):
        assert value == pytest.approx(dpi, rel=1e-6, abs=1e-4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("odd", [b"", b"!"])
def test_a_resolution_leaves_the_rest_in_its_place(order, odd):
    """Text behind its directory, and a second directory, as a camera has them."""
    text, following = b"a camera of some kind\0", 1234
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    entries = struct.pack(order + "HHHII", 1, 0x010F, 2, len(text), 26) + struct.pack(order + "I", following)
    blob = head + entries + text + odd
    longer = exif.with_resolution(blob, (300.0, 75.0))
    assert exif.resolution(longer) == (300.0, 75.0)
    assert longer[8 : len(blob)] == blob[8:]
    assert exif.with_resolution(exif.PREFIX + blob, (300.0, 75.0)) == longer
    tags = Image.Exif()
    tags.load(longer)
    assert tags[0x010F] == "a camera of some kind"
    assert [float(tags[tag]) for tag in (exif.X_RESOLUTION, exif.Y_RESOLUTION)] == [300.0, 75.0]
    (at,) = struct.unpack_from(order + "I", longer, 4)
    assert at % 2 == 0
    assert struct.unpack_from(order + "I", longer, at + 2 + 4 * 12) == (following,)


def test_a_resolution_replaces_one_without_a_unit():
    blob = pillows(X_RESOLUTION=1.0, Y_RESOLUTION=1.0, RESOLUTION_UNIT=1, ORIENTATION=8)
    longer = exif.with_resolution(blob, (96.0, 96.0))
    assert exif.resolution(longer) == (96.0, 96.0)
    assert exif.orientation(longer) == 8


def test_damaged_exif_stays_as_it_is():
    for blob in (b"garbage", b"II*\0", b"MM\0*\xff\xff\xff\xff"):
        assert exif.with_resolution(blob, (300.0, 300.0)) == blob


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes(blob, prefixed):
    data = exif.PREFIX + blob if prefixed else blob
    assert 1 <= exif.orientation(data) <= 8
    exif.resolution(data)
    exif.with_resolution(data, (300.0, 300.0))


def test_pillow_reads_what_is_written():
    buffer = io.BytesIO()
    Image.new("L", (2, 2)).save(buffer, "JPEG", exif=exif.PREFIX + exif.with_resolution(b"", (300.0, 300.0)))
    assert Image.open(buffer).info["dpi"] == (300, 300)
