from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.convolutional import parities, path_length
from nfcodec.coding.levels import FEATURES, NEIGHBOURS, NESTED, TRELLIS
from nfcodec.coding.matrices import COLUMN_CODE
from nfcodec.coding.payload import (
    CODED_MATRICES,
    MATRICES,
    MAX_SYMBOL,
    SLOPES,
    decode_weights,
    encode_weights,
    estimate_bytes,
    orders,
)
from nfcodec.errors import FormatError
from nfcodec.exact.field import TensorSpec
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.wire import put_varint

GEOMETRY = Geometry(11, 7, 3)
SPECS = {
    "ngp": Ngp((DenseLevel(2, 1), DenseLevel(1, 3), DenseLevel(0, 3)), hidden=(5,), bias=True, skip=True),
    "siren": Siren(width=8, hidden_layers=1),
    "encoded": Siren(width=8, hidden_layers=2, frequencies=2),
    "tiled": TiledSiren(1, 2, (8, 5), hidden_layers=1),
    "wavelet": Ngp((WaveletLevel(2, 3),), hidden=(5,), bias=True, skip=True, shipped=True),
}
LAYOUTS = {name: spec.layout(GEOMETRY) for name, spec in SPECS.items()}
CASES = {f"{order}-{name}": (layout, order) for name, layout in LAYOUTS.items() for order in orders(layout)}
each_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
each_case = pytest.mark.parametrize(("layout", "order"), CASES.values(), ids=CASES.keys())


def random_symbols(layout, scale=4.0, seed=0, order=NESTED):
    rng = np.random.default_rng(seed)
    symbols = {t.name: np.round(rng.laplace(0, scale, t.shape)).astype(np.int64) for t in layout}
    for tensor in layout:
        if order == TRELLIS and tensor.log2_stride is not None:
            symbols[tensor.name] = on_trellis(symbols[tensor.name])
        if order == CODED_MATRICES and len(tensor.shape) > 1:
            symbols[tensor.name] = with_path(symbols[tensor.name])
    return symbols


def with_path(symbols):
    """The same, with the parities of some path, column after column."""
    rows, columns = symbols.shape
    path = (np.arange(columns * path_length(rows)) * 2_654_435_761 >> 20 & 1).astype(np.uint8)
    parity = parities(path, COLUMN_CODE, len(path)).reshape(columns, -1)[:, :rows]
    return 2 * (symbols >> 1) + np.transpose(parity)


def on_trellis(symbols):
    """The same, with the parities of some path."""
    path = (np.arange(path_length(symbols.size)) * 2_654_435_761 >> 20 & 1).astype(np.uint8)
    return 2 * (symbols >> 1) + parities(path, symbols.size % 2).reshape(-1)[: symbols.size].reshape(symbols.shape)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name, values in a.items():
        assert values.shape == b[name].shape
        assert np.array_equal(values, b[name]), name


def test_orders():
    assert orders(LAYOUTS["ngp"]) == (NEIGHBOURS, FEATURES, NESTED, TRELLIS)
    assert orders(LAYOUTS["siren"]) == (NEIGHBOURS, MATRICES, CODED_MATRICES)
    tiled = LAYOUTS["tiled"]
    assert orders(tiled, random_symbols(tiled)) == (NEIGHBOURS, MATRICES)
    assert orders(tiled, random_symbols(tiled, order=CODED_MATRICES)) == (CODED_MATRICES,)
    assert orders(LAYOUTS["wavelet"]) == (SLOPES,)
    assert orders(LAYOUTS["wavelet"], random_symbols(LAYOUTS["wavelet"])) == (SLOPES,)
    for name, layout in LAYOUTS.items():
        assert TRELLIS not in orders(layout, random_symbols(layout))
        assert (TRELLIS in orders(layout, random_symbols(layout, order=TRELLIS))) == (name == "ngp")


def test_differences_that_add_up_to_too_much_are_refused():
    layout = [TensorSpec("bias", (2,), differences=True)]
    payloads = [encode_weights(layout, NEIGHBOURS, {"bias": np.array([9, MAX_SYMBOL + more])}) for more in (0, 1)]
    assert decode_weights(layout, payloads[0])["bias"].tolist() == [9, MAX_SYMBOL]
    with pytest.raises(FormatError, match="add up"):
        decode_weights(layout, payloads[1])


def test_differences_wider_than_a_laplace_table_are_coded_otherwise():
    layout = [TensorSpec("weight", (2, 1)), TensorSpec("bias", (2,), differences=True)]
    symbols = {"weight": np.array([[0], [1]]), "bias": np.array([-MAX_SYMBOL, 0])}
    assert orders(layout, symbols) == (NEIGHBOURS, MATRICES)
    symbols["bias"][1] = 1
    assert orders(layout, symbols) == (NEIGHBOURS,)


