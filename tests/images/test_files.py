import io
import os
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from nfcodec.errors import ImageReadError, LimitError, NfcError, UsageError
from nfcodec.images import png16
from nfcodec.images.files import (
    Reading,
    image_bytes,
    is_turned,
    raster_from_bytes,
    raster_from_pil,
    raster_to_pil,
    read_bytes,
    read_image,
)
from nfcodec.limits import Limits
from nfcodec.raster import Raster

METADATA = {"icc": b"profile" * 40, "exif": b"II*\0" + bytes(30), "xmp": b"<x:xmpmeta>\xff</x:xmpmeta>"}


def picture(channels, dtype=np.uint8, shape=(13, 17)):
    rng = np.random.default_rng(channels)
    noisy = rng.integers(0, np.iinfo(dtype).max, (*shape, channels), endpoint=True)
    smooth = np.add.outer(np.arange(shape[0]), np.arange(shape[1]))[:, :, None] * 37 * (1 + np.arange(channels))
    return np.where(np.arange(shape[0])[:, None, None] < 6, noisy, smooth).astype(dtype)


def read(data, **limits):
    return read_image(io.BytesIO(data), Limits(**limits))


def pillow_bytes(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


# ------------------------------------------------------------------------------------------- what we write, we read


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("format", ["png", "ppm", "npy"])
def test_round_trip(dtype, channels, format):
    plain = Raster.from_array(picture(channels, dtype))
    raster = Raster(plain.samples, plain.alpha, METADATA)
    if format == "ppm" and raster.alpha is not None:
        with pytest.raises(UsageError, match="transparency"):
            image_bytes(raster, format)
        return
    back = read(image_bytes(raster, format))
    np.testing.assert_array_equal(back.to_array(), raster.to_array())
    assert back.depth == raster.depth
    assert back.metadata == (METADATA if format == "png" else {})


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_deep_png_of_every_shape(shape, channels):
    array = picture(channels, np.uint16, shape)
    np.testing.assert_array_equal(read(image_bytes(Raster.from_array(array))).to_array(), array)


def test_deep_png_uses_the_filters():
    ramp = np.add.outer(np.arange(64), np.arange(64))[:, :, None] * np.array([300, 301, 302])
    data = image_bytes(Raster.from_array(ramp.astype(np.uint16)))
    assert len(data) < 1000


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_deep_png_with_any_samples(seed, channels, height, width):
    rng = np.random.default_rng(seed)
    array = rng.choice([0, 1, 255, 256, 32768, 65535], (height, width, channels)).astype(np.uint16)
    np.testing.assert_array_equal(
        read(png16.write(Raster.from_array(array))).to_array(), array[:, :, 0] if channels == 1 else array
    )


def test_pillow_reads_our_deep_png():
    image = Image.open(io.BytesIO(image_bytes(Raster.from_array(picture(3, np.uint16)))))
    np.testing.assert_array_equal(np.asarray(image), picture(3, np.uint16) >> 8)


def test_unknown_format():
    with pytest.raises(UsageError, match="jpg"):
        image_bytes(Raster.from_array(picture(1)), "jpg")  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------------- Pillow's modes


@pytest.mark.parametrize(
    ("mode", "channels", "depth", "alpha"),
    [
        ("1", 1, 8, False),
        ("L", 1, 8, False),
        ("LA", 1, 8, True),
        ("P", 3, 8, False),
        ("PA", 3, 8, True),
        ("RGB", 3, 8, False),
        ("RGBA", 3, 8, True),
        ("I;16", 1, 16, False),
        ("I;16B", 1, 16, False),
    ],
)
def test_modes(mode, channels, depth, alpha):
    raster = raster_from_pil(Image.new(mode, (4, 3)))
    assert (raster.width, raster.height, raster.channels, raster.depth) == (4, 3, channels, depth)
    assert (raster.alpha is not None) == alpha


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "HSV", "F", "I", "La", "RGBa", "RGBX"])
def test_modes_without_a_counterpart(mode):
    with pytest.raises(ImageReadError, match=mode):
        raster_from_pil(Image.new(mode, (4, 3)))


