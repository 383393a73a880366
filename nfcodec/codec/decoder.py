"""From bytes to samples, exactly, in integers; needs numpy and no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nfcodec.codec.document import METADATA_CHUNKS, Document, parse
from nfcodec.codec.reduction import Reduction
from nfcodec.codec.view import WHOLE, Reading, View
from nfcodec.coding.payload import decode_payload
from nfcodec.coding.planes import decode_planes
from nfcodec.coding.residuals import decode_residual
from nfcodec.errors import FormatError, LimitError
from nfcodec.exact.arithmetic import Quantized
from nfcodec.exact.field import Decodable
from nfcodec.exact.geometry import Geometry, Place
from nfcodec.floats import silently
from nfcodec.format import ALPHA, PLANES, RESIDUAL, WEIGHTS, unpack_metadata
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.raster import Raster, Samples
from nfcodec.transforms.orders import in_picture_order

if TYPE_CHECKING:
    from typing_extensions import Buffer


_STRIP_ROWS = 64
"""Of samples that are there already and are made smaller at a time."""


@silently
def decode(data: Buffer, limits: Limits = DEFAULT_LIMITS, view: View = WHOLE) -> Raster:
    """Decode a file.

    The samples are checked against the digest in the file, but for views that are not of the whole picture.

    Args:
        data: of a file; bytes, or anything that holds bytes, as a bytearray, a memoryview or an mmap.
        view: what of the picture is wanted.

    Raises:
        UsageError: the picture has no such region, or the file cannot be decoded in parts.
        FormatError: the bytes are no valid file, or do not decode to the samples they promise.
        LimitError: decoding would exceed `limits`.
    """
    document = parse(data, limits, view)
    raster = reconstruct(document, limits)
    if view.is_whole and raster.digest() != document.header.digest:
        raise FormatError("the decoded samples do not match the digest in the file", code="digest")
    return raster


@silently
def reconstruct(document: Document, limits: Limits) -> Raster:
    """Decode without comparing the digest. Raises FormatError, or LimitError also where the memory does not suffice."""
    try:
        return _reconstruct(document, limits)
    except MemoryError as error:
        raise LimitError("the picture does not fit in memory", code="exhausted") from error


def _reconstruct(document: Document, limits: Limits) -> Raster:
    metadata = {
        key: unpack_metadata(document.chunks[kind], limits)
        for key, kind in METADATA_CHUNKS.items()
        if kind in document.chunks
    }
    if not document.view.is_whole:
        return Raster(*_viewed(document), metadata)
    return Raster(_samples(document), _alpha(document), metadata)


def _samples(document: Document) -> Samples:
    """All samples, (H, W, C)."""
    header = document.header
    moved, moved_places = _evaluated(document)
    order = document.chain.order(header.height, header.width, _planes(document, PLANES, document.chain.n_planes))
    shape = (header.height, header.width, header.channels)
    samples = in_picture_order(moved, order, shape)
    if moved_places is not None:
        places = in_picture_order(moved_places, order, shape)
        samples = _corrected(samples, decode_residual(document.chunks[RESIDUAL], places, document.peak))
    return samples


def _alpha(document: Document) -> Samples | None:
    """All of alpha, (H, W), if the picture has one."""
    return _planes(document, ALPHA, 1)[0] if document.header.alpha else None


def _viewed(document: Document) -> tuple[Samples, Samples | None]:
    """The samples and the alpha of a view, of a picture whose pixels are where they were."""
    found, is_8_bits = document.reading, document.header.depth == 8
    alpha, part = _alpha(document), found.part
    if alpha is not None:
        alpha = _copied(alpha, document.view.place(document.geometry))
    if found.scale > 1:
        reduction = Reduction(part, found.scale, alpha)
        _evaluate_into(document, found, reduction.add)
        return reduction.result(document.header.depth)
    shape = part.height, part.width, part.channels
    samples: Samples = np.empty(shape, np.uint8) if is_8_bits else np.empty(shape, np.uint16)

    def take(start: int, rows: Samples) -> None:
        samples[start : start + len(rows)] = rows

    _evaluate_into(document, found, take)
    return samples, alpha


def _copied(plane: Samples, place: Place) -> Samples:
    """A rectangle of a plane, without the memory of the rest."""
    return plane[place].copy()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def _evaluate_into(document: Document, found: Reading, take: Callable[[int, Samples], object]) -> None:
    """Hand out samples, some rows at a time: the first one's number, and (rows, columns, C).

    A residual is decoded all at once, so a file with one is evaluated everywhere.
    """
    if RESIDUAL in document.chunks and found.source is document.field:
        samples = _samples(document)[found.place]
        for start in range(0, len(samples), _STRIP_ROWS):
            take(start, samples[start : start + _STRIP_ROWS])
        return
    value_map, width = document.value_map, found.part.width

    def tile(pixels: slice, outputs: npt.NDArray[np.int64]) -> None:
        samples = value_map.to_samples(outputs)
        take(pixels.start // width, samples.reshape(-1, width, samples.shape[1]))

    weights = _weights(document, found.source, found.geometry)
    found.source.evaluate_tiles(found.geometry, weights, tile, place=found.place)


def _weights(document: Document, source: Decodable, geometry: Geometry) -> dict[str, Quantized]:
    """The parameters of a document's field, as far as something makes use of them."""
    symbols = decode_payload(source, geometry, document.chunks[WEIGHTS], document.steps)
    return {name: Quantized(values, document.steps[name]) for name, values in symbols.items()}


def _evaluated(document: Document) -> tuple[Samples, npt.NDArray[np.int8] | None]:
    """The samples that the field gives, (n, C) as they were moved, and, for a residual, their places in the value map.

    Symbols are forgotten on the way back.
    """
    header = document.header
    weights = _weights(document, document.field, document.geometry)
    value_map = document.value_map
    flat = (document.geometry.n_pixels, header.channels)
    moved: Samples = np.empty(flat, np.uint8) if header.depth == 8 else np.empty(flat, np.uint16)
    moved_places = np.empty(flat, np.int8) if RESIDUAL in document.chunks else None

    def take(pixels: slice, outputs: npt.NDArray[np.int64]) -> None:
        moved[pixels] = value_map.to_samples(outputs)
        if moved_places is not None:
            moved_places[pixels] = value_map.places(outputs, moved[pixels])

    document.field.evaluate_tiles(document.geometry, weights, take)
    return moved, moved_places


def _corrected(samples: Samples, residual: npt.NDArray[np.int64]) -> Samples:
    """The sum, in the memory of the residual while it lasts."""
    residual += samples
    if residual.min() < 0 or residual.max() > np.iinfo(samples.dtype).max:
        raise FormatError("the residual leaves the range of the samples", code="range")
    return residual.astype(samples.dtype)  # pyright: ignore[reportReturnType]


def _planes(document: Document, kind: bytes, n_planes: int) -> list[Samples]:
    """Those of a chunk."""
    header = document.header
    if not n_planes:
        return []
    return decode_planes(document.chunks[kind], n_planes, header.height, header.width, header.depth)
