"""From bytes to samples, exactly, in integers; needs numpy and no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nfcodec.codec.document import METADATA_CHUNKS, Document, parse
from nfcodec.coding.payload import decode_payload
from nfcodec.coding.planes import decode_planes
from nfcodec.coding.residuals import decode_residual
from nfcodec.errors import FormatError, LimitError
from nfcodec.exact.arithmetic import Quantized
from nfcodec.floats import silently
from nfcodec.format import ALPHA, PLANES, RESIDUAL, WEIGHTS, unpack_metadata
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.raster import Raster, Samples
from nfcodec.transforms.orders import in_picture_order

if TYPE_CHECKING:
    from typing_extensions import Buffer


@silently
def decode(data: Buffer, limits: Limits = DEFAULT_LIMITS) -> Raster:
    """Decode a file.

    The samples are checked against the digest in the file.

    Args:
        data: of a file; bytes, or anything that holds bytes, as a bytearray, a memoryview or an mmap.

    Raises:
        FormatError: the bytes are no valid file, or do not decode to the samples they promise.
        LimitError: decoding would exceed `limits`.
    """
    document = parse(data, limits)
    raster = reconstruct(document, limits)
    if raster.digest() != document.header.digest:
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
    header = document.header
    metadata = {
        key: unpack_metadata(document.chunks[kind], limits)
        for key, kind in METADATA_CHUNKS.items()
        if kind in document.chunks
    }
    moved, moved_places = _evaluated(document)
    order = document.chain.order(header.height, header.width, _planes(document, PLANES, document.chain.n_planes))
    shape = (header.height, header.width, header.channels)
    samples = in_picture_order(moved, order, shape)
    if moved_places is not None:
        places = in_picture_order(moved_places, order, shape)
        samples = _corrected(samples, decode_residual(document.chunks[RESIDUAL], places, document.peak))
    alpha = _planes(document, ALPHA, 1)[0] if header.alpha else None
    return Raster(samples, alpha, metadata)


def _evaluated(document: Document) -> tuple[Samples, npt.NDArray[np.int8] | None]:
    """The samples that the field gives, (n, C) as they were moved, and, for a residual, their places in the value map.

    Symbols are forgotten on the way back.
    """
    header = document.header
    symbols = decode_payload(document.field, document.geometry, document.chunks[WEIGHTS], document.steps)
    weights = {name: Quantized(values, document.steps[name]) for name, values in symbols.items()}
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
