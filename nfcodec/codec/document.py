"""A parsed and checked .nfc file: everything that is known before anything is decoded."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nfcodec import arguments
from nfcodec.codec.decoding_cost import decoding_cost
from nfcodec.codec.view import WHOLE, Reading, View, reading
from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import OUTPUT_BITS, Step
from nfcodec.exact.field import Field
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.registry import unpack_field
from nfcodec.format import ALPHA, EXIF, HEADER, ICC, PLANES, XMP, Chunks, Header, metadata_size, read_chunks
from nfcodec.limits import Cost, Limits
from nfcodec.transforms import Chain, ValueMap, samples_themselves

if TYPE_CHECKING:
    from typing_extensions import Buffer

METADATA_CHUNKS = {"icc": ICC, "exif": EXIF, "xmp": XMP}


def metadata_mask(chunks: Chunks) -> int:
    """The header's word on which metadata chunks there are."""
    return sum((kind in chunks) << bit for bit, kind in enumerate(METADATA_CHUNKS.values()))


@dataclass(frozen=True)
class Document:
    """The parts of a file, consistent with each other and within the limits.

    Attributes:
        cost: of decoding it, at most; or of decoding what of it is asked for.
        view: what of the picture that is.
    """

    chunks: Chunks
    header: Header
    field: Field
    chain: Chain
    steps: dict[str, Step]
    size_bytes: int
    cost: Cost
    view: View = WHOLE

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.header.height, self.header.width, self.header.channels)

    @property
    def reading(self) -> Reading:
        """How to get the view."""
        return reading(self.view, self.field, self.geometry, alpha=self.header.alpha)

    @property
    def value_map(self) -> ValueMap:
        """What turns the field's outputs into samples."""
        depth, channels = self.header.depth, self.header.channels
        if self.field.holds_samples:
            return samples_themselves(depth, channels, OUTPUT_BITS)
        return self.chain.value_map(depth, channels, OUTPUT_BITS)

    @property
    def peak(self) -> int:
        return (1 << self.header.depth) - 1

    @property
    def bpp(self) -> float:
        return 8 * self.size_bytes / self.geometry.n_pixels


def parse(data: Buffer, limits: Limits, view: View = WHOLE) -> Document:
    """Read a file's structure, and hold what decoding it will take against the limits; decodes nothing.

    Args:
        view: what of the picture will be decoded. The pixels that are limited are those of the result.

    Raises:
        UsageError: an argument is of another type, as a path in place of bytes; or the file cannot give such a view.
        FormatError: the bytes are no valid file.
        LimitError: the file, or what decoding it takes, is over a limit.
    """
    data = arguments.file_bytes(data)
    arguments.instance_of("limits", limits, Limits, "an nfcodec.Limits")
    limits.check("file_bytes", len(data))
    chunks = read_chunks(data)
    header = Header.unpack(chunks[HEADER], limits if view.is_whole else replace(limits, max_pixels=math.inf))
    field = unpack_field(header.field_id, header.field)
    geometry = Geometry(header.height, header.width, header.channels)
    chain, end = Chain.unpack(header.chain, 0, header.channels)
    if end != len(header.chain):
        raise FormatError("the transform chain is followed by other bytes", code="trailing")
    if len(header.steps) != field.n_tensors(geometry):
        raise FormatError("the quantizer steps do not match the field", code="steps")
    steps = {tensor.name: step for tensor, step in zip(field.layout(geometry), header.steps, strict=True)}
    if header.metadata != metadata_mask(chunks):
        raise FormatError("the metadata chunks are not those that the header announces", code="chunks")
    if (ALPHA in chunks) != header.alpha or (PLANES in chunks) != (chain.n_planes > 0):
        raise FormatError("the header does not match the chunks that are there", code="chunks")
    _check_view(view, geometry, chain, limits)
    metadata = sum(metadata_size(chunks[kind], limits) for kind in METADATA_CHUNKS.values() if kind in chunks)
    cost = decoding_cost(chunks, header, field, chain, view, 2 * len(data) + metadata)
    limits.check_cost(cost)
    return Document(chunks, header, field, chain, steps, len(data), cost, view)


def _check_view(view: View, geometry: Geometry, chain: Chain, limits: Limits) -> None:
    """Raise UsageError if a picture has no such region, or if its pixels have been moved; LimitError for too many."""
    if view.is_whole:
        return
    if chain.permutes:
        raise UsageError(
            f"the transform {chain} has moved the pixels of this file, so that they can only be decoded all together; "
            "decode the whole picture"
        )
    limits.check("pixels", view.size(geometry).n_pixels)
