"""The WGHT payload: every symbol of a field's parameters in one range-coded stream.

    order u8 | head of each part | stream

A field says which orders suit it, and of which parts its payload is made in an order (`Field.parts`); the parts know
how their tensors are modelled. docs/reference/format.md, "Symbols", is the normative text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nfcodec.coding.entropy import Decoder, Encoder, Estimator
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import Step
from nfcodec.exact.field import Field
from nfcodec.exact.geometry import Geometry
from nfcodec.exact.part import Part, SymbolCoder, Symbols
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader

ANY, CODED, NEIGHBOURS = 0, 1, 2
"""The orders of symbols. Every field has one that suits any symbols; some have one for symbols whose parities a
convolutional code gives, or one for entries that say something about their neighbours."""

Steps = Mapping[str, Step]
"""Quantizer steps by the names of tensors. Only parts that predict symbols with real weights ask for them; where there
is no such part, nobody needs to tell them."""

_UNTOLD: Steps = {}


def encode_payload(order: int, parts: Sequence[Part], symbols: Symbols, steps: Steps = _UNTOLD) -> bytes:
    """The payload of symbols, int64 arrays of the layout's shapes by tensor name, magnitudes up to MAX_SYMBOL.

    Args:
        order: one of the field's for these symbols; parts: its parts in this order, made for this call.
    """
    encoder = Encoder()
    head = _write(encoder, order, parts, symbols, steps)
    return head + encoder.finish()


def estimate_payload(order: int, parts: Sequence[Part], symbols: Symbols, steps: Steps = _UNTOLD) -> float:
    """The size of `encode_payload`'s result in bytes, without making it."""
    estimator = Estimator()
    return len(_write(estimator, order, parts, symbols, steps)) + estimator.bits / 8


def decode_payload(field: Field, geometry: Geometry, payload: bytes, steps: Steps = _UNTOLD) -> Symbols:
    """The symbols in a field's payload. Raises FormatError."""
    parts, stream = _read_heads(field, geometry, payload)
    decoder = Decoder(stream)
    known: Symbols = {}
    for part in parts:
        part.know_steps(steps)
        known = {**known, **part.code(decoder, None, known)}
    decoder.finish()
    return known


def payload_cost(field: Field, geometry: Geometry, payload: bytes) -> Cost:
    """What `decode_payload` takes at most; the symbols are kept. Raises FormatError."""
    parts, stream = _read_heads(field, geometry, payload)
    total = Cost(kept_bytes=2 * len(payload))
    for part in parts:
        total = total.then(part.cost(len(stream)))
    return total.keeping(total.kept_bytes - 2 * len(payload))


def _read_heads(field: Field, geometry: Geometry, payload: bytes) -> tuple[list[Part], bytes]:
    """The parts, with what their heads say, and the stream behind these. Raises FormatError."""
    reader = ByteReader(payload, "the payload of symbols")
    order = reader.u8()
    if order not in field.orders(geometry):
        raise FormatError("the order of the symbols is unknown, or does not suit the field", code="order")
    parts = field.parts(geometry, order)
    for part in parts:
        part.read_head(reader)
    return parts, reader.rest()


def _write(coder: SymbolCoder, order: int, parts: Sequence[Part], symbols: Symbols, steps: Steps) -> bytes:
    """Code everything into `coder`; returns the bytes before the stream."""
    for part in parts:
        part.know_steps(steps)
    head = bytes([order]) + b"".join(part.head(symbols) for part in parts)
    known: Symbols = {}
    for part in parts:
        known = {**known, **part.code(coder, symbols, known)}
    return head
