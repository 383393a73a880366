from __future__ import annotations

import io
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, features

from nfcodec.errors import ImageReadError, LimitError
from nfcodec.images import formats
from nfcodec.images.files import image_bytes, raster_from_bytes, read_image
from nfcodec.limits import Limits
from nfcodec.raster import Raster

PICTURE = np.random.default_rng(0).integers(0, 256, (13, 17, 3), np.uint8)


def read(data, **limits):
    return read_image(io.BytesIO(data), Limits(**limits))


def pillow_bytes(format, image=None, **options):
    buffer = io.BytesIO()
    (Image.fromarray(PICTURE) if image is None else image).save(buffer, format, **options)
    return buffer.getvalue()


WAYS = {
    "PNG": {}, "JPEG": {}, "TIFF": {}, "GIF": {}, "BMP": {}, "PPM": {}, "QOI": {}, "TGA": {},
    "WEBP": {"lossless": True}, "AVIF": {}, "JPEG2000": {},
}  # fmt: skip


def test_every_kind_is_tried():
    assert set(WAYS) == set(formats.READ)


@pytest.mark.parametrize("format", WAYS)
def test_what_is_read(format):
    needed = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}.get(format)
    if needed and not features.check(needed):
        pytest.skip(f"this Pillow does not have {needed}")
    try:
        data = pillow_bytes(format, **WAYS[format])
    except (KeyError, OSError):
        pytest.skip(f"this Pillow does not write {format}")
    raster = read(data)
    assert raster.samples.shape == PICTURE.shape
    if format not in ("JPEG", "AVIF", "GIF"):
        assert np.array_equal(raster.samples, PICTURE)
    with pytest.raises(LimitError, match="pixels"):
        read(data, max_pixels=220)


@pytest.mark.parametrize("options", [{}, {"compression": "tga_rle"}])
def test_kinds_of_tga(options):
    for mode in ("L", "P", "RGB", "RGBA"):
        image = Image.fromarray(PICTURE).convert(mode)
        assert read(pillow_bytes("TGA", image, **options)).n_pixels == PICTURE.size // 3


REFUSED = {
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n",
    "FITS": b"SIMPLE  =                    T".ljust(80),
    "ICO": pillow_bytes("ICO", Image.new("RGB", (16, 16))),
    "PSD": b"8BPS\0\1" + bytes(40),
    "PDF": b"%PDF-1.7\n",
    "ICNS": b"icns\0\0\0\10",
    "JPEG XL": b"\xff\x0a" + bytes(30),
    "HEIC": b"\0\0\0\x18ftypheic" + bytes(20),
    "SVG": b"<?xml version='1.0'?><svg/>",
    "DDS": b"DDS |\0\0\0",
    "PCX": b"\n\5\1\x08" + bytes(130),
    "SGI": b"\x01\xda\1\1" + bytes(520),
    "EMF": b"\1\0\0\0" + bytes(36) + b" EMF",
    ".nfc file already": b"\x8bNFC\r\n\x1a\n\1",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named(name):
    with pytest.raises(ImageReadError, match=name) as caught:
        read(REFUSED[name])
    assert "PNG, JPEG" in str(caught.value)


def test_postscript_starts_no_program(monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "check_call", lambda *arguments, **options: started.append(arguments))
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments, **options: started.append(arguments))
    with pytest.raises(ImageReadError):
        read(REFUSED["PostScript"])
    assert not started


def test_no_code_for_other_kinds_is_loaded():
    """It would be loaded, and asked, where Pillow itself looks for the kind of a file."""
    code = "import sys; from nfcodec.images.files import raster_from_bytes\n"
    code += "try: raster_from_bytes(b'no image' * 9)\nexcept Exception as error: print(type(error).__name__)\n"
    code += "print(sorted(name for name in sys.modules if name.startswith('PIL.') and 'Plugin' in name))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["ImageReadError", "[]"]


def fits_of(side: int) -> bytes:
    cards = [
        "SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0",
    ]  # fmt: skip
    table = [
        "XTENSION= 'BINTABLE'", "BITPIX  =                    8", "NAXIS   =                    2",
        "NAXIS1  =                    8", "NAXIS2  =                    1", "PCOUNT  =                    0",
        "GCOUNT  =                    1", "TFIELDS =                    1", "ZIMAGE  =                    T",
        "ZCMPTYPE= 'GZIP_1  '", "ZBITPIX =                    8", "ZNAXIS  =                    2",
        f"ZNAXIS1 = {side:20d}", f"ZNAXIS2 = {side:20d}",
    ]  # fmt: skip
    blocks = b"".join(
        "".join(card.ljust(80) for card in [*each, "END"]).encode().ljust(2880) for each in (cards, table)
    )
    return blocks + bytes(20)


def test_small_files_of_kinds_that_work_first_are_refused_at_once():
    big = pillow_bytes("PNG", Image.new("L", (17_000, 5_000)))
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(big), 22) + big
    for data in (fits_of(30_000), icon):
        started = time.process_time()
        with pytest.raises(ImageReadError):
            read(data)
        assert time.process_time() - started < 0.5


