"""Every kind of image file that is written: what it holds comes back, and what it cannot hold is refused."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms, features

from nfcodec.errors import ImageReadError, UsageError
from nfcodec.images.files import raster_from_bytes
from nfcodec.images.formats import kind_of
from nfcodec.images.names import PICTURE_SUFFIXES, WRITTEN_SUFFIXES, format_of_suffix
from nfcodec.images.outputs import KINDS, check, image_bytes
from nfcodec.metrics import psnr_db
from nfcodec.raster import Raster

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta>a</x:xmpmeta>"
LOSSLESS = ("png", "webp", "tiff", "ppm", "npy")


def exif(turn=1):
    """EXIF as a camera writes it: with directories of its own, and values that lie elsewhere."""
    tags = Image.Exif()
    tags[0x0112], tags[0x010F], tags[0x011A], tags[0x011B], tags[0x0128] = turn, "a camera", 300.0, 150.0, 2
    tags.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    tags.get_ifd(0x8825)[1] = "N"
    return tags.tobytes().removeprefix(b"Exif\0\0")


def picture(channels=3, dtype=np.uint8, metadata=None):
    y, x = np.mgrid[0:24, 0:31]
    planes = np.stack([4 * x + 5 * y, 255 - 6 * x, 9 * y, 3 * x + 2 * y], axis=2)[:, :, 4 - channels :]
    scaled = planes.astype(np.uint8).astype(dtype) * (257 if dtype == np.uint16 else 1)
    scaled = scaled + (np.arange(31)[:, None] if dtype == np.uint16 else 0)
    plain = Raster.from_array(scaled.clip(0, np.iinfo(dtype).max).astype(dtype))
    return Raster(plain.samples, plain.alpha, metadata or {})


def made(raster, format, **options):
    """The bytes of a file; skips where this Pillow has no AVIF."""
    if format == "avif" and not features.check("avif"):
        pytest.skip("this Pillow does not have AVIF")
    return image_bytes(raster, format, **options)


def read(data):
    return raster_from_bytes(data)


def test_every_kind_has_suffixes():
    assert set(KINDS) == set(WRITTEN_SUFFIXES)
    assert {suffix for suffixes in WRITTEN_SUFFIXES.values() for suffix in suffixes} <= PICTURE_SUFFIXES
    assert format_of_suffix(".JPG") == "jpeg"
    assert format_of_suffix("") is None
    assert format_of_suffix(".jxl") is None


@pytest.mark.parametrize("format", KINDS)
def test_the_content_is_what_the_name_says(format):
    data = made(picture(), format)
    if format == "npy":
        assert np.load(io.BytesIO(data)).shape == (24, 31, 3)
    else:
        assert kind_of(data) == format.upper()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("format", KINDS)
def test_samples_come_back(format, channels, dtype):
    raster, kind = picture(channels, dtype), KINDS[format]
    if (raster.depth > 8 and not kind.holds_16_bits) or (channels % 2 == 0 and not kind.holds_alpha):
        with pytest.raises(UsageError, match=r"8 bits a sample|cannot hold transparency"):
            image_bytes(raster, format)
        return
    data = made(raster, format)
    if (format, channels, dtype) == ("tiff", 2, np.uint16):  # Pillow has no mode for it
        with pytest.raises(ImageReadError, match="unknown pixel mode"):
            read(data)
        return
    back = read(data)
    assert back.depth == raster.depth
    if format == "webp" and channels < 3:  # WebP knows colour alone
        assert np.array_equal(back.samples, np.broadcast_to(raster.samples, back.samples.shape))
    elif format in LOSSLESS:
        assert np.array_equal(back.samples, raster.samples)
    else:
        assert psnr_db(np.broadcast_to(raster.samples, back.samples.shape), back.samples, 255) > 38
    if raster.alpha is None:
        assert back.alpha is None
    elif format in LOSSLESS:
        assert np.array_equal(back.alpha, raster.alpha)
    else:
        assert psnr_db(raster.alpha, back.alpha, 255) > 38


@pytest.mark.parametrize(("format", "dtype"), [(name, np.uint8) for name, kind in KINDS.items() if kind.holds_metadata]
                         + [("png", np.uint16), ("tiff", np.uint16)])  # fmt: skip
def test_metadata_comes_back(format, dtype):
    back = read(made(picture(3, dtype, {"icc": ICC, "exif": exif(), "xmp": XMP}), format)).metadata
    assert (back["icc"], back["xmp"]) == (ICC, XMP)
    tags = Image.Exif()
    tags.load(back["exif"])
    assert (tags[0x010F], tags[0x011A], tags[0x011B], tags[0x0128]) == ("a camera", 300.0, 150.0, 2)
    assert tags.get_ifd(0x8769)[0x9003] == "2020:01:02 03:04:05"
    assert tags.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("turn", [1, 3, 6])
@pytest.mark.parametrize("format", KINDS)
def test_pictures_are_seen_as_they_were(format, turn):
    """By programs that turn pictures as EXIF says, or that are handed pixels alone."""
    from nfcodec.images.exif import upright

    raster = picture(3, metadata={"exif": exif(turn)})
    seen, wanted = upright(read(made(raster, format))), upright(raster)
    assert seen.samples.shape == wanted.samples.shape
    assert psnr_db(wanted.samples, seen.samples, 255) > 38


@pytest.mark.parametrize("blob", [b"garbage", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff"])
def test_a_tiff_without_the_exif_that_is_damaged(blob):
    back = read(image_bytes(picture(metadata={"exif": blob, "xmp": XMP}), "tiff"))
    assert back.metadata == {"xmp": XMP}
    assert np.array_equal(back.samples, picture().samples)


@pytest.mark.parametrize("order", ["II", "MM"])
def test_a_tiff_in_strips(order):
    """More than one strip, in the order of bytes that EXIF has."""
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 65536, (300, 1000, 3), np.uint16)
    blob = {"II": b"II*\0\x08\0\0\0", "MM": b"MM\0*\0\0\0\x08"}[order] + bytes(6)
    data = image_bytes(Raster(samples, None, {"exif": blob}), "tiff")
    assert data.startswith(order.encode())
    assert np.array_equal(read(data).samples, samples)
    with Image.open(io.BytesIO(data)) as image:
        assert len(image.tag_v2[273]) > 1
        assert image.n_frames == 1


def test_an_exif_with_a_thumbnail_makes_no_second_page():
    tags = Image.Exif()
    tags[0x010F] = "a camera"
    blob = bytearray(tags.tobytes().removeprefix(b"Exif\0\0"))
    at = 8 + 2 + 12
    blob[at : at + 4] = (8).to_bytes(4, "little" if blob[:2] == b"II" else "big")  # the next directory
    with Image.open(io.BytesIO(image_bytes(picture(metadata={"exif": bytes(blob)}), "tiff"))) as image:
        assert image.n_frames == 1


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_quality(format):
    sizes = [len(made(picture(), format, quality=quality)) for quality in (10, 100)]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("format", ["png", "tiff", "ppm", "npy"])
def test_what_has_no_quality(format):
    with pytest.raises(UsageError, match="no quality to choose; jpeg, webp, avif have"):
        image_bytes(picture(), format, quality=90)


def test_what_cannot_be_held_is_said_with_what_can():
    with pytest.raises(UsageError, match=r"JPEG is written with 8 bits a sample, and this .* 16; use png, tiff or npy"):
        check("jpeg", 16, True)
    with pytest.raises(UsageError, match="PPM cannot hold transparency; use png, webp, avif, tiff or npy"):
        check("ppm", 8, True)
    with pytest.raises(UsageError, match="up to 16,383 pixels a side, and this one has 20,000 x 1; use png or tiff"):
        image_bytes(Raster(np.zeros((1, 20_000, 1), np.uint8)), "webp")
    with pytest.raises(UsageError, match=r"its metadata: exif of 70,000 bytes; --strip leaves it out"):
        image_bytes(picture(metadata={"exif": bytes(70_000)}), "jpeg")


def test_colours_of_transparent_pixels_are_kept():
    samples = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    raster = Raster(samples, np.zeros((4, 4), np.uint8))
    for format in ("png", "webp", "tiff", "npy"):
        assert np.array_equal(read(image_bytes(raster, format)).samples, samples)


def test_a_resolution_that_no_jpeg_holds():
    from nfcodec.images.exif import resolution, with_resolution

    raster = picture(metadata={"exif": with_resolution(b"", (70_000.0, 70_000.0))})
    assert resolution(read(image_bytes(raster, "jpeg")).metadata["exif"]) == (70_000, 70_000)


def test_a_tiff_that_tells_no_resolution_gets_none():
    assert read(image_bytes(picture(), "tiff")).metadata == {}


@pytest.mark.parametrize("format", ["webp", "avif"])
def test_what_this_pillow_does_not_write(format, monkeypatch):
    """It may be older, or made without a library."""
    plugin = {"webp": "WebP", "avif": "Avif"}[format]
    monkeypatch.setitem(sys.modules, f"PIL.{plugin}ImagePlugin", None)
    monkeypatch.delitem(Image.SAVE, format.upper(), raising=False)
    with pytest.raises(UsageError, match=f"this installation of Pillow does not write {format.upper()}"):
        image_bytes(picture(), format)