@pytest.mark.parametrize(("mode", "key"), [("1", 0), ("L", 0), ("P", 0), ("RGB", (0, 0, 0)), ("I;16", 0)])
def test_transparent_colour_becomes_alpha(mode, key):
    image = Image.new(mode, (2, 1))
    image.putpixel((1, 0), (9, 9, 9) if mode == "RGB" else 1)
    raster = read(pillow_bytes(image, transparency=key))
    assert raster.alpha is not None
    assert raster.alpha.tolist() == [[0, raster.peak]]


def test_transparent_colour_in_deep_png():
    array = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint16)
    data = image_bytes(Raster.from_array(array))
    payload = b"tRNS" + struct.pack(">HHH", 1, 2, 3)
    chunk = struct.pack(">I", 6) + payload + struct.pack(">I", zlib.crc32(payload))
    alpha = read(data[:33] + chunk + data[33:]).alpha
    assert alpha is not None
    assert alpha.tolist() == [[0, 65535]]


@pytest.mark.parametrize(("channels", "dtype", "mode"), [(1, np.uint8, "L"), (2, np.uint8, "LA"), (3, np.uint8, "RGB"),
                                                         (4, np.uint8, "RGBA"), (1, np.uint16, "I;16")])  # fmt: skip
def test_to_pillow_and_back(channels, dtype, mode):
    plain = Raster.from_array(picture(channels, dtype))
    raster = Raster(plain.samples, plain.alpha, METADATA)
    image = raster_to_pil(raster)
    assert image.mode == mode
    back = raster_from_pil(image)
    np.testing.assert_array_equal(back.to_array(), raster.to_array())
    assert back.metadata == METADATA


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_pillow_has_no_deep_colour(channels):
    with pytest.raises(UsageError, match="16-bit"):
        raster_to_pil(Raster.from_array(picture(channels, np.uint16)))


def test_metadata_of_a_jpeg():
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: kept as a tag, and the pixels stay as they are
    data = pillow_bytes(Image.new("RGB", (20, 10)), "JPEG", icc_profile=b"icc!", exif=exif, xmp=b"<x/>")
    raster = read(data)
    assert (raster.width, raster.height) == (20, 10)
    assert raster.metadata["icc"] == b"icc!"
    assert raster.metadata["xmp"] == b"<x/>"
    assert raster_to_pil(raster).getexif()[0x0112] == 6


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
@pytest.mark.parametrize("dpi", [(300, 300), (72, 72), (96, 192)])
def test_pixels_an_inch_are_kept(format, mode, dpi):
    """Whatever unit a kind of file counts in."""
    if mode == "I;16" and format in ("JPEG", "BMP"):
        return
    raster = read(pillow_bytes(Image.new(mode, (20, 10)), format, dpi=dpi))
    assert set(raster.metadata) == {"exif"}
    assert raster_to_pil(raster).info["dpi"] == pytest.approx(dpi, abs=0.02)
    png = image_bytes(raster)
    assert Image.open(io.BytesIO(png)).info["dpi"] == pytest.approx(dpi, abs=0.02)
    assert read(png).metadata == raster.metadata


def test_pixels_an_inch_of_deep_colour():
    plain = image_bytes(Raster.from_array(picture(3, np.uint16)))
    payload = b"pHYs" + struct.pack(">IIB", 11811, 3780, 1)
    raster = read(plain[:33] + struct.pack(">I", 9) + payload + struct.pack(">I", zlib.crc32(payload)) + plain[33:])
    assert payload in image_bytes(raster)


