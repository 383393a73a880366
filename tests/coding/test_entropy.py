from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.adaptive import frequencies
from nfcodec.coding.entropy import TABLE_BITS, Decoder, Encoder, Estimator
from nfcodec.errors import FormatError
from nfcodec.exact.part import Table


class PlainDecoder:
    """The range decoder of docs/reference/format.md in plain Python: 64 bits of state, 32-bit words."""

    def __init__(self, stream: bytes) -> None:
        self.words = iter(np.frombuffer(stream, "<u4").tolist())
        self.range = (1 << 64) - 1
        self.point = next(self.words, 0) << 32 | next(self.words, 0)  # minus the interval's lower end

    def symbol(self, table: list[int]) -> int:
        scale = self.range >> TABLE_BITS
        quantile, symbol, left = self.point // scale, 0, 0
        while left + table[symbol] <= quantile:
            left, symbol = left + table[symbol], symbol + 1
        self.point, self.range = self.point - left * scale, table[symbol] * scale
        if self.range < 1 << 32:
            self.point, self.range = self.point << 32 | next(self.words, 0), self.range << 32
        return symbol


def batches(seed: int, n_batches: int):
    """Random tables, some with nearly all weight on one symbol, and symbols drawn from them."""
    rng = np.random.default_rng(seed)
    for _ in range(n_batches):
        size = int(rng.integers(2, 40))
        table = frequencies((rng.integers(1, 1000, size) ** int(rng.integers(1, 4))).astype(np.int64))
        n = int(rng.integers(0, 60))
        yield table, rng.choice(size, n, p=table / table.sum()).astype(np.int32)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_a_decoder_in_plain_python_reads_the_stream(seed: int, n_batches: int):
    encoder = Encoder()
    for table, symbols in batches(seed, n_batches):
        encoder.code(symbols, table, len(symbols))
    stream = encoder.finish()
    plain, decoder = PlainDecoder(stream), Decoder(stream)
    for table, symbols in batches(seed, n_batches):
        assert [plain.symbol(table.tolist()) for _ in symbols] == symbols.tolist()
        assert np.array_equal(decoder.code(None, table, len(symbols)), symbols)
    decoder.finish()


def test_rare_symbols_survive_carries():
    """Long runs at the top end of the interval are what makes a range coder carry."""
    table = np.array([(1 << 24) - 1, 1])
    symbols = np.array([1, 1, 1, 0, 1] * 50 + [0] * 5000, np.int32)
    encoder = Encoder()
    encoder.code(symbols, table, len(symbols))
    stream = encoder.finish()
    assert np.array_equal(Decoder(stream).code(None, table, len(symbols)), symbols)
    plain = PlainDecoder(stream)
    assert [plain.symbol(table.tolist()) for _ in symbols] == symbols.tolist()


def test_the_stream_is_frozen():
    """Files live longer than libraries: these bytes may never change."""
    encoder = Encoder()
    for size in range(2, 60):
        pattern = np.arange(7 * size) * 2_654_435_761 % 2**32 >> 8
        encoder.code((pattern % size).astype(np.int32), frequencies(pattern[:size] % 1000), 7 * size)
    assert (
        hashlib.sha256(encoder.finish()).hexdigest()
        == "17f09968dec97939b1cac8e65f5e3351d85fad10b7e40247963f60442fd0fc7e"
    )


def test_an_empty_stream():
    assert Encoder().finish() == b""
    Decoder(b"").finish()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_partial_words_are_refused(size: int):
    with pytest.raises(FormatError):
        Decoder(bytes(size))


def test_bytes_after_the_symbols_are_refused():
    encoder = Encoder()
    table = np.array([1 << 23, 1 << 23])
    encoder.code(np.array([0, 1, 1, 0], np.int32), table, 4)
    decoder = Decoder(encoder.finish() + bytes([1] * 8))
    decoder.code(None, table, 4)
    with pytest.raises(FormatError):
        decoder.finish()


@pytest.mark.parametrize("coder", [Encoder(), Estimator()])
def test_writers_need_symbols(coder):
    with pytest.raises(ValueError, match="needs symbols"):
        coder.code(None, np.array([1 << 24]), 1)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_tables_code_as_their_frequencies_do(seed: int, n_batches: int):
    """The first time, and again, when what the coders made of them has been kept."""
    both = [(Table(table), table, symbols) for table, symbols in batches(seed, n_batches)] * 2
    streams, sizes = [], []
    for which in (0, 1):
        encoder, estimator = Encoder(), Estimator()
        for *models, symbols in both:
            for coder in (encoder, estimator):
                assert np.array_equal(coder.code(symbols, models[which], len(symbols)), symbols)
        streams.append(encoder.finish())
        sizes.append(estimator.bits)
    assert streams[0] == streams[1]
    assert sizes[0] == sizes[1]
    decoder = Decoder(streams[0])
    for table, _, symbols in both:
        assert np.array_equal(decoder.code(None, table, len(symbols)), symbols)
    decoder.finish()
