from __future__ import annotations

import hashlib
from decimal import ROUND_FLOOR, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.entropy import TABLE_TOTAL, Decoder, Encoder, Estimator
from nfcodec.coding.laplace import (
    DECAYS,
    ESCAPE,
    MAX_SCALE,
    MAX_SYMBOL,
    N_TABLE_SCALES,
    SMALLEST_LOG2,
    _tables,
    code_laplace,
    scale_index,
)
from nfcodec.errors import FormatError


def table_rows() -> np.ndarray:
    """The frequencies of all tables, (scales * 8, symbols)."""
    return np.stack([table.frequencies for table in _tables()])


def arrays(*columns):
    return [np.array(column, np.int64) for column in columns]


def round_trip(locations, scales, values):
    encoder, estimator = Encoder(), Estimator()
    assert np.array_equal(code_laplace(encoder, locations, scales, values), values)
    code_laplace(estimator, locations, scales, values)
    stream = encoder.finish()
    assert abs(len(stream) - estimator.bits / 8) <= 8
    decoder = Decoder(stream)
    assert np.array_equal(code_laplace(decoder, locations, scales, None), values)
    decoder.finish()
    return estimator.bits


def test_decays_are_rounded_exactly():
    with localcontext() as context:
        context.prec = 50
        for i, decay in enumerate(DECAYS):
            scale = Decimal(2) ** (Decimal(i - 32) / 8)
            exact = 2**30 * (-1 / (8 * scale)).exp()
            assert decay == int((exact + Decimal("0.5")).to_integral_value(ROUND_FLOOR))
    assert len(DECAYS) == N_TABLE_SCALES


def test_tables_are_laplace_distributions():
    """Of the scale and the fraction that their index says, but for a floor of 2^-18."""
    tables = table_rows()
    assert tables.shape == (8 * N_TABLE_SCALES, 2 * ESCAPE + 1)
    assert np.all(tables >= 1)
    assert np.all(tables.sum(axis=1) == TABLE_TOTAL)
    edges = np.arange(-ESCAPE, ESCAPE) + 0.5
    for i in range(N_TABLE_SCALES):
        for fraction in range(-4, 4):
            x = (edges - fraction / 8) / 2 ** ((i - 32) / 8)
            below = np.where(x < 0, np.exp(-np.abs(x)) / 2, 1 - np.exp(-np.abs(x)) / 2)
            mass = np.diff(np.concatenate([[0], below, [1]])) + 2.0**-18
            got = tables[8 * i + fraction + 4] / TABLE_TOTAL
            assert np.abs(got - mass / mass.sum()).max() < 1e-5


def test_tables_are_mirrored():
    """But for what rounding down leaves over."""
    tables = table_rows().reshape(N_TABLE_SCALES, 8, -1)
    for fraction in range(1, 4):
        assert np.abs(tables[:, 4 + fraction, ::-1] - tables[:, 4 - fraction]).max() <= 2 * ESCAPE


def test_tables_are_frozen():
    """Files live longer than libraries: these numbers may never change."""
    digest = hashlib.sha256(table_rows().astype("<i8").tobytes()).hexdigest()
    assert digest == "ceff335cf1b74c78534a5a6f2723e1a02003aa67cf1af0f57511d0d3cc197fae"


def test_scale_index():
    assert scale_index(np.array([-1024, -33, -32, 0, 24, 120, 121, 1024])).tolist() == [0, 0, 0, 32, 56, 152, 152, 152]
    assert MAX_SCALE == 152


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(-8 * MAX_SYMBOL, 8 * MAX_SYMBOL) | st.integers(-2000, 2000),
            st.integers(0, MAX_SCALE),
            st.integers(-MAX_SYMBOL, MAX_SYMBOL) | st.integers(-200, 200),
        ),
        max_size=60,
    )
)
def test_round_trip(run):
    round_trip(*arrays(*zip(*run, strict=True)) if run else arrays((), (), ()))


def test_round_trip_at_the_ends():
    ends = [
        (location, scale, value)
        for location in (-8 * MAX_SYMBOL, -5, -4, 3, 4, 8 * MAX_SYMBOL)
        for scale in (0, 56, 57, 64, 65, MAX_SCALE)
        for value in (-MAX_SYMBOL, -(ESCAPE << 12), -ESCAPE, 1 - ESCAPE, 0, ESCAPE - 1, ESCAPE, MAX_SYMBOL)
    ]
    round_trip(*arrays(*zip(*ends, strict=True)))


