"""What the parts of a file take, down to the tensors of its field and to pieces of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nfcodec.codec.document import METADATA_CHUNKS, Document, parse
from nfcodec.coding.payload import weigh_payload
from nfcodec.floats import silently
from nfcodec.format import ALPHA, HEADER, PLANES, RESIDUAL, STEP_BYTES, WEIGHTS
from nfcodec.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from typing_extensions import Buffer

_OTHERS = {
    PLANES: "what undoes the permutations",
    RESIDUAL: "residual, what the field leaves of the samples",
    ALPHA: "alpha",
    **{kind: f"metadata: {name.upper()}" for name, kind in METADATA_CHUNKS.items()},
}
"""What chunks hold, beside the header and the weights."""


@dataclass(frozen=True)
class Share:
    """Of a file.

    Attributes:
        part: what it is, in words, with the names of its tensors if it has any.
        n_bytes: that it takes; of tensors to within a few bytes, as they share one stream.
        n_numbers: of the parameters in it; None where there are none, or not so many that are its own.
    """

    part: str
    n_bytes: float
    n_numbers: int | None = None


@silently
def breakdown(data: Buffer, limits: Limits = DEFAULT_LIMITS) -> list[Share]:
    """All shares of a file, which add up to its size; its symbols are decoded for it.

    Raises:
        FormatError, LimitError: as `nfcodec.codec.decode`.
    """
    document = parse(data, limits)
    header, chunks = document.header, document.chunks
    steps, chain = STEP_BYTES * len(header.steps), len(header.chain)
    frame = document.size_bytes - sum(map(len, chunks.values()))
    return [
        *_of_weights(document),
        *(Share(what, len(chunks[kind])) for kind, what in _OTHERS.items() if kind in chunks),
        Share("header: quantizer steps", steps),
        Share("header: transforms", chain),
        Share("header: size, qualities, field", len(chunks[HEADER]) - steps - chain),
        Share("signature and checksums", frame),
    ]


def _of_weights(document: Document) -> list[Share]:
    """The payload's pieces, and the order and the rest of the last word, which are nobody's."""
    payload, geometry = document.chunks[WEIGHTS], document.geometry
    sizes = {tensor.name: tensor.size for tensor in document.field.layout(geometry)}
    pieces = weigh_payload(document.field, geometry, payload, document.steps)
    shares: list[Share] = []
    for piece in pieces:
        whole = sum(each.tensors == piece.tensors for each in pieces) == 1
        numbers = sum(sizes[name] for name in piece.tensors) if whole else sizes.get(piece.name)
        names = piece.name if piece.name in sizes else ", ".join(filter(None, (_names(piece.tensors), piece.name)))
        shares.append(Share(f"weights: {names}", piece.n_bytes, numbers))
    rest = len(payload) - sum(piece.n_bytes for piece in pieces)
    return [*shares, Share("weights: order and end of the stream", rest)]


def _names(tensors: tuple[str, ...]) -> str:
    return tensors[0] if len(tensors) == 1 else f"{tensors[0]} to {tensors[-1]}"