def test_pixels_an_inch_beside_exif():
    """A camera's EXIF is kept as it is, with an entry more; what it says of the resolution itself counts."""
    tags = Image.Exif()
    tags[0x010F], tags[0x0112] = "a camera", 6
    raster = read(pillow_bytes(Image.new("RGB", (20, 10)), "JPEG", exif=tags, dpi=(300, 300)))
    found = raster_to_pil(raster)
    assert (found.info["dpi"], found.getexif()[0x010F], found.getexif()[0x0112]) == ((300, 300), "a camera", 6)
    tags[0x011A] = tags[0x011B] = 180.0
    raster = read(pillow_bytes(Image.new("RGB", (20, 10)), "JPEG", exif=tags, dpi=(300, 300)))
    assert raster.metadata["exif"] == tags.tobytes().removeprefix(b"Exif\0\0")
    assert raster_to_pil(raster).info["dpi"] == (180, 180)


def test_pixels_an_inch_that_nobody_told():
    """Pillow says 72 for a JPEG with EXIF and without any."""
    tags = Image.Exif()
    tags[0x0112] = 6
    data = pillow_bytes(Image.new("RGB", (20, 10)), "JPEG", exif=tags)
    assert Image.open(io.BytesIO(data)).info["dpi"] == (72, 72)
    assert read(data).metadata["exif"] == tags.tobytes().removeprefix(b"Exif\0\0")
    assert "dpi" not in raster_to_pil(read(data)).info
    assert read(pillow_bytes(Image.new("RGB", (20, 10)), "JPEG")).metadata == {}


@pytest.mark.parametrize("dpi", [(0, 0), (300,), 300, ("a", "b"), (float("nan"), 300), (300, float("inf")), None,
                                 (10**400, 300), (1e9, 1e9)])  # fmt: skip
def test_pixels_an_inch_that_make_no_sense(dpi):
    image = Image.new("L", (4, 3))
    image.info["dpi"] = dpi
    assert raster_from_pil(image).metadata == {}


@pytest.mark.parametrize("format", ["ppm", "npy"])
def test_pictures_are_turned_where_exif_has_no_place(format):
    tags = Image.Exif()
    tags[0x0112] = 6
    plain = Raster.from_array(picture(3))
    raster = Raster(plain.samples, None, {"exif": tags.tobytes()})
    np.testing.assert_array_equal(read(image_bytes(raster, format)).samples, np.rot90(picture(3), -1))
    assert is_turned(raster, format)
    assert not is_turned(plain, format)
    np.testing.assert_array_equal(read(image_bytes(raster, "png")).samples, picture(3))
    assert not is_turned(raster, "png")


# -------------------------------------------------------------------------------------------------------- bad inputs


def test_paths(tmp_path):
    (tmp_path / "ä 图.png").write_bytes(image_bytes(Raster.from_array(picture(3))))
    assert read_image(tmp_path / "ä 图.png").channels == 3
    for bad in (tmp_path, tmp_path / "missing.png", "a\0b"):
        for function in (read_image, read_bytes):
            with pytest.raises(ImageReadError) as caught:
                function(bad)
            assert "\n" not in str(caught.value)


class Endless(io.RawIOBase):
    """A start, then zeros for ever; counts what is read of it."""

    def __init__(self, start: bytes = b"") -> None:
        self.start, self.n_read = start, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.start[self.n_read :][: len(buffer)]
        buffer[:] = data + bytes(len(buffer) - len(data))
        self.n_read += len(buffer)
        return len(buffer)


def test_input_without_an_end_is_refused_by_its_start():
    stream = Endless()
    with pytest.raises(ImageReadError, match="not an image that can be read"):
        read_image(stream)
    assert stream.n_read == 64
    with pytest.raises(LimitError):
        read_bytes(Endless(), Limits(max_file_bytes=10**6))
    with pytest.raises(LimitError) as refusal:
        read_bytes(Endless(), Limits(max_memory_bytes=10**6))
    assert refusal.value.code == "limit.memory_bytes"


