"""The entries of grids come back, alike from compiled loops and without them, and their bits are known before."""

import numpy as np
import pytest

from nfcodec.coding.entropy import TABLE_TOTAL
from nfcodec.coding.payload import ANY, decode_payload, encode_payload
from nfcodec.coding.range_coder import FIRST_WORDS
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL, Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid import entropy, wavefronts
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.payload import MOST_WORDS, decode_latents, encode_latents, latent_bits
from nfcodec.fields.grid.shape import NEIGHBOURS, RING, ROW_STEP
from nfcodec.fields.grid.tables import DECAYS, distributions, table_bits, table_ends
from nfcodec.fields.grid.wavefronts import wavefront_order
from nfcodec.lazy import load
from nfcodec.wire import ByteReader, put_varint
from tests.fields.grid.crafted import crafted, model_of

CASES = [
    (Grid(), Geometry(37, 53, 3), 1.0),
    (Grid(), Geometry(300, 150, 1), 0.4),
    (Grid(7, 3, 10, 4, 16), Geometry(1, 31, 3), 2.0),
    (Grid(7, 3, 6, 2, 8), Geometry(29, 1, 1), 5.0),
    (Grid(12, 9, 13, 0, 8), Geometry(18, 19, 1), 0.7),
    (Grid(1, 0, 1, 3, 1), Geometry(1, 1, 3), 3.0),
    (Grid(4, 1), Geometry(150, 140, 1), 40.0),
]
each_case = pytest.mark.parametrize(("field", "geometry", "size"), CASES, ids=str)


def words_of(stream):
    return np.frombuffer(stream, "<u4")


def use_loops(monkeypatch, use):
    """Whether compiled loops are used, whatever the size."""
    if use:
        pytest.importorskip("numba")
    monkeypatch.setattr(wavefronts, "compiled", lambda path, repays: use or None)
    kernel = load(entropy.KERNEL) if use else None
    monkeypatch.setattr(entropy, "compiled", lambda path, repays: kernel)


@each_case
def test_entries_come_back_alike_from_compiled_loops_and_without(field, geometry, size, monkeypatch):
    weights = crafted(field, geometry, size)
    model, latents = model_of(field, geometry, weights), weights["latents"].symbols
    streams, bits = [], []
    for use in (False, True):
        use_loops(monkeypatch, use)
        streams.append(encode_latents(model, latents))
        bits.append(latent_bits(model, latents))
        assert np.array_equal(decode_latents(model, words_of(streams[0])), latents)
    assert streams[0] == streams[1]
    assert bits[0] == bits[1]
    assert abs(sum(bits[0]) / 8 - len(streams[0])) <= 8


def test_two_threads_predict_what_one_does(monkeypatch):
    field, geometry = Grid(), Geometry(90, 110, 3)
    weights = crafted(field, geometry)
    model, latents = model_of(field, geometry, weights), weights["latents"].symbols
    streams = set()
    for use in (False, True):
        for n in (1, 2):
            use_loops(monkeypatch, use)
            monkeypatch.setattr(entropy, "BAND", 512)
            monkeypatch.setattr(entropy, "n_threads", lambda n=n: n)
            streams.add(encode_latents(model, latents))
    assert len(streams) == 1


def test_no_entry_depends_on_one_that_comes_later():
    steps = [right + ROW_STEP * down for down, right in NEIGHBOURS]
    assert max(steps) < 0
    assert -min(steps) < RING


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (1, 9), (9, 1), (5, 7), (7, 20)])
def test_entries_are_coded_by_wavefront_then_row(rows, cols):
    lattice = Grid(1, 0).lattices(Geometry(rows, cols, 1))[0]
    y, x = np.divmod(wavefront_order(lattice), cols)
    places = list(zip((x + 3 * y).tolist(), y.tolist(), strict=True))
    assert places == sorted((x + 3 * y, y) for y in range(rows) for x in range(cols))
    assert lattice.n_wavefronts == places[-1][0] + 1


def test_tables_are_those_of_the_distributions():
    ends = table_ends().astype(np.int64)
    assert (ends[:, 0] == 0).all()
    assert (ends[:, -1] == TABLE_TOTAL).all()
    frequencies = np.diff(ends, axis=1)
    assert frequencies.min() >= 1
    assert np.allclose(table_bits(), 24 - np.log2(frequencies), atol=1e-5)
    scales = 2.0 ** ((np.arange(65) - 40) / 8)
    assert np.array_equal(DECAYS, np.round(2.0**30 * np.exp(-1 / (32 * scales))))
    for index in (20, 40, 64):
        for fraction in (-16, 0, 11):
            edges = (np.arange(-64, 64) + 0.5 - fraction / 32) / scales[index]
            below = np.where(edges < 0, 0.5 * np.exp(-abs(edges)), 1 - 0.5 * np.exp(-abs(edges)))
            expected = np.diff([0, *below, 1])
            assert np.allclose(frequencies[32 * index + fraction + 16] / TABLE_TOTAL, expected, atol=1e-4)


