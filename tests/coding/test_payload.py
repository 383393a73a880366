from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.convolutional import parities, path_length
from nfcodec.coding.levels import FEATURES, NEIGHBOURS, NESTED, TRELLIS, LevelShape, LevelsPart
from nfcodec.coding.matrices import COLUMN_CODE
from nfcodec.coding.payload import decode_payload, encode_payload, estimate_payload
from nfcodec.coding.tensors import AdaptivePart, ColumnsPart
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL
from nfcodec.exact.field import Field, Role, Tensor
from nfcodec.exact.geometry import Geometry
from nfcodec.exact.part import Part
from nfcodec.fields import HashLevel, Ngp, Pyramid, Siren, Table, TiledSiren, Wavelet
from nfcodec.fields.siren.payload import ADAPTIVE, CODED_COLUMNS, COLUMNS
from nfcodec.fields.wavelet.payload import PREDICTED
from nfcodec.wire import put_varint

GEOMETRY = Geometry(11, 7, 3)
FIELDS = {
    "table": Table(),
    "pyramid": Pyramid(2, 5),
    "siren": Siren(width=8, hidden_layers=1),
    "encoded": Siren(width=8, hidden_layers=2, frequencies=2),
    "tiled": TiledSiren(1, 2, (8, 5), hidden_layers=1),
    "wavelet": Wavelet(2, 5),
    "ngp": Ngp((HashLevel(2.5, 4, 16, 2), HashLevel(6.25, 8, 32, 4)), hidden=(5, 4)),
}
CASES = {f"{order}-{name}": (field, order) for name, field in FIELDS.items() for order in field.orders(GEOMETRY)}
each_field = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())
each_case = pytest.mark.parametrize(("field", "order"), CASES.values(), ids=CASES.keys())


@dataclass(frozen=True)
class OfParts:
    """Stands for a field that has these orders and parts, whatever the geometry."""

    make: Callable[[int], Sequence[Part]]
    known: tuple[int, ...] = (1,)

    def orders(self, geometry):
        return self.known

    def parts(self, geometry, order):
        return self.make(order)


def layout_of(field: Field) -> list[Tensor]:
    return field.layout(GEOMETRY)


def random_symbols(field, scale=4.0, seed=0, order=None):
    rng = np.random.default_rng(seed)
    symbols = {t.name: np.round(rng.laplace(0, scale, t.shape)).astype(np.int64) for t in layout_of(field)}
    for tensor in layout_of(field):
        if order == TRELLIS and tensor.role is Role.TABLE:
            symbols[tensor.name] = on_trellis(symbols[tensor.name])
        if order == CODED_COLUMNS and tensor.role is Role.MATRIX:
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


def encode(field, order, symbols):
    return encode_payload(order, field.parts(GEOMETRY, order), symbols)


def decode(field, payload):
    return decode_payload(field, GEOMETRY, payload)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name, values in a.items():
        assert values.shape == b[name].shape
        assert np.array_equal(values, b[name]), name


def assert_estimated(field, order, symbols, size):
    assert abs(estimate_payload(order, field.parts(GEOMETRY, order), symbols) - size) <= 8


def test_orders():
    levels, columns = {NEIGHBOURS, FEATURES, NESTED, TRELLIS}, {ADAPTIVE, COLUMNS, CODED_COLUMNS}
    known = {name: set(field.orders(GEOMETRY)) for name, field in FIELDS.items()}
    assert known == {
        "table": levels, "pyramid": levels, "siren": columns, "encoded": columns, "tiled": columns,
        "wavelet": {PREDICTED}, "ngp": {ADAPTIVE},
    }  # fmt: skip


@each_field
def test_orders_that_suit_symbols(field):
    """One that asks for the parities of a path is offered where they are so, and only what a file may name."""
    known = field.orders(GEOMETRY)
    plain = field.orders(GEOMETRY, random_symbols(field))
    assert plain
    assert set(plain) == set(known) - {TRELLIS, CODED_COLUMNS}
    if TRELLIS in known:
        assert field.orders(GEOMETRY, random_symbols(field, order=TRELLIS)) == known
    if CODED_COLUMNS in known:
        assert field.orders(GEOMETRY, random_symbols(field, order=CODED_COLUMNS)) == (CODED_COLUMNS,)


BIAS = Tensor("bias", (2,), Role.BIAS)


def test_differences_that_add_up_to_too_much_are_refused():
    field = OfParts(lambda order: [AdaptivePart(BIAS, differences=True)])
    plain = ({"bias": np.array([9, MAX_SYMBOL - 9 + more])} for more in (0, 1))
    payloads = [encode_payload(1, [AdaptivePart(BIAS)], symbols) for symbols in plain]
    assert decode(field, payloads[0])["bias"].tolist() == [9, MAX_SYMBOL]
    with pytest.raises(FormatError, match="add up"):
        decode(field, payloads[1])