def test_input_without_an_end_but_with_a_start_is_refused_by_its_length():
    stream = Endless(image_bytes(Raster.from_array(picture(3))))
    with pytest.raises(LimitError) as refusal:
        read_image(stream, Limits(max_file_bytes=10**6))
    assert refusal.value.code == "limit.file_bytes"
    assert stream.n_read < 3 * 10**6


def test_input_that_does_not_fit_in_memory():
    class Huge(io.RawIOBase):
        def read(self, size=-1):
            raise MemoryError

    with pytest.raises(LimitError, match="does not fit in memory"):
        read_bytes(Huge())


def test_a_long_file_is_in_memory_once(tmp_path):
    tracemalloc = pytest.importorskip("tracemalloc")
    path = tmp_path / "a"
    path.write_bytes(bytes(40 << 20))
    tracemalloc.start()
    try:
        data = read_bytes(path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(data) == 40 << 20
    assert peak_bytes < 50 << 20


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
def test_a_pipe_that_does_not_block_is_read_to_its_end():
    data = image_bytes(Raster.from_array(picture(3)))
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def write():
        for part in (data[:10], data[10:99], data[99:]):
            time.sleep(0.02)
            os.write(writer, part)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reader, "rb") as stream:
        assert read_bytes(stream) == data
    thread.join()


NOT_IMAGES = [
    b"",
    b"text",
    b"GIF89a",
    b"\x93NUMPY",
    b"\x93NUMPY\1\0\xff\xff{",
    b"\x89PNG\r\n\x1a\n",
    b"P5 0 1 65535\n",
    b"P6 2 2 65535\nxx",
    b"P6 1 1 1023\nxxxxxx",
]


@pytest.mark.parametrize("data", NOT_IMAGES)
def test_not_an_image(data):
    with pytest.raises(ImageReadError):
        read(data)


