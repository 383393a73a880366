"""Image files to rasters and back, and reading and writing files with one clear error for every failure."""

from __future__ import annotations

import contextlib
import io
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from nfcodec.errors import ImageReadError, LimitError, NfcError, UsageError
from nfcodec.floats import silently
from nfcodec.images import exif, formats, npy, png16, pnm
from nfcodec.images.atomic import check_writable, write_atomic
from nfcodec.images.sources import CheckStart, name_of, read_bytes, reason_of
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.raster import Raster

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "ImageFormat",
    "check_writable",
    "image_bytes",
    "is_turned",
    "picture_start",
    "raster_from_bytes",
    "raster_from_pil",
    "raster_to_pil",
    "read_bytes",
    "read_image",
    "write_atomic",
]

ImageFormat = Literal["png", "ppm", "npy"]
_WITHOUT_METADATA = ("ppm", "npy")

_INFO_KEYS = {"icc": "icc_profile", "exif": "exif", "xmp": "xmp"}
_STILL_FORMATS = {"MPO"}  # whose further frames are previews, not an animation
_STRIP_ROWS = 64
"""Of a strip that compressions are compared on."""

_HINTS = {
    "CMYK": "convert it to RGB first",
    "YCbCr": "convert it to RGB first",
    "LAB": "convert it to RGB first",
    "HSV": "convert it to RGB first",
    "F": "scale it to 8 or 16 bits first",
    "I": "scale it to 8 or 16 bits first",
}


def read_image(source: str | Path | BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Raster:
    """Read an image file: the kinds that `images.formats` lists, and NumPy's .npy (uint8 or uint16).

    Palettes and bitmaps become gray or RGB; an ICC profile, EXIF and XMP are kept, and pixels are not rotated. Pixels
    an inch that stand elsewhere in the file become part of EXIF, unless it says itself how many there are.
    Colour with more than 8 bits is read exactly or not at all, except in AVIF and JPEG 2000, where Pillow itself
    reduces it to 8 bits.

    Raises:
        ImageReadError: it cannot be read, is not an image, is damaged, animated, or in a colour model such as CMYK.
        LimitError: the file or the picture is over the limits (checked before pixels are decoded).
    """
    name = name_of(source)
    return raster_from_bytes(read_bytes(source, limits, picture_start(name)), limits, name)


@silently
def raster_from_bytes(data: bytes, limits: Limits = DEFAULT_LIMITS, name: str = "the image") -> Raster:
    """Do what `read_image` does with the bytes of an image file; `name` stands in error messages."""
    with _reading(name):
        if data.startswith(npy.MAGIC):
            return npy.read(data, limits)
        if pnm.is_deep(data):
            return pnm.read(data, limits)
        return _read_with_pillow(data, limits)


def picture_start(name: str) -> CheckStart:
    """A check, for `read_bytes`, that a file begins like a picture of a format that can be read.

    It raises ImageReadError.
    """

    def check(head: bytes) -> None:
        with _reading(name):
            if not (head.startswith(npy.MAGIC) or pnm.is_deep(head)):
                formats.kind_of(head)

    return check


@silently
def raster_from_pil(image: Image.Image, limits: Limits = DEFAULT_LIMITS) -> Raster:
    """Convert a Pillow image: 1, L, LA, P, PA, RGB, RGBA, I;16.

    Raises:
        ImageReadError: the pixels cannot be decoded, or the mode has no exact counterpart.
        LimitError: the picture is over the limits (checked before pixels are decoded).
    """
    with _reading("the image"):
        limits.check_geometry(*image.size)
        return _raster(_pil_array(image), image.info, limits)


def raster_to_pil(raster: Raster) -> Image.Image:
    """Convert to a Pillow image: L, LA, RGB, RGBA, or I;16 for 16-bit gray.

    Metadata goes into `info`, and the pixels an inch that EXIF tells as "dpi", too.

    Raises:
        UsageError: 16-bit colour or 16-bit alpha, for which Pillow has no mode.
    """
    from PIL import Image

    if raster.depth == 16 and (raster.channels == 3 or raster.alpha is not None):
        raise UsageError(
            "Pillow has no mode for 16-bit colour or 16-bit alpha; nfcodec.decode_array gives an array, and the command"
            " `nfcodec decode` writes a PNG of 16 bits"
        )
    image = Image.fromarray(np.ascontiguousarray(raster.to_array()))
    for key, value in raster.metadata.items():
        image.info[_INFO_KEYS[key]] = exif.PREFIX + value.removeprefix(exif.PREFIX) if key == "exif" else value
    if dpi := exif.resolution(raster.metadata.get("exif", b"")):
        image.info["dpi"] = dpi
    return image


def image_bytes(raster: Raster, format: ImageFormat = "png", *, fast: bool = False) -> bytes:
    """Return `raster` as the bytes of an image file.

    Args:
        raster: the picture.
        format: "png" (8 or 16 bits, alpha, metadata kept), "ppm" (binary PGM or PPM, no alpha, no metadata) or
            "npy" (an array as `raster.to_array()`, no metadata). Without metadata the pixels are turned as EXIF says.
        fast: compress an 8-bit PNG in less than half the time, to about the same size.

    Raises:
        UsageError: an unknown format, or one that cannot hold the picture.
    """
    if format in _WITHOUT_METADATA:
        raster = exif.upright(raster)
    if format == "npy":
        return npy.write(raster)
    if format == "ppm":
        return pnm.write(raster)
    if format != "png":
        raise UsageError(f"unknown image format {format!r}: it is png, ppm or npy")
    if raster.depth == 16:
        return png16.write(raster)
    return _png_with_pillow(raster, fast=fast)


def is_turned(raster: Raster, format: ImageFormat) -> bool:
    """Whether `image_bytes` turns the pixels, as the format cannot hold the EXIF that says how they are to be seen."""
    return format in _WITHOUT_METADATA and exif.orientation(raster.metadata.get("exif", b"")) != 1


def _png_with_pillow(raster: Raster, *, fast: bool) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    image, extra, options = raster_to_pil(raster), PngInfo(), dict[str, Any]()
    if fast:
        options |= _fast_compression(image)
    for key in ("exif", "dpi"):
        if key in image.info:
            options[key] = image.info[key]
    if xmp := raster.metadata.get("xmp"):
        extra.add(b"iTXt", png16.XMP_KEYWORD + xmp)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=raster.metadata.get("icc"), pnginfo=extra, **options)
    return buffer.getvalue()


