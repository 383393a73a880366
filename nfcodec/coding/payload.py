"""The WGHT payload: every symbol of a field's parameters in one range-coded stream.

    order u8 | head of each part | stream

A field says which orders suit it, and of which parts its payload is made in an order (`Field.parts`); the parts know
how their tensors are modelled. docs/reference/format.md, "Symbols", is the normative text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nfcodec.coding.entropy import Decoder, Encoder, Estimator, Meter
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import Step, SymbolArray
from nfcodec.exact.field import Decodable
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


def decode_payload(field: Decodable, geometry: Geometry, payload: bytes, steps: Steps = _UNTOLD) -> Symbols:
    """The symbols in a field's payload. Raises FormatError."""
    parts, _, stream = _read_heads(field, geometry, payload)
    decoder = Decoder(stream)
    known: Symbols = {}
    for part in parts:
        part.know_steps(steps)
        known = {**known, **part.code(decoder, None, known)}
    if field.uses_all_symbols:
        decoder.finish()
    return known


def payload_cost(field: Decodable, geometry: Geometry, payload: bytes) -> Cost:
    """What `decode_payload` takes at most; the symbols are kept. Raises FormatError."""
    parts, _, stream = _read_heads(field, geometry, payload)
    total = Cost(kept_bytes=2 * len(payload))
    for part in parts:
        total = total.then(part.cost(len(stream)))
    return total.keeping(total.kept_bytes - 2 * len(payload))


class Piece(NamedTuple):
    """Of a payload: some tensors, or what a part calls a piece of them, and its bytes, about."""

    tensors: tuple[str, ...]
    name: str
    n_bytes: float


def weigh_payload(field: Decodable, geometry: Geometry, payload: bytes, steps: Steps = _UNTOLD) -> list[Piece]:
    """What the pieces of a field's payload take, in their order; what is left of it is no single one's.

    Raises:
        FormatError: as `decode_payload`.
    """
    parts, heads, stream = _read_heads(field, geometry, payload)
    meter, known, found = Meter(stream), dict[str, SymbolArray](), list[Piece]()
    for part, head in zip(parts, heads, strict=True):
        part.know_steps(steps)
        meter.begin()
        coded = part.code(meter, None, known)
        known = {**known, **coded}
        found += [Piece(tuple(coded), name, size) for name, size in _shared_out(meter.bits, head, part, known)]
    return found


def _shared_out(in_stream: Mapping[str, float], head: int, part: Part, known: Symbols) -> list[tuple[str, float]]:
    """The bytes of a part's pieces; those of its head are shared out by what it says of it, else by their bits."""
    in_head = part.bits_in_head(known)
    pieces = {**in_stream, **in_head} or {"": 0.0}
    by = in_head or in_stream
    total = sum(by.values())
    shares = {name: by.get(name, 0.0) / total if total else 1 / len(pieces) for name in pieces}
    return [(name, in_stream.get(name, 0.0) / 8 + head * share) for name, share in shares.items()]


def _read_heads(field: Decodable, geometry: Geometry, payload: bytes) -> tuple[list[Part], list[int], bytes]:
    """The parts, with what their heads say; the bytes of these; and the stream behind them. Raises FormatError."""
    reader = ByteReader(payload, "the payload of symbols")
    order = reader.u8()
    if order not in field.orders(geometry):
        raise FormatError("the order of the symbols is unknown, or does not suit the field", code="order")
    parts = field.parts(geometry, order)
    heads: list[int] = []
    for part in parts:
        before = reader.n_left
        part.read_head(reader)
        heads.append(before - reader.n_left)
    return parts, heads, reader.rest()


def _write(coder: SymbolCoder, order: int, parts: Sequence[Part], symbols: Symbols, steps: Steps) -> bytes:
    """Code everything into `coder`; returns the bytes before the stream."""
    for part in parts:
        part.know_steps(steps)
    head = bytes([order]) + b"".join(part.head(symbols) for part in parts)
    known: Symbols = {}
    for part in parts:
        known = {**known, **part.code(coder, symbols, known)}
    return head
