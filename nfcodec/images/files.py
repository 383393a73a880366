"""Image files to rasters and back, and reading and writing files with one clear error for every failure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from nfcodec.errors import ImageReadError, LimitError, NfcError
from nfcodec.floats import silently
from nfcodec.images import exif, formats, inks, npy, png16, pnm, tiff
from nfcodec.images.atomic import check_writable, write_atomic
from nfcodec.images.outputs import image_bytes, is_turned
from nfcodec.images.sources import CheckStart, name_of, read_bytes, reason_of
from nfcodec.images.to_pillow import INFO_KEYS, raster_to_pil
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.raster import Raster

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "Reading",
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

_HINTS = {
    "CMYK": "convert it to RGB first, as with PIL.ImageCms through its profile",
    "YCbCr": "convert it to RGB first",
    "LAB": "convert it to RGB first",
    "HSV": "convert it to RGB first",
    "F": "scale it to 8 or 16 bits first",
    "I": "scale it to 8 or 16 bits first",
}


@dataclass(frozen=True)
class Reading:
    """Of an image file.

    Attributes:
        frame: which one of an animation, or which page, counted from 0; None for the only one.
        tell: called with a sentence, without a full stop, on what somebody may want to know of the picture.
    """

    frame: int | None = None
    tell: Callable[[str], object] = lambda text: None


PLAINLY = Reading()


def read_image(source: str | Path | BinaryIO, limits: Limits = DEFAULT_LIMITS, how: Reading = PLAINLY) -> Raster:
    """Read an image file: the kinds that `images.formats` lists, and NumPy's .npy.

    Palettes and bitmaps become gray or RGB, and CMYK becomes sRGB; an ICC profile, EXIF and XMP are kept, and pixels
    are not rotated. Pixels an inch that stand elsewhere in the file become part of EXIF, unless it says itself how many
    there are. Colour with more than 8 bits is read exactly or not at all, except in AVIF and JPEG 2000, where Pillow
    itself reduces it to 8 bits.

    Raises:
        ImageReadError: it cannot be read, is not an image, is damaged, in a colour model such as LAB, or has several
            frames or pages of which none is named.
        LimitError: the file or the picture is over the limits (checked before pixels are decoded).
    """
    name = name_of(source)
    return raster_from_bytes(read_bytes(source, limits, picture_start(name)), limits, name, how)


@silently
def raster_from_bytes(
    data: bytes, limits: Limits = DEFAULT_LIMITS, name: str = "the image", how: Reading = PLAINLY
) -> Raster:
    """Do what `read_image` does with the bytes of an image file; `name` stands in error messages."""
    with _reading(name):
        if data.startswith(npy.MAGIC) or pnm.is_deep(data):
            if how.frame:
                raise ImageReadError("it is a single picture, whose frame is 0", code="pages")
            return npy.read(data, limits) if data.startswith(npy.MAGIC) else pnm.read(data, limits)
        return _read_with_pillow(data, limits, how)


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
def raster_from_pil(
    image: Image.Image, limits: Limits = DEFAULT_LIMITS, info: Mapping[Any, Any] | None = None
) -> Raster:
    """Convert a Pillow image: 1, L, LA, P, PA, RGB, RGBA, I;16.

    Args:
        info: what metadata is taken from, with Pillow's keys; by default the image's own `info`.

    Raises:
        ImageReadError: the pixels cannot be decoded, or the mode has no exact counterpart.
        LimitError: the picture is over the limits (checked before pixels are decoded).
    """
    with _reading("the image"):
        limits.check_geometry(*image.size)
        return _raster(_pil_array(image), image.info if info is None else info, limits)


def _read_with_pillow(data: bytes, limits: Limits, how: Reading) -> Raster:
    image = formats.open_image(data, limits, how.frame)
    with image:
        if png16.is_deep_colour(data):
            if how.frame:
                raise ImageReadError("of an animation with 16 bits a sample only frame 0 is read", code="depth")
            return _raster(*png16.read(data), limits)
        if tiff.is_deep_colour(image):
            array = tiff.read(lambda: formats.open_image(data, limits, how.frame))
            image.load()  # which is when Pillow turns it and says so
            return _raster(array, _info(image), limits)
        if ";16" in repr(getattr(image, "tile", "")) and not image.mode.startswith("I"):
            raise ImageReadError(
                f"this kind of 16-bit colour in {image.format} is not supported; use PNG, PPM or .npy", code="depth"
            )
        if image.mode == inks.MODE:
            return _read_inks(image, limits, how.tell)
        array = _pil_array(image)
        return _raster(array, _info(image), limits)


def _read_inks(image: Image.Image, limits: Limits, tell: Callable[[str], object]) -> Raster:
    profile = image.info.get("icc_profile") or b""
    limits.check("metadata_bytes", len(profile))
    converted, how = inks.to_srgb(image, profile)
    tell(how)
    return _raster(np.asarray(converted), {**_info(image), "icc_profile": None}, limits)


def _info(image: Image.Image) -> dict[Any, Any]:
    """What Pillow tells of an image whose pixels are loaded; of a TIFF, too, what elsewhere is in EXIF."""
    if image.format != formats.TIFF:
        return image.info
    return {**image.info, "exif": tiff.exif_of(image), "dpi": None}  # as Pillow makes up one pixel an inch


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


def _raster(array: np.ndarray[Any, np.dtype[Any]], info: Mapping[Any, Any], limits: Limits) -> Raster:
    raster = Raster.from_array(array)
    return Raster(raster.samples, raster.alpha, _metadata(info, limits))


def _metadata(info: Mapping[Any, Any], limits: Limits) -> dict[str, bytes]:
    metadata: dict[str, bytes] = {}
    for key, info_key in INFO_KEYS.items():
        value = info.get(info_key)
        if isinstance(value, str):
            value = value.encode()
        if isinstance(value, bytes) and value:
            metadata[key] = value.removeprefix(exif.PREFIX) if key == "exif" else value
    if exif.resolution(metadata.get("exif", b"")) is None and (dpi := _dpi(info)):
        metadata["exif"] = exif.with_resolution(metadata.get("exif", b""), dpi)
    limits.check("metadata_bytes", sum(map(len, metadata.values())))
    return {key: value for key, value in metadata.items() if value}


def _dpi(info: Mapping[Any, Any]) -> exif.Resolution | None:
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