def test_differences_wider_than_a_laplace_table_are_coded_otherwise():
    field, geometry = TiledSiren(1, 1, (2,), hidden_layers=0), Geometry(3, 3, 1)
    symbols = {tensor.name: np.zeros(tensor.shape, np.int64) for tensor in field.layout(geometry)}
    symbols["tile0.weight0"][0, 0] = 1  # no path has this parity alone
    symbols["tile0.bias0"][:] = -MAX_SYMBOL, 0
    assert COLUMNS in field.orders(geometry, symbols)
    symbols["tile0.bias0"][1] = 1
    assert field.orders(geometry, symbols) == (ADAPTIVE,)


@pytest.mark.parametrize("part", [AdaptivePart, ColumnsPart])
def test_symbols_that_rise_take_fewer_bytes_as_differences(part):
    tensor = Tensor("bias", (60,), Role.BIAS)
    symbols = {"bias": np.sort(np.arange(60) * 7919 % 10_007)}
    field = OfParts(lambda order: [part(tensor, differences=True)])
    payload = encode(field, 1, symbols)
    assert_same(decode(field, payload), symbols)
    assert len(payload) < len(encode_payload(1, [part(tensor)], symbols))


def test_that_differences_rise_saves_their_signs():
    differences = np.arange(800) * 7919 % 101
    field = OfParts(lambda order: [ColumnsPart(Tensor("bias", (800,), Role.BIAS), differences=True)])
    sizes = []
    for signs in (1, 1 - 2 * (differences % 2)):
        symbols = {"bias": np.cumsum(differences * signs)}
        payload = encode(field, 1, symbols)
        assert_same(decode(field, payload), symbols)
        sizes.append(len(payload))
    assert 90 <= sizes[1] - sizes[0] <= 110


def test_a_matrix_needs_its_scale():
    good = encode(FIELDS["siren"], COLUMNS, random_symbols(FIELDS["siren"]))
    for bad, message in ((good[:3], "truncated"), (good[:1] + bytes([153]) + good[2:], "scale")):
        with pytest.raises(FormatError, match=message):
            decode(FIELDS["siren"], bad)


@each_case
@pytest.mark.parametrize("scale", [0.0, 0.3, 40.0, 20_000.0])
def test_round_trip(field, order, scale):
    symbols = random_symbols(field, scale, order=order)
    payload = encode(field, order, symbols)
    assert payload[0] == order
    assert_same(decode(field, payload), symbols)
    assert_estimated(field, order, symbols, len(payload))


@pytest.mark.parametrize("regime", [0, 255])
def test_round_trip_in_every_regime(regime):
    field = FIELDS["wavelet"]
    symbols = random_symbols(field)
    payload = encode_payload(PREDICTED, field.parts(GEOMETRY, PREDICTED, regime), symbols)
    assert payload[:2] == bytes([PREDICTED, regime])
    assert_same(decode(field, payload), symbols)
    assert abs(estimate_payload(PREDICTED, field.parts(GEOMETRY, PREDICTED, regime), symbols) - len(payload)) <= 8


@each_field
def test_extreme_symbols(field):
    symbols = random_symbols(field, 0.2)
    for i, values in enumerate(symbols.values()):
        values.reshape(-1)[-1] = MAX_SYMBOL * (-1) ** i
    assert_same(decode(field, encode(field, field.orders(GEOMETRY, symbols)[0], symbols)), symbols)


def test_zeros_cost_only_the_models():
    """Of levels a limit for each feature, of each other tensor a limit and a scale."""
    field = FIELDS["pyramid"]
    symbols = {t.name: np.zeros(t.shape, np.int64) for t in layout_of(field)}
    n_others = sum(tensor.role is not Role.TABLE for tensor in layout_of(field))
    assert len(encode(field, NEIGHBOURS, symbols)) == 1 + 3 + 2 * n_others


@each_case
def test_every_truncation_is_refused_or_a_value(field, order):
    payload = encode(field, order, random_symbols(field, order=order))
    for size in range(len(payload)):
        try:
            symbols = decode(field, payload[:size])
        except FormatError:
            continue
        assert {name: value.shape for name, value in symbols.items()} == {t.name: t.shape for t in layout_of(field)}


@each_case
def test_damage_is_refused_or_a_value(field, order):
    payload = encode(field, order, random_symbols(field, 90.0, order=order))
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(payload)
        for at in rng.integers(0, len(payload), rng.integers(1, 4)):
            damaged[at] ^= int(rng.integers(1, 256))
        try:
            decode(field, bytes(damaged))
        except FormatError:
            refused += 1
    assert refused > 0


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(sorted(FIELDS)),
    st.sampled_from([b"", *(bytes([order]) for order in range(1, 9))]),
    st.binary(max_size=120),
)
def test_garbage_is_refused_or_a_value(name, order, garbage):
    try:
        symbols = decode(FIELDS[name], order + garbage)
    except FormatError:
        return
    assert symbols.keys() == {t.name for t in layout_of(FIELDS[name])}


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(FIELDS["pyramid"].orders(GEOMETRY)),
    st.lists(st.integers(0, 5000) | st.just(MAX_SYMBOL), min_size=3, max_size=3),
    st.integers(0, 2**32),
)
def test_noise_for_a_stream_is_refused_or_a_value(order, limits, seed):
    """A well-formed head with wide alphabets, then noise: the deepest that garbage gets."""
    field = FIELDS["pyramid"]
    head = bytes([order]) + b"".join(put_varint(limit) for limit in limits)
    head += (put_varint(300) + b"\5") * sum(tensor.role is not Role.TABLE for tensor in layout_of(field))
    stream = np.random.default_rng(seed).integers(0, 256, 4000).astype(np.uint8).tobytes()
    with pytest.raises(FormatError):  # far too long for so few symbols
        decode(field, head + stream)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 255), st.integers(0, 2**32))