@pytest.mark.parametrize("order", [NEIGHBOURS, MATRICES])
def test_symbols_that_rise_take_fewer_bytes_as_differences(order):
    layout = SPECS["tiled"].layout(GEOMETRY)
    symbols = {t.name: np.sort(np.arange(t.size) * 7919 % 10_007).reshape(t.shape) for t in layout}
    plain = [replace(tensor, differences=False) for tensor in layout]
    payload = encode_weights(layout, order, symbols)
    assert_same(decode_weights(layout, payload), symbols)
    assert len(payload) < len(encode_weights(plain, order, symbols))


def test_that_differences_rise_saves_their_signs():
    layout, differences = [TensorSpec("bias", (800,), differences=True)], np.arange(800) * 7919 % 101
    sizes = []
    for signs in (1, 1 - 2 * (differences % 2)):
        symbols = {"bias": np.cumsum(differences * signs)}
        payload = encode_weights(layout, MATRICES, symbols)
        assert_same(decode_weights(layout, payload), symbols)
        sizes.append(len(payload))
    assert 90 <= sizes[1] - sizes[0] <= 110


def test_a_matrix_needs_its_scale():
    layout = LAYOUTS["siren"]
    good = encode_weights(layout, MATRICES, random_symbols(layout))
    for bad in (good[:3], good[:1] + bytes([153]) + good[2:]):
        with pytest.raises(FormatError, match="scale"):
            decode_weights(layout, bad)


@each_case
@pytest.mark.parametrize("scale", [0.0, 0.3, 40.0, 20_000.0])
def test_round_trip(layout, order, scale):
    symbols = random_symbols(layout, scale, order=order)
    payload = encode_weights(layout, order, symbols)
    assert_same(decode_weights(layout, payload), symbols)
    assert abs(estimate_bytes(layout, order, symbols) - len(payload)) <= 8


@pytest.mark.parametrize("regime", [0, 255])
def test_round_trip_in_every_regime(regime):
    layout = LAYOUTS["wavelet"]
    symbols = random_symbols(layout)
    payload = encode_weights(layout, SLOPES, symbols, regime)
    assert payload[:2] == bytes([SLOPES, regime])
    assert_same(decode_weights(layout, payload), symbols)
    assert abs(estimate_bytes(layout, SLOPES, symbols, regime) - len(payload)) <= 8


@each_layout
def test_extreme_symbols(layout):
    symbols = random_symbols(layout, 0.2)
    for i, values in enumerate(symbols.values()):
        values.reshape(-1)[-1] = MAX_SYMBOL * (-1) ** i
    assert_same(decode_weights(layout, encode_weights(layout, orders(layout)[0], symbols)), symbols)


def test_zeros_cost_only_the_models():
    layout = LAYOUTS["ngp"]
    symbols = {t.name: np.zeros(t.shape, np.int64) for t in layout}
    assert len(encode_weights(layout, NEIGHBOURS, symbols)) == 1 + 3 + 2 * (len(layout) - 3)


@each_case
def test_every_truncation_is_refused_or_a_value(layout, order):
    payload = encode_weights(layout, order, random_symbols(layout, order=order))
    for size in range(len(payload)):
        try:
            symbols = decode_weights(layout, payload[:size])
        except FormatError:
            continue
        assert {name: value.shape for name, value in symbols.items()} == {t.name: t.shape for t in layout}


@each_case
def test_damage_is_refused_or_a_value(layout, order):
    payload = encode_weights(layout, order, random_symbols(layout, 90.0, order=order))
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(payload)
        for at in rng.integers(0, len(payload), rng.integers(1, 4)):
            damaged[at] ^= int(rng.integers(1, 256))
        try:
            decode_weights(layout, bytes(damaged))
        except FormatError:
            refused += 1
    assert refused > 0


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from([b"", *(bytes([order]) for order in range(1, 9))]),
    st.binary(max_size=120),
)
def test_garbage_is_refused_or_a_value(name, order, garbage):
    try:
        symbols = decode_weights(LAYOUTS[name], order + garbage)
    except FormatError:
        return
    assert symbols.keys() == {t.name for t in LAYOUTS[name]}


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([NEIGHBOURS, FEATURES, NESTED, TRELLIS]),
    st.lists(st.integers(0, 5000) | st.just(MAX_SYMBOL), min_size=3, max_size=3),
    st.integers(0, 2**32),
)
def test_noise_for_a_stream_is_refused_or_a_value(order, limits, seed):
    """A well-formed head with wide alphabets, then noise: the deepest that garbage gets."""
    layout = LAYOUTS["ngp"]
    head = bytes([order]) + b"".join(put_varint(limit) for limit in limits)
    head += (put_varint(300) + b"\5") * (len(layout) - 3)
    stream = np.random.default_rng(seed).integers(0, 256, 4000).astype(np.uint8).tobytes()
    with pytest.raises(FormatError):  # far too long for so few symbols
        decode_weights(layout, head + stream)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 255), st.integers(0, 2**32))