@pytest.mark.parametrize(
    "array",
    [
        np.full((2, 2), -0.5, np.float32),
        np.full((2, 2), np.nan, np.float32),
        np.zeros((2, 2), np.int8),
        np.zeros((2, 2, 5), np.uint8),
        np.zeros((0, 2), np.uint8),
        np.zeros(4, np.uint8),
        np.array([[None]]),
        np.zeros((2, 2), [("a", np.uint8)]),
    ],
)
def test_npy_that_is_no_image(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    with pytest.raises(ImageReadError):
        read(buffer.getvalue())


@pytest.mark.parametrize(
    ("array", "samples"),
    [(np.array([[True, False]]), [[255, 0]]), (np.array([[0.0, 1.0]], ">f8"), [[0, 255]])],
)
def test_npy_of_other_types(array, samples):
    buffer = io.BytesIO()
    np.save(buffer, array)
    assert read(buffer.getvalue()).to_array().tolist() == samples


@pytest.mark.parametrize("array", [picture(3, np.uint16).astype(">u2"), np.asfortranarray(picture(3))])
def test_npy_in_other_orders(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    np.testing.assert_array_equal(read(buffer.getvalue()).to_array(), array)
    with pytest.raises(ImageReadError, match="truncated"):
        read(buffer.getvalue()[:-1])


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP", "AVIF"])
def test_frames_and_pages(format):
    if format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow does not have AVIF")
    frames = [Image.new("RGB", (40, 30), (value, 99, 20)) for value in (0, 90, 180)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = pillow_bytes(frames[0], format, save_all=True, append_images=frames[1:], **options)
    with pytest.raises(ImageReadError, match="an animation or has several pages; name one") as refusal:
        read(data)
    assert refusal.value.code == "image.pages"
    for n, value in enumerate((0, 90, 180)):
        samples = raster_from_bytes(data, how=Reading(n)).samples
        assert samples.shape == (30, 40, 3)
        assert abs(int(samples[5, 5, 0]) - value) <= (4 if format == "AVIF" else 0)
    with pytest.raises(ImageReadError, match="it has no frame or page 3; they are counted from 0") as refusal:
        raster_from_bytes(data, how=Reading(3))
    assert refusal.value.code == "image.pages"


def test_pages_of_other_sizes_and_depths():
    pages = [Image.new("L", (4, 3), 7), Image.new("RGB", (9, 8), (1, 2, 3)), Image.new("I;16", (2, 1), 999)]
    data = pillow_bytes(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    found = [raster_from_bytes(data, how=Reading(n)) for n in range(3)]
    assert [(each.width, each.height, each.channels, each.depth) for each in found] == [
        (4, 3, 1, 8), (9, 8, 3, 8), (2, 1, 1, 16),
    ]  # fmt: skip
    assert found[2].samples.max() == 999
    with pytest.raises(LimitError):
        raster_from_bytes(data, Limits(max_pixels=71), how=Reading(1))
    assert raster_from_bytes(data, Limits(max_pixels=71), how=Reading(2)).n_pixels == 2


@pytest.mark.parametrize("format", ["png", "npy", "ppm"])
def test_a_still_picture_has_frame_0(format):
    data = image_bytes(Raster.from_array(picture(3, np.uint16)), format)
    assert raster_from_bytes(data, how=Reading(0)).n_pixels == 13 * 17
    with pytest.raises(ImageReadError, match="frame"):
        raster_from_bytes(data, how=Reading(1))


def test_further_pictures_in_a_jpeg_need_no_choice():
    """They are previews, as cameras add them."""
    images = [Image.fromarray(picture(3)), Image.fromarray(255 - picture(3))]
    data = pillow_bytes(images[0], "MPO", save_all=True, append_images=images[1:])
    first, second = read(data).samples, raster_from_bytes(data, how=Reading(1)).samples
    assert abs(first.mean() - picture(3).mean()) < 5
    assert abs(second.mean() - (255 - picture(3)).mean()) < 5


def test_interlaced_deep_png_is_read_or_refused():
    data = bytearray(image_bytes(Raster.from_array(picture(3, np.uint16))))
    data[28] = 1  # claims Adam7 although the rows are not
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(ImageReadError):
        read(bytes(data))


@pytest.mark.parametrize("kind", ["png", "png16", "ppm16", "npy"])
def test_limits_are_checked(kind):
    dtype = np.uint16 if kind.endswith("16") else np.uint8
    data = image_bytes(Raster.from_array(picture(3, dtype)), kind.removesuffix("16"))
    assert read(data, max_dimension=17, max_pixels=221).n_pixels == 221
    for limits in ({"max_dimension": 16}, {"max_pixels": 220}, {"max_file_bytes": len(data) - 1}):
        with pytest.raises(LimitError):
            read(data, **limits)


def test_geometry_is_checked_before_pixels_are_decoded():
    header = b"IHDR" + struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    data = png16.SIGNATURE + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + b"\0\0\0\0IDAT"
    with pytest.raises(LimitError):
        read(data + struct.pack(">I", zlib.crc32(b"IDAT")))


def test_too_much_metadata():
    raster = Raster(picture(1), None, {"exif": bytes(1000)})
    with pytest.raises(LimitError, match="metadata"):
        read(image_bytes(raster), max_metadata_bytes=999)


def assert_damage_is_noticed_or_harmless(data):
    cut = [data[:length] for length in range(0, len(data), 7)]
    changed = [data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :] for at in range(0, len(data), 5)]
    for damaged in cut + changed:
        message = ""
        try:
            read(damaged)
        except NfcError as error:
            message = str(error)
        assert "\n" not in message


@pytest.mark.parametrize(("format", "dtype"), [("png", np.uint8), ("png", np.uint16), ("ppm", np.uint16),
                                               ("npy", np.uint8)])  # fmt: skip
def test_damaged_files_end_in_our_errors(format, dtype):
    assert_damage_is_noticed_or_harmless(image_bytes(Raster.from_array(picture(3, dtype)), format))


@pytest.mark.parametrize("format", ["JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_damaged_files_of_other_formats(format):
    assert_damage_is_noticed_or_harmless(pillow_bytes(Image.fromarray(picture(3)), format))
