"""PNG with 16-bit colour or 16-bit alpha, which Pillow has no image mode for.

Writing needs only zlib. Reading lets Pillow undo the compression and the row filters: of every big-endian 16-bit
sample its raw mode "RGB;16B" keeps the first byte and "RGB;16L" the second, so two passes give both halves.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.errors import ImageReadError
from nfcodec.images import exif
from nfcodec.images.formats import PNG, opened
from nfcodec.raster import Raster

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEYWORD = b"XML:com.adobe.xmp\0\0\0\0\0"  # keyword, no compression, no language, no translation

_GRAY, _RGB, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 4, 6
Bytes = npt.NDArray[np.uint8]


def is_deep_colour(data: bytes) -> bool:
    """Tell whether `data` starts like a PNG with 16-bit samples and colour or alpha."""
    return data[:8] == SIGNATURE and data[12:16] == b"IHDR" and data[24:25] == b"\x10" and data[25:26] in b"\2\4\6"


def read(data: bytes) -> tuple[npt.NDArray[np.uint16], dict[Any, Any]]:
    """Return the samples, (H, W, 2 to 4) with any alpha last, and Pillow's `info` with the metadata.

    Check the picture's sides against the limits first. Pillow's exceptions for damaged files come through.
    """
    color_type = data[25]
    if color_type == _GRAY_ALPHA:
        # two 16-bit samples lie in a row exactly as four 8-bit ones: only the header has to say so
        header = data[16:24] + bytes((8, _RGB_ALPHA)) + data[26:29]
        check = struct.pack(">I", zlib.crc32(b"IHDR" + header))
        image = opened(data[:16] + header + check + data[33:], PNG)
        with image:
            array = np.asarray(image)
            if array.ndim != 3 or array.shape[2] != 4:
                raise ImageReadError("the 16-bit PNG is not valid", code="damaged")
            return np.ascontiguousarray(array).view(">u2").astype(np.uint16), dict(image.info)
    rawmode = "RGB;16" if color_type == _RGB else "RGBA;16"
    halves: list[npt.NDArray[np.uint16]] = []
    info: dict[Any, Any] = {}
    for order in "BL":
        image = opened(data, PNG)
        with image:
            image.tile = [tile._replace(args=rawmode + order) for tile in image.tile]
            halves.append(np.asarray(image).astype(np.uint16))
            info = dict(image.info)
    samples = 256 * halves[0] + halves[1]
    key = info.get("transparency")
    if isinstance(key, tuple) and samples.shape[2] == 3:
        opaque = np.any(samples != np.array(key, np.uint16), axis=2, keepdims=True)
        samples = np.concatenate([samples, np.where(opaque, np.uint16(65535), np.uint16(0))], axis=2)
    return samples, info


def write(raster: Raster) -> bytes:
    """Return a 16-bit `raster` as PNG with its ICC profile, EXIF, pixels a metre and XMP."""
    array = raster.to_array()
    array = array.reshape(raster.height, raster.width, -1)
    color_type = (_GRAY, _GRAY_ALPHA, _RGB, _RGB_ALPHA)[array.shape[2] - 1]
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", raster.width, raster.height, 16, color_type, 0, 0, 0))]
    if dpi := exif.resolution(raster.metadata.get("exif", b"")):
        per_metre = [round(each / exif.INCHES_PER_METRE) for each in dpi]
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if icc := raster.metadata.get("icc"):
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc, 9)))
    if blob := raster.metadata.get("exif"):
        chunks.append((b"eXIf", blob.removeprefix(exif.PREFIX)))
    if xmp := raster.metadata.get("xmp"):
        chunks.append((b"iTXt", XMP_KEYWORD + xmp))
    rows = np.ascontiguousarray(array, dtype=">u2").view(np.uint8).reshape(raster.height, -1)
    pixels = zlib.compress(_filter_rows(rows, 2 * array.shape[2]).tobytes(), 6)
    chunks.extend((b"IDAT", pixels[start : start + 2**30]) for start in range(0, len(pixels), 2**30))
    chunks.append((b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, payload) for name, payload in chunks)


def _chunk(name: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def _filter_rows(rows: Bytes, pixel_bytes: int) -> Bytes:
    """Apply to each row the PNG filter whose residuals have the smallest sum of magnitudes."""
    left, up, up_left = np.zeros_like(rows), np.zeros_like(rows), np.zeros_like(rows)
    left[:, pixel_bytes:] = rows[:, :-pixel_bytes]
    up[1:] = rows[:-1]
    up_left[1:, pixel_bytes:] = rows[:-1, :-pixel_bytes]
    best = np.concatenate([np.zeros((len(rows), 1), np.uint8), rows], axis=1)
    best_cost = _cost(rows)
    for kind in range(1, 5):
        if kind == 1:
            predicted = left
        elif kind == 2:
            predicted = up
        elif kind == 3:
            predicted = ((left.astype(np.uint16) + up) >> 1).astype(np.uint8)
        else:
            predicted = _paeth(left, up, up_left)
        residuals = rows - predicted
        cost = _cost(residuals)
        better = cost < best_cost
        best[better, 0] = kind
        best[better, 1:] = residuals[better]
        best_cost = np.minimum(best_cost, cost)
    return best


def _cost(residuals: Bytes) -> npt.NDArray[np.int64]:
    return np.abs(residuals.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64)


def _paeth(left: Bytes, up: Bytes, up_left: Bytes) -> Bytes:
    a, b, c = left.astype(np.int16), up.astype(np.int16), up_left.astype(np.int16)
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    return np.where((to_a <= to_b) & (to_a <= to_c), left, np.where(to_b <= to_c, up, up_left))