def test_wide_distributions_are_tables_of_low_scales_with_flat_bits_below():
    locations, scales = np.array([-33, 40, 40, 40], np.int32), np.array([64, 65, 72, 160], np.int32)
    tables, shifts, starts = distributions(locations, scales)
    assert shifts.tolist() == [0, 1, 1, 12]
    assert starts.tolist() == [-1, 1 - 1, 1 - 1, 1 - 2048]
    assert tables.tolist() == [64 * 32 + 15, 57 * 32 + 16, 64 * 32 + 16, 64 * 32 + 16]


def test_entries_over_the_limit_are_refused(monkeypatch):
    field, geometry = Grid(3, 0), Geometry(9, 9, 1)
    weights = crafted(field, geometry, 3.0)
    model, latents = model_of(field, geometry, weights), weights["latents"].symbols
    words = words_of(encode_latents(model, latents))
    model.limit -= 1
    for use in (False, True):
        use_loops(monkeypatch, use)
        with pytest.raises(FormatError, match="limit"):
            decode_latents(model, words)


def test_streams_that_no_encoder_writes_end_in_entries_or_an_error(monkeypatch):
    field, geometry, rng = Grid(4, 1, 6, 2, 8), Geometry(17, 12, 1), np.random.default_rng(0)
    weights = crafted(field, geometry, 2.0)
    model, latents = model_of(field, geometry, weights, 500), weights["latents"].symbols
    good, outcomes = words_of(encode_latents(model, latents)), set()
    for i in range(60):
        words = good.copy() if i % 2 else rng.integers(0, 1 << 32, len(good)).astype(np.uint32)
        words[rng.integers(len(words))] ^= np.uint32(1 << int(rng.integers(32)))
        words = words[: rng.integers(len(words) + 1)] if i % 3 else np.concatenate([words, words])
        found = []
        for use in (False, True):
            use_loops(monkeypatch, use)
            try:
                found.append(decode_latents(model, words).tobytes())
            except FormatError as error:
                found.append(str(error))
        assert found[0] == found[1]
        outcomes.add(found[0] if isinstance(found[0], str) else "entries")
    assert {"entries", "the entropy-coded stream is longer than its symbols"} <= outcomes
    with pytest.raises(FormatError, match="corrupt"):
        decode_latents(model, np.full(3, 2**32 - 1, np.uint32))


def test_heads_are_held_against_the_payload():
    field, geometry = Grid(3, 0, 2, 1, 4), Geometry(6, 7, 1)
    weights = crafted(field, geometry)
    symbols = {name: weight.symbols for name, weight in weights.items()}
    steps = {name: weight.step for name, weight in weights.items()}
    payload = encode_payload(ANY, field.parts(geometry, ANY), symbols, steps)
    part = field.parts(geometry, ANY)[-1]
    part.know_steps(steps)
    head = part.head(symbols)
    at = payload.index(head)
    limit = symbols["latents"].max(initial=0)
    assert head[0] == max(limit, -symbols["latents"].min())
    for damaged in (put_varint(MAX_SYMBOL + 1) + head[1:], head[:1] + put_varint(1 << 30) + head[2:], head[:1]):
        with pytest.raises(FormatError):
            decode_payload(field, geometry, payload[:at] + damaged, steps)


def test_streams_that_are_longer_than_any_entries_need_are_refused_with_the_head():
    field, geometry = Grid(3, 0, 2, 1, 4), Geometry(6, 7, 1)
    most = FIRST_WORDS + MOST_WORDS * field.n_entries(geometry)
    part = field.parts(geometry, ANY)[-1]
    part.read_head(ByteReader(put_varint(1) + put_varint(most) + bytes(4 * most)))
    assert part.cost(0).memory_bytes > 48 * most
    with pytest.raises(FormatError, match="longer than its symbols"):
        part.read_head(ByteReader(put_varint(1) + put_varint(most + 1) + bytes(4 * most + 4)))


def test_weights_that_would_overflow_are_refused_before_they_are_used():
    field, geometry = Grid(4, 1), Geometry(9, 8, 1)
    weights = crafted(field, geometry)
    for name in ("entropy", "entropy_bias", "maps", "map_bias"):
        large = {**weights, name: Quantized(weights[name].symbols, Step(255, 40))}
        with pytest.raises(FormatError, match="too large"):
            model_of(field, geometry, large)
    with pytest.raises(FormatError, match="too large"):
        model_of(field, geometry, weights, MAX_SYMBOL)
