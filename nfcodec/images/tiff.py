"""TIFF files of 8 or 16 bits a sample, with colour or without, with alpha or without, and with metadata.

EXIF is a TIFF file without a picture. So its own header and directory become those of the file that is written, which
keeps in place whatever a camera refers to. Pillow, which reads such files, has no image mode for 16-bit colour, and
compresses only those without EXIF. Reading lets it undo the compression: of every 16-bit sample its raw mode "RGB;16B"
keeps the first byte and "RGB;16L" the second, so two passes give both halves.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nfcodec.errors import UsageError
from nfcodec.images import directory, exif
from nfcodec.images.directory import BYTE, LONG, SHORT, UNDEFINED, Value
from nfcodec.images.formats import TIFF
from nfcodec.raster import Raster

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

XMP, ICC_PROFILE, EXIF_IFD, GPS_IFD = 700, 34675, 34665, 34853

ABOUT_THE_PICTURE = (
    270,  # description
    271,  # make of the camera
    272,  # model
    exif.ORIENTATION,
    exif.X_RESOLUTION,
    exif.Y_RESOLUTION,
    exif.RESOLUTION_UNIT,
    305,  # software
    306,  # date and time
    315,  # artist
    316,  # host computer
    18246,  # rating
    18249,  # rating in per cent
    33432,  # copyright
    EXIF_IFD,
    GPS_IFD,
    40091,  # title, comment, author, keywords and subject, as Windows has them
    40092,
    40093,
    40094,
    40095,
)
"""Tags that say something of a picture, and nothing of how its samples are stored."""

_STRIP_BYTES = 1 << 20
_DEFLATE, _HORIZONTAL, _CHUNKY, _UNASSOCIATED = 8, 2, 1, 2
_DEEP = [{f"{mode};16{order}"} for mode in ("RGB", "RGBA") for order in "LBN"]
_FIRST_BYTE, _SECOND_BYTE = ";16B", ";16L"


def write(raster: Raster) -> bytes:
    """Return `raster` as TIFF, compressed without loss, with its ICC profile, EXIF and XMP.

    Raises:
        UsageError: the file would be larger than 4 GiB.
    """
    try:
        return _write(raster)
    except struct.error as error:
        raise UsageError("a TIFF file cannot be larger than 4 GiB; use png or npy") from error


def _write(raster: Raster) -> bytes:
    start, order, entries = _start(raster.metadata.get("exif", b""))
    array = raster.to_array().reshape(raster.height, raster.width, -1)
    rows_per_strip = max(1, _STRIP_BYTES // (array[0].size * array.itemsize))
    data, places, sizes = bytearray(start), list[int](), list[int]()
    for strip in _strips(array, rows_per_strip, order):
        places.append(len(data))
        sizes.append(len(strip))
        data += strip

    def numbers(kind: int, *values: int) -> Value:
        return kind, len(values), struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values)

    values: dict[int, Value] = {
        256: numbers(LONG, raster.width),
        257: numbers(LONG, raster.height),
        258: numbers(SHORT, *(raster.depth,) * array.shape[2]),
        259: numbers(SHORT, _DEFLATE),
        262: numbers(SHORT, 1 if raster.channels == 1 else 2),
        273: numbers(LONG, *places),
        277: numbers(SHORT, array.shape[2]),
        278: numbers(LONG, rows_per_strip),
        279: numbers(LONG, *sizes),
        284: numbers(SHORT, _CHUNKY),
        317: numbers(SHORT, _HORIZONTAL),
    }
    if raster.alpha is not None:
        values[338] = numbers(SHORT, _UNASSOCIATED)
    for key, tag, kind in (("xmp", XMP, BYTE), ("icc", ICC_PROFILE, UNDEFINED)):
        if blob := raster.metadata.get(key):
            values[tag] = kind, len(blob), blob
    return directory.with_first(data, order, entries, values)


def _start(blob: bytes) -> tuple[bytes, str, dict[int, directory.Entry]]:
    """What a file with this EXIF begins with, the order of its bytes, and the entries that are taken over."""
    blob = blob.removeprefix(exif.PREFIX)
    try:
        found = directory.first(blob)
    except struct.error:  # none, or damaged
        return directory.EMPTY[: directory.HEADER_BYTES], "<", {}
    return blob, found.order, {tag: entry for tag, entry in found.entries.items() if tag in ABOUT_THE_PICTURE}


def _strips(array: npt.NDArray[Any], n_rows: int, order: str) -> Iterator[bytes]:
    """Rows of samples, each as its difference to the sample before it in the row, compressed."""
    for top in range(0, len(array), n_rows):
        rows = array[top : top + n_rows]
        differences = np.diff(rows, axis=1, prepend=np.zeros_like(rows[:, :1]))
        yield zlib.compress(differences.astype(f"{order}u{array.itemsize}").tobytes(), 6)


def is_deep_colour(image: ImageFile) -> bool:
    """Whether an opened TIFF has 16-bit colour of a kind that `read` knows: RGB, with alpha or without."""
    return image.format == TIFF and _raw_modes(image) in _DEEP


def read(opened: Callable[[], ImageFile]) -> npt.NDArray[np.uint16]:
    """Return the samples (H, W, 3 or 4) of 16-bit colour, any alpha last, turned as the orientation says.

    Pillow's exceptions for damaged files come through.

    Args:
        opened: opens the file anew, up to the picture that is meant.
    """
    halves: list[npt.NDArray[np.uint16]] = []
    is_little = False
    for keeps in (_FIRST_BYTE, _SECOND_BYTE):
        image = opened()
        with image:
            mode, order = _raw_modes(image).pop().split(";16")
            is_little = order == "L" or (order == "N" and sys.byteorder == "little")
            image.tile = [tile._replace(args=(mode + keeps, *tile.args[1:])) for tile in image.tile]  # pyright: ignore
            halves.append(np.asarray(image).astype(np.uint16))
    first, second = halves
    return 256 * second + first if is_little else 256 * first + second


def exif_of(image: Image.Image) -> bytes:
    """What a TIFF says of its picture, as EXIF, once its pixels are loaded; what is damaged counts as not said.

    Of how its samples are stored nothing is taken over.
    """
    from PIL import Image

    kept = Image.Exif()
    try:
        found = image.getexif()
        for tag in ABOUT_THE_PICTURE:
            if tag in (EXIF_IFD, GPS_IFD):
                if inner := found.get_ifd(tag):
                    kept.get_ifd(tag).update(inner)
            elif tag in found:
                kept[tag] = found[tag]
        blob = kept.tobytes().removeprefix(exif.PREFIX)
        return blob if directory.first(blob).entries else b""
    except Exception:  # whatever Pillow raises for entries that make no sense
        return b""


def _raw_modes(image: ImageFile) -> set[str]:
    """How Pillow would read each part of an opened TIFF."""
    return {tile.args[0] if isinstance(tile.args, tuple) else str(tile.args) for tile in image.tile}