def _fast_compression(image: Image.Image) -> dict[str, Any]:
    """Options of Pillow's writer of PNG, by what a strip across a large picture is smaller with.

    Decoded photographs gain little from repetitions farther away than the pixel before, which take most of the time to
    find; drawings and text gain much.
    """
    searching, neighbours_only = {"compress_level": 3}, {"compress_level": 3, "compress_type": zlib.Z_RLE}
    if image.height < 16 * _STRIP_ROWS:
        return searching
    top = (image.height - _STRIP_ROWS) // 2
    strip = image.crop((0, top, image.width, top + _STRIP_ROWS))

    def size(options: dict[str, Any]) -> int:
        buffer = io.BytesIO()
        strip.save(buffer, "PNG", **options)
        return len(buffer.getvalue())

    return min(neighbours_only, searching, key=size)


def _read_with_pillow(data: bytes, limits: Limits) -> Raster:
    image = formats.open_image(data, limits)
    with image:
        if getattr(image, "is_animated", False) and image.format not in _STILL_FORMATS:
            raise ImageReadError("it is an animation or has several pages; extract one picture first", code="pages")
        if png16.is_deep_colour(data):
            return _raster(*png16.read(data), limits)
        if ";16" in repr(getattr(image, "tile", "")) and not image.mode.startswith("I"):
            raise ImageReadError(
                f"16-bit colour in {image.format} is not supported; use PNG, PPM or .npy", code="depth"
            )
        return _raster(_pil_array(image), image.info, limits)


def _pil_array(image: Image.Image) -> np.ndarray[Any, np.dtype[Any]]:
    mode, transparent = image.mode, "transparency" in image.info
    if mode.startswith("I;16"):
        samples = np.asarray(image).astype(np.uint16)
        if isinstance(key := image.info.get("transparency"), int):
            return np.stack([samples, np.where(samples == key, 0, 65535).astype(np.uint16)], axis=2)
        return samples
    if mode == "I" and image.format in ("PNG", "PPM"):
        wide = np.asarray(image)
        if wide.min() >= 0 and wide.max() <= 65535:
            return wide.astype(np.uint16)
    if mode in ("1", "L"):
        return np.asarray(image.convert("LA" if transparent else "L"))
    if mode == "P":
        return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    if mode == "RGB":
        return np.asarray(image.convert("RGBA") if transparent else image)
    if mode == "PA":
        return np.asarray(image.convert("RGBA"))
    if mode in ("LA", "RGBA"):
        return np.asarray(image)
    raise ImageReadError(
        f"the colour mode {mode} is not supported; {_HINTS.get(mode, 'convert it to RGB first')}", code="mode"
    )


def _raster(array: np.ndarray[Any, np.dtype[Any]], info: dict[Any, Any], limits: Limits) -> Raster:
    raster = Raster.from_array(array)
    return Raster(raster.samples, raster.alpha, _metadata(info, limits))


def _metadata(info: dict[Any, Any], limits: Limits) -> dict[str, bytes]:
    metadata: dict[str, bytes] = {}
    for key, info_key in _INFO_KEYS.items():
        value = info.get(info_key)
        if isinstance(value, str):
            value = value.encode()
        if isinstance(value, bytes) and value:
            metadata[key] = value.removeprefix(exif.PREFIX) if key == "exif" else value
    if exif.resolution(metadata.get("exif", b"")) is None and (dpi := _dpi(info)):
        metadata["exif"] = exif.with_resolution(metadata.get("exif", b""), dpi)
    limits.check("metadata_bytes", sum(map(len, metadata.values())))
    return {key: value for key, value in metadata.items() if value}


def _dpi(info: dict[Any, Any]) -> exif.Resolution | None:
    """Pixels an inch that an image file tells outside of EXIF; Pillow makes up 72 for a JPEG that tells none."""
    made_up = "exif" in info and info.get("dpi") == (72, 72) and info.get("jfif_unit") not in (1, 2)
    try:
        across, down = map(float, () if made_up else info["dpi"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return (across, down) if exif.is_possible(across) and exif.is_possible(down) else None


@contextlib.contextmanager
def _reading(name: str) -> Generator[None]:
    """Turn whatever a decoder raises for bad data into one ImageReadError or LimitError."""
    from PIL import Image

    try:
        yield
    except NfcError as error:
        if isinstance(error, ImageReadError):
            error.say(f"cannot read {name}: {error}")
        raise
    except Image.DecompressionBombError as error:
        raise LimitError(f"{name} is over Pillow's limit on pixels: {reason_of(error)}", code="pixels") from error
    except MemoryError as error:
        raise LimitError(f"{name} does not fit in memory", code="exhausted") from error
    except Exception as error:
        raise ImageReadError(f"cannot read {name}: {reason_of(error)}", code="damaged") from error
