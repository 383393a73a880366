"""From bytes to samples, exactly, in integers; needs numpy and no torch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nfcodec.codec.document import METADATA_CHUNKS, Document, parse
from nfcodec.coding.entropy import Decoder
from nfcodec.coding.payload import decode_payload
from nfcodec.coding.planes import code_plane
from nfcodec.coding.residuals import decode_residual
from nfcodec.errors import FormatError, LimitError
from nfcodec.exact.arithmetic import OUTPUT_BITS, Quantized
from nfcodec.floats import silently
from nfcodec.format import ALPHA, PLANES, RESIDUAL, WEIGHTS, unpack_metadata
from nfcodec.limits import DEFAULT_LIMITS, Limits
from nfcodec.raster import Raster, Samples
from nfcodec.transforms.orders import in_picture_order


@silently
def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Raster:
    """Decode a file.

    The samples are checked against the digest in the file.

    Raises:
        FormatError: the bytes are no valid file, or do not decode to the samples they promise.
        LimitError: decoding would exceed `limits`.
    """
    document = parse(data, limits)
    raster = reconstruct(document, limits)
    if raster.digest() != document.header.digest:
        raise FormatError("the decoded samples do not match the digest in the file")
    return raster


@silently
def reconstruct(document: Document, limits: Limits) -> Raster:
    """Decode without comparing the digest. Raises FormatError, or LimitError also where the memory does not suffice."""
    try:
        return _reconstruct(document, limits)
    except MemoryError as error:
        raise LimitError("the picture does not fit in memory") from error


def _reconstruct(document: Document, limits: Limits) -> Raster:
    header = document.header
    metadata = {
        key: unpack_metadata(document.chunks[kind], limits)
        for key, kind in METADATA_CHUNKS.items()
        if kind in document.chunks
    }
    symbols = decode_payload(document.field, document.geometry, document.chunks[WEIGHTS])
    weights = {name: Quantized(values, document.steps[name]) for name, values in symbols.items()}
    value_map = document.chain.value_map(header.depth, header.channels, OUTPUT_BITS)
    flat = (document.geometry.n_pixels, header.channels)
    moved: Samples = np.empty(flat, np.uint8) if header.depth == 8 else np.empty(flat, np.uint16)
    moved_places = np.empty(flat, np.int8) if RESIDUAL in document.chunks else None

    def take(pixels: slice, outputs: npt.NDArray[np.int64]) -> None:
        moved[pixels] = value_map.to_samples(outputs)
        if moved_places is not None:
            moved_places[pixels] = value_map.places(outputs, moved[pixels])

    document.field.evaluate_tiles(document.geometry, weights, take)
    order = document.chain.order(header.height, header.width, _key_planes(document))
    shape = (header.height, header.width, header.channels)
    samples = in_picture_order(moved, order, shape)
    if moved_places is not None:
        places = in_picture_order(moved_places, order, shape)
        samples = _corrected(samples, decode_residual(document.chunks[RESIDUAL], places, document.peak))
    alpha = _plane(document, Decoder(document.chunks[ALPHA]), last=True) if header.alpha else None
    return Raster(samples, alpha, metadata)


def _corrected(samples: Samples, residual: npt.NDArray[np.int64]) -> Samples:
    exact = samples + residual
    if exact.min() < 0 or exact.max() > np.iinfo(samples.dtype).max:
        raise FormatError("the residual leaves the range of the samples")
    return exact.astype(samples.dtype)  # pyright: ignore[reportReturnType]


def _key_planes(document: Document) -> list[Samples]:
    if not document.chain.n_planes:
        return []
    decoder = Decoder(document.chunks[PLANES])
    n_planes = document.chain.n_planes
    return [_plane(document, decoder, last=i == n_planes - 1) for i in range(n_planes)]


def _plane(document: Document, decoder: Decoder, *, last: bool) -> Samples:
    header = document.header
    plane: npt.NDArray[np.int64] = code_plane(decoder, header.height, header.width, header.depth, None)
    if plane.min() < 0 or plane.max() >> header.depth:
        raise FormatError("a lossless plane leaves the range of its samples")
    if last:
        decoder.finish()
    return plane.astype(np.uint16) if header.depth == 16 else plane.astype(np.uint8)
