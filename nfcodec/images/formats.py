"""Which kinds of image files are read, and what their headers say before any code for that kind sees them.

Pillow knows many more kinds. Among them are some that start other programs (EPS), hold other files (ICO, PSD) or do
their work before their size can be checked (FITS). So a file is only ever opened as the kind that its first bytes show,
and only if that is a kind of still picture that people have.
"""

from __future__ import annotations

import importlib
import io
import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nfcodec.errors import ImageReadError, LimitError
from nfcodec.limits import Limits

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

PNG, JPEG, WEBP, AVIF, JPEG_2000, TIFF, GIF, BMP, PNM, QOI, TGA = (
    "PNG", "JPEG", "WEBP", "AVIF", "JPEG2000", "TIFF", "GIF", "BMP", "PPM", "QOI", "TGA",
)  # fmt: skip
"""As Pillow calls them."""

READ = {
    PNG: (rb"\x89PNG\r\n\x1a\n", "PngImagePlugin"),
    JPEG: (rb"\xff\xd8\xff", "JpegImagePlugin"),
    WEBP: (rb"RIFF....WEBP", "WebPImagePlugin"),
    AVIF: (rb"....ftyp(avif|avis|mif1|msf1)", "AvifImagePlugin"),
    JPEG_2000: (rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n", "Jpeg2KImagePlugin"),
    TIFF: (rb"II[*+]\0|MM\0[*+]", "TiffImagePlugin"),
    GIF: (rb"GIF8[79]a", "GifImagePlugin"),
    BMP: (rb"BM", "BmpImagePlugin"),
    PNM: (rb"P[1-6]\s", "PpmImagePlugin"),
    QOI: (rb"qoif", "QoiImagePlugin"),
    TGA: (rb".[\0\x01][\x01-\x03\x09-\x0b].{13}[\x01\x08\x0f\x10\x18\x20]", "TgaImagePlugin"),  # it has no signature
}
"""The kinds that are read: how they begin, as patterns, and the module of Pillow for them."""

NAMES = "PNG, JPEG, WebP, AVIF, JPEG 2000, TIFF, GIF, BMP, PNM, QOI, TGA and .npy"

REFUSED = {
    rb"\x8bNFC": "is an .nfc file already; decode it",
    rb"%!PS|\xc5\xd0\xd3\xc6": "is EPS or PostScript, a program that draws a picture",
    rb"%PDF": "is a PDF document",
    rb"SIMPLE  =": "is FITS",
    rb"\0\0[\x01\x02]\0(?!\0\0)": "is an icon or a cursor for Windows (ICO, CUR)",
    rb"icns": "is an icon for macOS (ICNS)",
    rb"8BPS": "is a Photoshop document (PSD)",
    rb"\xff\n|\0\0\0\x0cJXL ": "is JPEG XL",
    rb"....ftyp(hei|hev|crx)": "is HEIC or another kind of HEIF",
    rb"\s*<(\?xml|svg|!DOCTYPE)": "is SVG or another kind of XML",
    rb"DDS ": "is a texture (DDS)",
    rb"v/1\x01": "is OpenEXR",
    rb"#\?RADIANCE|#\?RGBE": "is Radiance HDR",
    rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF": "is a Windows metafile (WMF, EMF)",
    rb"\x01\xda": "is SGI",
    rb"\n[\0-\x05]\x01[\x01-\x08]": "is PCX",
    rb"gimp xcf": "is a GIMP document (XCF)",
    rb"P[Ff]\s": "is a PFM of floating-point numbers",
}
"""How files begin that are recognized and not read, and what to say of them."""

MAX_SCANS = 100
"""Of a progressive JPEG: each may pass over all pixels, and a few bytes suffice for one. Usual are about ten."""

_STILL_FORMATS = {"MPO"}  # whose further frames are previews, not an animation

_JPEG_MARKER = re.compile(rb"\xff+([^\0\xff\xd0-\xd7])")
_STANDALONE, _START_OF_SCAN, _END = b"\x01\xd8", b"\xda", b"\xd9"


def kind_of(data: bytes) -> str:
    """The kind of an image file, one of `READ`. Raises ImageReadError, which says what other kind it is if known."""
    start = data[:64]
    for pattern, what in REFUSED.items():
        if re.match(pattern, start, re.DOTALL):
            raise ImageReadError(f"it {what}; the kinds that are read are {NAMES}", code="unknown")
    for kind, (pattern, _) in READ.items():
        if re.match(pattern, start, re.DOTALL):
            return kind
    raise ImageReadError("it is not an image that can be read", code="unknown")


def opened(data: bytes, kind: str) -> ImageFile:
    """Let Pillow read the header of a file as this kind alone, without warnings or limits of its own.

    Raises:
        ImageReadError: it is damaged. Other exceptions of Pillow come through.
    """
    from PIL import Image

    try:
        importlib.import_module(f"PIL.{READ[kind][1]}")
        factory, _ = Image.OPEN[kind]
    except (ImportError, KeyError) as error:
        raise ImageReadError(f"this version of Pillow does not read {kind}", code="unknown") from error
    try:
        return factory(io.BytesIO(data), "")
    except SyntaxError as error:  # is what Pillow raises where a file is not of the kind
        raise ImageReadError(f"it begins like {kind}, and is none: {error}", code="damaged") from error


def open_image(data: bytes, limits: Limits, frame: int | None = None) -> ImageFile:
    """Open an image file; of a still one no pixel is decoded.

    Args:
        frame: which one of an animation, or which page, counted from 0; None for the only one.

    Raises:
        ImageReadError: it is damaged, of a kind that is not read, has no such frame, or several and none is named.
        LimitError: the picture, or a part that it is decoded in, is over the limits.
    """
    kind = kind_of(data)
    for width, height in _announced_sizes(data, kind):
        limits.check_geometry(width, height)
    image = opened(data, kind)
    _check_sizes(image, kind, limits)
    if frame is None and getattr(image, "is_animated", False) and image.format not in _STILL_FORMATS:
        raise ImageReadError("it is an animation or has several pages; name one of them", code="pages")
    if frame:
        try:
            image.seek(frame)
        except EOFError as error:
            raise ImageReadError(f"it has no frame or page {frame}; they are counted from 0", code="pages") from error
        _check_sizes(image, kind, limits)
    if kind == JPEG and _n_scans(data) > MAX_SCANS:
        raise LimitError(f"scans of a JPEG: there are more than {MAX_SCANS}", code="scans")
    return image


def _check_sizes(image: ImageFile, kind: str, limits: Limits) -> None:
    limits.check_geometry(*image.size)
    if kind == TIFF:
        tile_sides = [getattr(image, "tag_v2", {}).get(tag, 1) for tag in (322, 323)]
        if all(isinstance(side, int) for side in tile_sides):
            limits.check_geometry(tile_sides[0], tile_sides[1])


def _announced_sizes(data: bytes, kind: str) -> Iterator[tuple[int, int]]:
    """Sizes for which memory would be allocated before Pillow says what the picture's size is, or beside it."""
    if kind == WEBP and len(data) >= 30:
        if data[12:16] == b"VP8X":
            yield 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        elif data[12:16] == b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            yield 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        else:
            width, height = struct.unpack("<HH", data[26:30])
            yield width & 0x3FFF, height & 0x3FFF
    if kind == JPEG_2000 and (at := data.find(b"\xff\x4f\xff\x51")) >= 0 and len(data) >= at + 40:
        right, bottom, left, top, tile_width, tile_height = struct.unpack(">6I", data[at + 8 : at + 32])
        width, height = right - left, bottom - top
        yield width, height
        yield min(width, tile_width), min(height, tile_height)


def _n_scans(data: bytes) -> int:
    """The scans of a JPEG up to its end, counted without decoding them."""
    n_scans, at = 0, 2
    while (marker := _JPEG_MARKER.search(data, at)) is not None and marker[1] != _END:
        n_scans += marker[1] == _START_OF_SCAN
        at = marker.end()
        if marker[1] not in _STANDALONE:
            at += int.from_bytes(data[at : at + 2], "big")
    return n_scans