@pytest.mark.parametrize("log2_scale", [-3, -1, 0, 1.5, 3, 3.25, 6, 10, 15])
@pytest.mark.parametrize("location", [0.0, 0.375, -100.5])
def test_the_cost_is_that_of_the_distribution(log2_scale: float, location: float):
    """Shifted tables cost next to nothing more; neither do the floor and the location's rounding."""
    rng = np.random.default_rng(0)
    n, scale = 20_000, 2.0**log2_scale
    values = np.round(location + rng.laplace(0, scale, n)).astype(np.int64)
    locations = np.full(n, round(8 * location), np.int64)
    scales = scale_index(np.full(n, round(8 * log2_scale), np.int64))
    bits = round_trip(locations, scales, values) / n
    symbols = np.arange(-4000, 4001) * max(1.0, scale / 100)
    unit = symbols[1] - symbols[0]
    x = (np.concatenate([symbols - unit / 2, [symbols[-1] + unit / 2]]) - location) / scale
    below = np.where(x < 0, np.exp(-np.abs(x)) / 2, 1 - np.exp(-np.abs(x)) / 2)
    mass = np.diff(below)
    entropy = -(mass[mass > 0] * np.log2(mass[mass > 0])).sum() + np.log2(unit)
    assert bits < 1.02 * entropy + 0.03


def test_locations_matter():
    n = 1000
    values = np.full(n, 17, np.int64)
    near, far = (
        round_trip(np.full(n, location, np.int64), np.full(n, 20, np.int64), values) for location in (8 * 17, 0)
    )
    assert near < far / 20


def test_a_value_that_is_too_large_is_refused():
    for value in (MAX_SYMBOL + 1, -MAX_SYMBOL - 1):
        for scale in (0, MAX_SCALE):
            encoder = Encoder()
            code_laplace(encoder, *arrays([0], [scale], [value]))
            with pytest.raises(FormatError):
                code_laplace(Decoder(encoder.finish()), *arrays([0], [scale]), None)


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=200), st.integers(0, 2**32))
def test_garbage_is_refused_or_a_value(garbage: bytes, seed: int):
    rng = np.random.default_rng(seed)
    locations, scales = rng.integers(-8 * MAX_SYMBOL, 8 * MAX_SYMBOL + 1, 30), rng.integers(0, MAX_SCALE + 1, 30)
    try:
        values = code_laplace(Decoder(garbage[: len(garbage) // 4 * 4]), locations, scales, None)
    except FormatError:
        return
    assert np.abs(values).max() <= MAX_SYMBOL


@pytest.mark.parametrize("largest_scale", [40, N_TABLE_SCALES - 1, N_TABLE_SCALES + 20, MAX_SCALE])
@pytest.mark.parametrize("spread", [0.0, 1.0, 60.0])
def test_sorting_by_a_compiled_loop_changes_nothing(largest_scale, spread, monkeypatch):
    """With low bits coded flat and with escapes, and with neither."""
    kernels = pytest.importorskip("nfcodec.coding.laplace_kernels")
    rng, n = np.random.default_rng(0), 3000
    scales = rng.integers(0, largest_scale + 1, n).astype(np.int32)
    locations = rng.integers(-900, 901, n).astype(np.int32)
    noise = rng.laplace(0, 1, n) * (1 + spread * (rng.random(n) < 0.01))
    values = np.round(locations / 8 + noise * 2.0 ** (scales / 8 + SMALLEST_LOG2)).astype(np.int32)
    streams: list[bytes] = []
    for load in (lambda path, **_: getattr(kernels, path.rpartition(":")[2]), lambda path, **_: None):
        monkeypatch.setattr("nfcodec.coding.laplace.compiled", load)
        encoder = Encoder()
        assert np.array_equal(code_laplace(encoder, locations, scales, values), values)
        streams.append(encoder.finish())
        decoder = Decoder(streams[0])
        assert np.array_equal(code_laplace(decoder, locations, scales, None), values)
        decoder.finish()
    assert streams[0] == streams[1]