def test_noise_for_coefficients_is_refused(regime, seed):
    field = FIELDS["wavelet"]
    head = bytes([PREDICTED, regime]) + (put_varint(300) + b"\5") * (len(layout_of(field)) - 1)
    with pytest.raises(FormatError):  # far too long, or a coefficient far too large
        decode(field, head + np.random.default_rng(seed).bytes(8000))


@each_field
def test_orders_must_suit_the_field(field):
    order = field.orders(GEOMETRY)[0]
    payload = encode(field, order, random_symbols(field, order=order))
    for other in {*range(256)} - {*field.orders(GEOMETRY)}:
        with pytest.raises(FormatError, match="order"):
            decode(field, bytes([other]) + payload[1:])


def test_the_head_of_coefficients_must_be_there():
    with pytest.raises(FormatError, match="truncated"):
        decode(FIELDS["wavelet"], bytes([PREDICTED]))
    field, geometry = Wavelet(0), Geometry(1, 1, 1)
    zeros = {tensor.name: np.zeros(tensor.shape, np.int64) for tensor in field.layout(geometry)}
    payload = encode_payload(PREDICTED, field.parts(geometry, PREDICTED), zeros)
    for size in range(6):  # order, regime, and a limit and a scale of the linear map and of the bias
        with pytest.raises(FormatError):
            decode_payload(field, geometry, payload[:size])


def test_bad_heads():
    field = FIELDS["siren"]
    good = encode(field, ADAPTIVE, random_symbols(field))
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
            decode(field, bad)


LEVELS = {"level0": LevelShape(3, 2, 1, 2), "level1": LevelShape(6, 4, 3, 1), "level2": LevelShape(11, 7, 3, 0)}
OTHERS = [
    Tensor("skip", (3, 7), Role.MATRIX),
    Tensor("weight0", (5, 7), Role.MATRIX),
    Tensor("bias0", (5,), Role.BIAS),
    Tensor("weight1", (3, 5), Role.MATRIX),
    Tensor("bias_out", (3,), Role.BIAS),
]


@pytest.mark.parametrize(
    ("order", "digest"),
    [
        (NEIGHBOURS, "3e595bf61e2d644ed96775cb8d5120c282da60d2897931a645bdd34cf59c705f"),
        (FEATURES, "b713a7a27dbaff0d6a65184af86063ad2ac256a36ad49fd8a6587a16f360f3ef"),
        (NESTED, "c8f38e7f5ca88ecd447cbb2ed7c26ea641f76025d29892d55411a8dd0dc89ef8"),
        (TRELLIS, "c91d0497ed0be02fddb60a52ca3e2887446638898362fb5fd2901faccecc8461"),
    ],
)
def test_payloads_of_levels_are_frozen(order, digest):
    """Files live longer than libraries: these bytes may never change."""
    shapes = {name: (each.rows, each.cols, each.features) for name, each in LEVELS.items()}
    shapes |= {tensor.name: tensor.shape for tensor in OTHERS}
    symbols = {}
    for i, (name, shape) in enumerate(shapes.items()):
        pattern = np.arange(np.prod(shape)) * 2_654_435_761 % 2**32 >> 8
        symbols[name] = (pattern % (4**i + 2) - 4**i // 2).reshape(shape)
    if order == TRELLIS:
        symbols |= {name: on_trellis(symbols[name]) for name in LEVELS}
    parts = [LevelsPart(order, LEVELS), *map(AdaptivePart, OTHERS)]
    assert hashlib.sha256(encode_payload(order, parts, symbols)).hexdigest() == digest


@pytest.mark.parametrize(
    ("order", "digest"),
    [
        (COLUMNS, "7888ccb87cbb1552a3d92639415baa1dfe69959fa70426f42cdf08c029c963d2"),
        (CODED_COLUMNS, "667355d6116cbbb358cd469ca9987883163c4a192464932b0c3ac650cc0f5f2d"),
    ],
)
def test_payloads_of_networks_are_frozen(order, digest):
    """The same."""
    symbols = {}
    for tensor in layout_of(FIELDS["tiled"]):
        pattern = np.arange(tensor.size) * 2_654_435_761 % 2**32 >> 24
        symbols[tensor.name] = pattern.reshape(tensor.shape)
        if order == CODED_COLUMNS and tensor.role is Role.MATRIX:
            symbols[tensor.name] = with_path(symbols[tensor.name])
    assert hashlib.sha256(encode(FIELDS["tiled"], order, symbols)).hexdigest() == digest