def test_noise_for_coefficients_is_refused(regime, seed):
    layout = LAYOUTS["wavelet"]
    head = bytes([SLOPES, regime]) + (put_varint(300) + b"\5") * (len(layout) - 1)
    with pytest.raises(FormatError):  # far too long, or a coefficient far too large
        decode_weights(layout, head + np.random.default_rng(seed).bytes(8000))


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("wavelet", 1),
        ("wavelet", 2),
        ("wavelet", 3),
        ("ngp", 3),
        ("siren", 2),
        ("siren", 3),
        ("siren", 4),
        ("siren", 5),
        ("siren", 6),
        ("ngp", 6),
        ("ngp", 7),
        ("ngp", 8),
        ("siren", 9),
        ("wavelet", 4),
        ("wavelet", 5),
        ("wavelet", 7),
        ("wavelet", 8),
    ],
)
def test_orders_must_suit_the_field(name, order):
    layout = LAYOUTS[name]
    payload = encode_weights(layout, orders(layout)[0], random_symbols(layout))
    with pytest.raises(FormatError, match="order"):
        decode_weights(layout, bytes([order]) + payload[1:])


def test_the_regime_must_be_there():
    with pytest.raises(FormatError, match="regime"):
        decode_weights(LAYOUTS["wavelet"], bytes([SLOPES]))
    bare = Ngp((WaveletLevel(0, 1),), hidden=(), skip=True).layout(Geometry(1, 1, 1))
    zeros = {tensor.name: np.zeros(tensor.shape, np.int64) for tensor in bare}
    payload = encode_weights(bare, SLOPES, zeros)
    for size in range(4):  # order, regime, limit, scale
        with pytest.raises(FormatError):
            decode_weights(bare, payload[:size])


def test_bad_heads():
    layout = LAYOUTS["siren"]
    good = encode_weights(layout, NEIGHBOURS, random_symbols(layout))
    for bad in (
        b"",
        b"\0" + good[1:],
        b"\3" + good[1:],
        b"\1" + put_varint(MAX_SYMBOL + 1) + good[2:],
        good[:2] + b"\x40" + good[3:],  # a prior scale of 64
        good + b"\1" * 8,
        good + b"\1",
    ):
        with pytest.raises(FormatError):
            decode_weights(layout, bad)


def test_the_payload_is_frozen():
    """Files live longer than libraries: these bytes may never change."""
    layout = LAYOUTS["ngp"]
    symbols = {}
    for i, tensor in enumerate(layout):
        pattern = np.arange(tensor.size) * 2_654_435_761 % 2**32 >> 8
        symbols[tensor.name] = (pattern % (4**i + 2) - 4**i // 2).reshape(tensor.shape)
    digests = [hashlib.sha256(encode_weights(layout, order, symbols)).hexdigest() for order in orders(layout, symbols)]
    for name in ("level0", "level1", "level2"):
        symbols[name] = on_trellis(symbols[name])
    digests.append(hashlib.sha256(encode_weights(layout, TRELLIS, symbols)).hexdigest())
    assert digests == [
        "3e595bf61e2d644ed96775cb8d5120c282da60d2897931a645bdd34cf59c705f",
        "b713a7a27dbaff0d6a65184af86063ad2ac256a36ad49fd8a6587a16f360f3ef",
        "c8f38e7f5ca88ecd447cbb2ed7c26ea641f76025d29892d55411a8dd0dc89ef8",
        "c91d0497ed0be02fddb60a52ca3e2887446638898362fb5fd2901faccecc8461",
    ]
    for tensor in (tiles := LAYOUTS["tiled"]):
        symbols[tensor.name] = (np.arange(tensor.size) * 2_654_435_761 % 2**32 >> 24).reshape(tensor.shape)
    assert hashlib.sha256(encode_weights(tiles, MATRICES, symbols)).hexdigest() == (
        "7888ccb87cbb1552a3d92639415baa1dfe69959fa70426f42cdf08c029c963d2"
    )
    for tensor in tiles:
        if len(tensor.shape) > 1:
            symbols[tensor.name] = with_path(symbols[tensor.name])
    assert hashlib.sha256(encode_weights(tiles, CODED_MATRICES, symbols)).hexdigest() == (
        "667355d6116cbbb358cd469ca9987883163c4a192464932b0c3ac650cc0f5f2d"
    )
