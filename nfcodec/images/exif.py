"""Two things that EXIF says of a picture: how it is to be turned, and how many pixels it has to the inch.

All else in it is carried along unread. EXIF is a TIFF file: a header, and a directory of entries. What is damaged
counts as not said.
"""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.images import directory
from nfcodec.images.directory import HEADER_BYTES, RATIONAL, SHORT, Entry
from nfcodec.raster import Raster

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128

INCHES_PER_METRE = 0.0254
MAX_DPI = INCHES_PER_METRE * 2**31
"""What a PNG can hold: it counts pixels a metre, in integers."""

PREFIX = b"Exif\0\0"
"""Of EXIF in a JPEG, and of Pillow's; a PNG does without."""

_INCH, _CENTIMETRE = 2, 3
_INCHES = {_INCH: 1.0, _CENTIMETRE: 2.54}
_MAX_DENOMINATOR, _MAX_NUMERATOR = 10_000, 2**32 - 1

_TURN_IN_XMP = re.compile(rb"(tiff:Orientation(?:=[\"']|>))[1-8]")

Resolution = tuple[float, float]
"""Pixels an inch, across and down."""


def orientation(exif: bytes) -> int:
    """How the picture is to be turned, 1 (not at all) .. 8, as EXIF counts; 1 where it does not say."""
    exif = exif.removeprefix(PREFIX)
    try:
        order, entries, *_ = directory.first(exif)
        kind, _, value = entries[ORIENTATION]
        found = struct.unpack_from(order + "H", value)[0] if kind == SHORT else 1
    except (struct.error, KeyError):
        return 1
    return found if 1 <= found <= 8 else 1


def upright(raster: Raster) -> Raster:
    """The picture as it is to be seen, turned as its EXIF says; its metadata says from then on that it is upright."""
    turn = orientation(raster.metadata.get("exif", b""))
    if turn == 1:
        return raster
    alpha = None if raster.alpha is None else _turned(raster.alpha, turn)
    metadata = {**raster.metadata, "exif": _said_upright(raster.metadata["exif"], turn)}
    if "xmp" in metadata:
        metadata["xmp"] = _TURN_IN_XMP.sub(rb"\g<1>1", metadata["xmp"])
    return Raster(_turned(raster.samples, turn), alpha, metadata)


def _said_upright(exif: bytes, turn: int) -> bytes:
    """The same EXIF, of which the orientation can be read, for the picture after it was turned."""
    exif = exif.removeprefix(PREFIX)
    found, changed = directory.first(exif), bytearray(exif)
    struct.pack_into(found.order + "H", changed, found.places[ORIENTATION], 1)
    dpi = resolution(exif)
    if turn >= 5 and dpi is not None and dpi[0] != dpi[1]:
        return with_resolution(bytes(changed), (dpi[1], dpi[0]))
    return bytes(changed)


def _turned(plane: npt.NDArray[Any], turn: int) -> npt.NDArray[Any]:
    """Samples (H, W, ..): 2, 3 and 4 mirror and rotate, 5 to 8 do the same after rows have become columns."""
    if turn >= 5:
        plane = np.swapaxes(plane, 0, 1)
    down = -1 if turn in (3, 4, 7, 8) else 1
    across = -1 if turn in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(plane[::down, ::across])


def resolution(exif: bytes) -> Resolution | None:
    """Pixels an inch; None where it does not say, or something that no PNG could hold."""
    exif = exif.removeprefix(PREFIX)
    try:
        order, entries, *_ = directory.first(exif)
        unit = _INCH
        if RESOLUTION_UNIT in entries:
            unit = struct.unpack_from(order + "H", entries[RESOLUTION_UNIT][2])[0]
        found = [_rational(exif, order, entries[tag]) * _INCHES[unit] for tag in (X_RESOLUTION, Y_RESOLUTION)]
    except (struct.error, KeyError, ZeroDivisionError):
        return None
    return (found[0], found[1]) if all(map(is_possible, found)) else None


def is_possible(dpi: float) -> bool:
    """Whether there can be so many pixels an inch; no infinity, and none that rounds to no pixel a metre."""
    return INCHES_PER_METRE <= dpi < MAX_DPI


def with_resolution(exif: bytes, dpi: Resolution) -> bytes:
    """The same EXIF, or a new one where it is empty, with these pixels an inch (each `is_possible`), without prefix.

    The directory is written anew behind all that is there, which keeps its place: of a camera's own data nobody knows
    what it refers to. One that is damaged is returned as it is.
    """
    exif = exif.removeprefix(PREFIX)
    try:
        order, entries, following, _ = directory.first(exif or directory.EMPTY)
    except struct.error:
        return exif
    across, down = (struct.pack(order + "II", *_fraction(each)) for each in dpi)
    values = {
        X_RESOLUTION: (RATIONAL, 1, across),
        Y_RESOLUTION: (RATIONAL, 1, down),
        RESOLUTION_UNIT: (SHORT, 1, struct.pack(order + "H", _INCH)),
    }
    return directory.with_first(exif or directory.EMPTY[:HEADER_BYTES], order, entries, values, following)


def _rational(exif: bytes, order: str, entry: Entry) -> float:
    kind, _, value = entry
    if kind != RATIONAL:
        raise struct.error("no rational number")
    numerator, denominator = struct.unpack_from(order + "II", exif, struct.unpack(order + "I", value)[0])
    return numerator / denominator


def _fraction(dpi: float) -> tuple[int, int]:
    """The numerator and the denominator of a number as two integers of 32 bits."""
    largest = max(1, min(_MAX_DENOMINATOR, int(_MAX_NUMERATOR / dpi)))
    return Fraction(dpi).limit_denominator(largest).as_integer_ratio()