# ------------------------------------------------------------------------------------------ sizes beside the picture's


def webp_of(kind: bytes, payload: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(payload)) + payload
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (b"VP8X", bytes(4) + b"\xff\x3f\0" * 2),
        (b"VP8L", b"\x2f" + struct.pack("<I", 0x3FFF << 14 | 0x3FFF) + bytes(20)),
        (b"VP8 ", b"\x30\1\0\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(20)),
    ],
)
def test_webp_is_measured_before_memory_is_allocated(kind, payload, monkeypatch):
    monkeypatch.setattr(formats, "opened", lambda *arguments: pytest.fail("Pillow has seen the file"))
    with pytest.raises(LimitError, match="pixels"):
        raster_from_bytes(webp_of(kind, payload))


@pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow does not have JPEG 2000")
def test_the_codestream_of_a_jpeg_2000_is_measured():
    data = bytearray(pillow_bytes("JPEG2000"))
    at = data.find(b"\xff\x4f\xff\x51")
    assert data[:4] == b"\0\0\0\x0c"
    data[at + 8 : at + 16] = struct.pack(">II", 30_000, 30_000)
    with pytest.raises(LimitError, match="pixels"):
        read(bytes(data))


def test_tiles_of_a_tiff_are_measured():
    entries = [(256, 4, 16), (257, 4, 16), (258, 3, 8), (259, 3, 5), (262, 3, 1), (277, 3, 1),
               (322, 4, 30_000), (323, 4, 30_000), (324, 4, 200), (325, 4, 9)]  # fmt: skip
    ifd = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, kind, 1, value)
                                                     for tag, kind, value in entries)  # fmt: skip
    data = (b"II*\0" + struct.pack("<I", 8) + ifd + bytes(4)).ljust(200, b"\0") + b"\x80" * 9
    with pytest.raises(LimitError, match="pixels"):
        read(data)


def test_strips_of_a_tiff_may_say_more_rows_than_there_are():
    for compression in ("raw", "tiff_lzw"):
        data = pillow_bytes("TIFF", compression=compression, tiffinfo={278: 2**31 - 1})
        assert np.array_equal(read(data).samples, PICTURE)


def test_scans_of_a_jpeg_are_counted():
    data = pillow_bytes("JPEG", progressive=True)
    assert read(data).samples.shape == PICTURE.shape
    at = data.rindex(b"\xff\xda")  # the last scan, again and again
    with pytest.raises(LimitError, match="scans"):
        read(data[:-2] + data[at:-2] * formats.MAX_SCANS + data[-2:])
    thumbnails = b"\xff\xe4" + struct.pack(">H", 802) + b"\xff\xda" * 400
    assert read(data[:2] + thumbnails + data[2:]).samples.shape == PICTURE.shape


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt", b"iTXt"])
def test_png_chunks_that_inflate(kind):
    blob = zlib.compress(bytes(80 << 20), 9)
    head = b"XML:com.adobe.xmp\0\1\0\0\0" if kind == b"iTXt" else b"name\0\0"
    bomb = struct.pack(">I", len(head + blob)) + kind + head + blob
    bomb += struct.pack(">I", zlib.crc32(kind + head + blob))
    data = image_bytes(Raster.from_array(PICTURE))
    started = time.process_time()
    with pytest.raises((ImageReadError, LimitError)):
        read(data[:33] + bomb + data[33:])
    assert time.process_time() - started < 1


# --------------------------------------------------------------------------------------- the state of the process


def test_warnings_are_left_as_they_are():
    data, before = image_bytes(Raster.from_array(PICTURE)), list(warnings.filters)
    seen = []

    def read_and_look():
        for _ in range(30):
            raster_from_bytes(data)
            seen.append(list(warnings.filters) == before)

    threads = [threading.Thread(target=read_and_look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(seen)
    assert list(warnings.filters) == before


def test_more_pixels_than_pillow_allows_may_be_asked_for(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    for data in (image_bytes(Raster.from_array(PICTURE)), image_bytes(Raster.from_array(PICTURE.astype(np.uint16)))):
        assert read(data).n_pixels == 221


def test_headers_of_npy_that_take_long_are_refused_at_once():
    for header in (b"(" * 60_000, b"-" * 60_000 + b"1", b"{'descr': " + b"[" * 60_000):
        data = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header
        started = time.process_time()
        with pytest.raises(ImageReadError):
            read(data)
        assert time.process_time() - started < 1


def test_headers_of_pnm_that_take_long_are_refused_at_once():
    for header in (b"P5" + b" " * 5000, b"P5" + b"\n#" * 5000, b"P5 9 9 65535" + b"#" * 5000):
        started = time.process_time()
        with pytest.raises(ImageReadError):
            read(header)
        assert time.process_time() - started < 1
