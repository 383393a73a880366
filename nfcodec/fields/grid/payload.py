"""The part of a payload that holds the entries of grids, in a stream of its own.

    limit varint | n varint | n words

docs/reference/format.md, "Entries of grids", is the normative text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nfcodec.coding.range_coder import FIRST_WORDS, WORD_BYTES, Words, check_end
from nfcodec.exact.arithmetic import MAX_SYMBOL, Quantized, Step, SymbolArray
from nfcodec.exact.geometry import Geometry
from nfcodec.exact.part import Part, SymbolCoder, Symbols, every
from nfcodec.fields.grid.entropy import BAND, TENSORS, WAVEFRONT_ENTRIES, EntropyModel, Int32Array, repays
from nfcodec.fields.grid.tables import bits_of
from nfcodec.fields.grid.wavefronts import grid_decoder, grid_encoder
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader, put_varint

if TYPE_CHECKING:
    from nfcodec.fields.grid.field import Grid

LATENTS = "latents"

ENTRY, WAVEFRONT, MULTIPLICATION = 0.09e-6, 4e-6, 0.12e-9
"""Work of an entry, of a wavefront, and of each multiplication of the network for an entry, in compiled loops."""

PLAIN_ENTRY = 1.5e-6
"""Work of an entry without them."""

KERNELS = Cost(160e6, 2.0, 160e6)
"""What loading compiled loops takes; the memory also where they are compiled at first."""

MOST_WORDS, PLAIN_WORD_BYTES = 4, 48
"""Words of the stream that an entry may take, one for each of its parts (symbol, low bits, an escape in two), and the
memory of a word without compiled loops."""


class LatentsPart(Part):
    """The entries of all grids, each predicted by the network that the parts before hold."""

    def __init__(self, field: Grid, geometry: Geometry) -> None:
        self._field, self._geometry = field, geometry
        self._steps: Mapping[str, Step] = {}
        self._limit, self._words = 0, b""

    def know_steps(self, steps: Mapping[str, Step]) -> None:
        self._steps = steps

    def head(self, symbols: Symbols) -> bytes:
        self._limit = limit_of(symbols[LATENTS])
        stream = encode_latents(self._model(symbols), symbols[LATENTS])
        return put_varint(self._limit) + put_varint(len(stream) // WORD_BYTES) + stream

    def read_head(self, reader: ByteReader) -> None:
        """The stream is decoded with the symbols, so that limits can come before."""
        self._limit, n_words = reader.varint(MAX_SYMBOL), reader.varint()
        self._words = reader.take(WORD_BYTES * n_words)
        check_end(FIRST_WORDS + MOST_WORDS * self._field.n_entries(self._geometry), n_words)

    def cost(self, stream_bytes: int) -> Cost:
        words = Cost(len(self._words) * (1 + PLAIN_WORD_BYTES / WORD_BYTES))
        return latents_cost(self._field, self._geometry).then(words)

    def code(self, coder: SymbolCoder, symbols: Symbols | None, known: Symbols) -> Symbols:
        if symbols is not None:
            return {LATENTS: symbols[LATENTS]}
        words = np.frombuffer(self._words, f"<u{WORD_BYTES}")
        return {LATENTS: decode_latents(self._model(known), words)}

    def bits_in_head(self, known: Symbols) -> Mapping[str, float]:
        model = self._model(known)
        return {
            f"{'hyperlatents' if lattice.is_hyper else 'entries'} {every(1 << lattice.level)}": bits
            for lattice, bits in zip(model.lattices, latent_bits(model, known[LATENTS]), strict=True)
        }

    def _model(self, known: Symbols) -> EntropyModel:
        if not self._steps:
            raise ValueError("the network that predicts entries has real weights, so their steps must be told")
        weights = {name: Quantized(known[name], self._steps[name]) for name in TENSORS}
        return EntropyModel(self._field, self._geometry, weights, self._limit)


def limit_of(latents: SymbolArray) -> int:
    """The largest magnitude."""
    return max(int(latents.max()), -int(latents.min()))


def encode_latents(model: EntropyModel, latents: SymbolArray) -> bytes:
    """The stream of entries, (n, 1), of magnitudes up to the model's limit."""
    values = _grids(model, latents)
    encoder = grid_encoder(len(latents), repays=repays(model.lattices))
    for i in reversed(range(len(values))):
        encoder.encode(model.lattices[i], values[i], *model.predictions(i, values))
    return encoder.finish()


def latent_bits(model: EntropyModel, latents: SymbolArray) -> list[float]:
    """The bits of each grid that `encode_latents` would write, to within a word, without writing them."""
    values = _grids(model, latents)
    found = [model.predictions(i, values) for i in range(len(values))]
    return [bits_of(value, *each) for value, each in zip(values, found, strict=True)]


def decode_latents(model: EntropyModel, words: Words) -> Int32Array:
    """The entries, (n, 1), in a stream. Raises FormatError."""
    lattices = model.lattices
    out = np.zeros((sum(lattice.size for lattice in lattices), 1), np.int32)
    values = _grids(model, out)
    decoder = grid_decoder(model, words, repays=repays(lattices))
    for i in reversed(range(len(values))):
        values[i][:] = decoder.decode(lattices[i], model.mapped(i, values))
    decoder.finish()
    return out


def _grids(model: EntropyModel, latents: SymbolArray) -> list[Int32Array]:
    """Of each grid, (rows, cols): parts of the same memory, if these are 32 bits wide."""
    flat = latents.astype(np.int32, copy=False).reshape(-1)
    return [flat[lattice.entries].reshape(lattice.rows, lattice.cols) for lattice in model.lattices]


def latents_cost(field: Grid, geometry: Geometry) -> Cost:
    """What decoding the entries takes at most, which are kept."""
    lattices, n = field.lattices(geometry), field.n_inputs
    n_entries = field.n_entries(geometry)
    n_wavefronts = sum(lattice.n_wavefronts for lattice in lattices)
    half = sum(lattice.size for lattice in field.lattices(geometry)[1:2])
    memory = 8 * n_entries + 8 * field.n_mapped * half + 8 * BAND * (n + len(lattices))
    if repays(lattices):
        work = n_entries * (ENTRY + MULTIPLICATION * n * (2 * n + 4)) + n_wavefronts * WAVEFRONT
        return KERNELS.then(Cost(memory, work, 4 * n_entries))
    return Cost(memory, PLAIN_ENTRY * (n_entries + WAVEFRONT_ENTRIES * n_wavefronts), 4 * n_entries)
