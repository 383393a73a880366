"""The range coder in plain Python and in compiled loops writes and reads what constriction does."""

import numpy as np
import pytest

from nfcodec.coding.entropy import TABLE_TOTAL, Decoder, Encoder
from nfcodec.coding.range_coder import RangeDecoder, RangeEncoder, check_end, first_state
from nfcodec.errors import FormatError


def tables_of(kind, rng, n):
    """Frequencies (n, symbols) that sum to 2^24, and a symbol of each."""
    n_symbols = 7
    if kind == "even":
        weights = rng.integers(1, 100, (n, n_symbols)).astype(float)
    else:  # some symbols take no bits, others 24
        weights = 10.0 ** -(rng.integers(0, 12, (n, n_symbols)))
    tables = 1 + np.floor(weights / weights.sum(axis=1, keepdims=True) * (TABLE_TOTAL - n_symbols)).astype(np.int64)
    tables[:, 0] += TABLE_TOTAL - tables.sum(axis=1)
    if kind == "unlikely":
        return tables, rng.integers(0, n_symbols, n)
    if kind == "last":  # the upper end of each interval: what carries most
        return tables, np.full(n, n_symbols - 1)
    return tables, np.array([rng.choice(n_symbols, p=table / TABLE_TOTAL) for table in tables])


def ends_of(tables):
    return np.concatenate([np.zeros((len(tables), 1), np.int64), tables.cumsum(axis=1)], axis=1)


KINDS = ["even", "likely", "unlikely", "last"]


def constriction_stream(tables, symbols):
    coder = Encoder()
    for table, symbol in zip(tables, symbols, strict=True):
        coder.code(np.array([symbol], np.int32), table, 1)
    return coder.finish()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 2000])
@pytest.mark.parametrize("kind", KINDS)
def test_plain_python_writes_and_reads_what_constriction_does(kind, n):
    for seed in range(1 if n > 10 else 40):
        tables, symbols = tables_of(kind, np.random.default_rng(seed), n)
        stream = constriction_stream(tables, symbols)
        coder, ends = RangeEncoder(), ends_of(tables).tolist()
        for symbol, each in zip(symbols.tolist(), ends, strict=True):
            coder.symbol(symbol, each)
        assert coder.finish() == stream
        words = np.frombuffer(stream, "<u4")
        decoder = RangeDecoder(words)
        assert [decoder.symbol(each) for each in ends] == symbols.tolist()
        check_end(decoder.n_read, len(words))


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_loops_write_and_read_what_constriction_does(kind):
    kernels = pytest.importorskip("nfcodec.coding.range_kernels")
    for n in (0, 1, 2, 3, 700):
        for seed in range(1 if n > 10 else 20):
            tables, symbols = tables_of(kind, np.random.default_rng(seed), n)
            stream, ends = constriction_stream(tables, symbols), ends_of(tables).astype(np.uint32)
            state, words = np.array([0, 2**64 - 1, 0], np.uint64), np.zeros(2 * n + 2, np.uint32)
            for symbol, each in zip(symbols, ends, strict=True):
                start, stop = np.uint64(each[symbol]), np.uint64(each[symbol + 1])
                kernels.encode(state, words, start, np.uint64(stop - start))
            kernels.finish_encoding(state, words)
            assert words[: int(state[2])].astype("<u4").tobytes() == stream
            words = np.frombuffer(stream, "<u4")
            state = first_state(words)
            assert [kernels.decoded(state, words, each) for each in ends] == symbols.tolist()
            check_end(int(state[2]), len(words))


def test_numbers_of_bits_are_symbols_of_flat_tables():
    rng = np.random.default_rng(3)
    sizes = rng.integers(0, 15, 500)
    values = rng.integers(0, 1 << sizes)
    coder, expected = RangeEncoder(), Encoder()
    for value, n in zip(values.tolist(), sizes.tolist(), strict=True):
        coder.bits(value, n)
        if n:
            expected.code(np.array([value], np.int32), np.full(1 << n, TABLE_TOTAL >> n), 1)
    stream = coder.finish()
    assert stream == expected.finish()
    decoder = RangeDecoder(np.frombuffer(stream, "<u4"))
    assert [decoder.bits(n) for n in sizes.tolist()] == values.tolist()


def test_any_words_end_in_symbols_or_an_error_as_constriction_has_them():
    rng = np.random.default_rng(4)
    table = np.array([5, 1, TABLE_TOTAL - 9, 3])
    ends, n_errors = ends_of(table[None])[0].tolist(), 0
    for i in range(300):
        words = rng.integers(0, 1 << 32, rng.integers(0, 5)).astype("<u4")
        if i % 2 and len(words):
            words[0] = 2**32 - 1
        n, mine, theirs = int(rng.integers(1, 30)), RangeDecoder(words), Decoder(words.tobytes())
        try:
            found = [mine.symbol(ends) for _ in range(n)]
        except FormatError:
            n_errors += 1
            with pytest.raises(FormatError):
                theirs.code(None, table, n)
            continue
        assert theirs.code(None, table, n).tolist() == found
    assert n_errors


def test_words_that_no_symbol_used_are_an_error():
    coder = RangeEncoder()
    coder.bits(5, 3)
    words = np.frombuffer(coder.finish() + bytes(8), "<u4")
    decoder = RangeDecoder(words)
    decoder.bits(3)
    with pytest.raises(FormatError, match="longer"):
        check_end(decoder.n_read, len(words))
