"""Which kinds of image files are written, what each can hold, and how."""

from __future__ import annotations

import contextlib
import importlib
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nfcodec.errors import UsageError
from nfcodec.images import exif, npy, png16, pnm, tiff
from nfcodec.images.formats import AVIF, JPEG, READ, WEBP
from nfcodec.images.sources import reason_of
from nfcodec.images.to_pillow import raster_to_pil
from nfcodec.raster import Raster

if TYPE_CHECKING:
    from PIL import Image

_STRIP_ROWS = 64
"""Of a strip that compressions are compared on."""

_FULL_COLOUR_QUALITY = 90
"""From which on colours keep the resolution of the picture in files with losses."""

_MAX_JFIF_DPI = 65_535


@dataclass(frozen=True)
class How:
    """Of writing.

    Attributes:
        quality: from 1 to 100, in files with losses; None for the kind's own.
        fast: compress an 8-bit PNG in less than half the time, to about the same size.
    """

    quality: int | None = None
    fast: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of image file.

    Attributes:
        name: as people call it.
        write: makes the bytes of a picture that the kind can hold.
        holds_16_bits, holds_alpha, holds_metadata: what its files can hold; metadata is ICC, EXIF and XMP.
        has_quality: whether they may lose something, and by how much can be said.
        max_side: pixels of a side.
    """

    name: str
    write: Callable[[Raster, How], bytes]
    holds_16_bits: bool = False
    holds_alpha: bool = True
    holds_metadata: bool = True
    has_quality: bool = False
    max_side: int | None = None


def image_bytes(raster: Raster, format: str = "png", *, fast: bool = False, quality: int | None = None) -> bytes:
    """Return `raster` as the bytes of an image file.

    Args:
        raster: the picture. Where the kind holds no metadata, the pixels are turned as EXIF says.
        format: one of `KINDS`.
        fast, quality: see `How`.

    Raises:
        UsageError: an unknown format, one that cannot hold the picture, or that has no quality.
    """
    kind = _kind(format)
    check(format, raster.depth, raster.alpha is not None, quality)
    if kind.max_side is not None and max(raster.width, raster.height) > kind.max_side:
        raise UsageError(
            f"{kind.name} holds pictures of up to {kind.max_side:,} pixels a side, and this one has {raster.width:,} x"
            f" {raster.height:,}; use png or tiff"
        )
    return kind.write(raster if kind.holds_metadata else exif.upright(raster), How(quality, fast))


def check(format: str, depth: int, has_alpha: bool, quality: int | None = None) -> None:
    """Raise UsageError where files of a format cannot hold such pictures, or have no quality that could be chosen."""
    kind = _kind(format)
    others = [name for name, each in KINDS.items() if _holds(each, depth, has_alpha)]
    if depth > 8 and not kind.holds_16_bits:
        raise UsageError(f"{kind.name} is written with 8 bits a sample, and this picture has {depth}; {_use(others)}")
    if has_alpha and not kind.holds_alpha:
        raise UsageError(f"{kind.name} cannot hold transparency; {_use(others)}")
    if quality is not None and not kind.has_quality:
        lossy = ", ".join(name for name, each in KINDS.items() if each.has_quality)
        raise UsageError(f"{kind.name} is written without loss, so it has no quality to choose; {lossy} have")


def parts_of_pillow() -> dict[str, bool]:
    """What this Pillow can do of what it may have been made without, by what that is for."""
    from PIL import features

    parts = {"JPEG": "jpg", "WebP": "webp", "AVIF": "avif", "JPEG 2000": "jpg_2000", "TIFF": "libtiff"}
    parts |= {"CMYK": "littlecms2"}
    there = features.get_supported()
    return {name: part in there for name, part in parts.items()}


def is_turned(raster: Raster, format: str) -> bool:
    """Whether `image_bytes` turns the pixels, as the format cannot hold the EXIF that says how they are to be seen."""
    return not _kind(format).holds_metadata and exif.orientation(raster.metadata.get("exif", b"")) != 1


def _kind(format: str) -> Kind:
    if format not in KINDS:
        raise UsageError(f"unknown image format {format!r}; there are: {', '.join(KINDS)}")
    return KINDS[format]


def _holds(kind: Kind, depth: int, has_alpha: bool) -> bool:
    return (kind.holds_16_bits or depth <= 8) and (kind.holds_alpha or not has_alpha)


def _use(names: list[str]) -> str:
    return f"use {', '.join(names[:-1])} or {names[-1]}"


def _png(raster: Raster, how: How) -> bytes:
    if raster.depth == 16:
        return png16.write(raster)
    from PIL.PngImagePlugin import PngInfo

    image, extra, options = raster_to_pil(raster), PngInfo(), dict[str, Any]()
    if how.fast:
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


def _jpeg(raster: Raster, how: How) -> bytes:
    options = _lossy(95 if how.quality is None else how.quality, "4:4:4", "4:2:0")
    dpi = exif.resolution(raster.metadata.get("exif", b""))
    if dpi is not None and max(dpi) <= _MAX_JFIF_DPI:
        options["dpi"] = dpi
    return _with_pillow(raster, JPEG, **options)


def _webp(raster: Raster, how: How) -> bytes:
    """Without loss unless a quality is asked for, down to the colours of transparent pixels."""
    lossless = how.quality is None
    return _with_pillow(raster, WEBP, lossless=lossless, exact=True, quality=80 if lossless else how.quality)


def _avif(raster: Raster, how: How) -> bytes:
    gray = "4:0:0" if raster.channels == 1 and raster.alpha is None else None
    quality = 90 if how.quality is None else how.quality
    return _with_pillow(raster, AVIF, **_lossy(quality, gray or "4:4:4", gray or "4:2:0"))


def _lossy(quality: int, full: str, less: str) -> dict[str, Any]:
    return {"quality": quality, "subsampling": full if quality >= _FULL_COLOUR_QUALITY else less}


def _with_pillow(raster: Raster, kind: str, **options: Any) -> bytes:
    """The bytes of a file as Pillow writes it, with all metadata. Raises UsageError where it cannot."""
    from PIL import Image

    image, buffer = raster_to_pil(raster), io.BytesIO()
    for key in ("exif", "xmp"):
        if key in image.info:
            options[key] = image.info[key]
    with contextlib.suppress(ImportError):  # an older Pillow
        importlib.import_module(f"PIL.{READ[kind][1]}")
    if kind not in Image.SAVE:
        raise UsageError(f"this installation of Pillow does not write {kind}; use another format")
    try:
        image.save(buffer, kind, icc_profile=raster.metadata.get("icc"), **options)
    except MemoryError:
        raise
    except Exception as error:
        held = ", ".join(f"{key} of {len(value):,} bytes" for key, value in raster.metadata.items())
        metadata = f" (its metadata: {held}; --strip leaves it out)" if held else ""
        raise UsageError(f"{kind} cannot hold this picture{metadata}: {reason_of(error)}") from error
    return buffer.getvalue()


KINDS = {
    "png": Kind("PNG", _png, holds_16_bits=True),
    "jpeg": Kind("JPEG", _jpeg, holds_alpha=False, has_quality=True, max_side=65_500),
    "webp": Kind("WebP", _webp, has_quality=True, max_side=16_383),
    "avif": Kind("AVIF", _avif, has_quality=True, max_side=65_535),
    "tiff": Kind("TIFF", lambda raster, how: tiff.write(raster), holds_16_bits=True),
    "ppm": Kind(
        "PPM", lambda raster, how: pnm.write(raster), holds_16_bits=True, holds_alpha=False, holds_metadata=False
    ),
    "npy": Kind("npy", lambda raster, how: npy.write(raster), holds_16_bits=True, holds_metadata=False),
}
"""By the name that `--format` takes; `nfcodec.images.names` has the suffixes of each."""
