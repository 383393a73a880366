from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.convolutional import parities, path_length
from nfcodec.coding.features import FeaturesPart
from nfcodec.coding.levels import LevelShape, LevelsPart
from nfcodec.coding.matrices import COLUMN_CODE
from nfcodec.coding.payload import ANY, CODED, NEIGHBOURS, decode_payload, encode_payload, estimate_payload
from nfcodec.coding.tensors import AdaptivePart, ColumnsPart
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL
from nfcodec.exact.field import Field, Role, Tensor
from nfcodec.exact.geometry import Geometry
from nfcodec.exact.part import Part
from nfcodec.fields import HashLevel, Ngp, Pyramid, Siren, Table, TiledSiren, Wavelet
from nfcodec.wire import put_varint

GEOMETRY = Geometry(11, 7, 3)
FIELDS = {
    "table": Table(),
    "pyramid": Pyramid(2, 5),
    "siren": Siren(width=8, hidden_layers=1),
    "encoded": Siren(width=8, hidden_layers=2, frequencies=2),
    "tiled": TiledSiren(1, 2, (8, 5), hidden_layers=1),
    "wavelet": Wavelet(2, 5),
    "ngp": Ngp((HashLevel(2.5, 4, 16, 2), HashLevel(6.25, 8, 32, 4), HashLevel(9.5, 11, 128, 4)), hidden=(5, 4)),
}
TILED = FIELDS["tiled"]
CASES = {f"{order}-{name}": (field, order) for name, field in FIELDS.items() for order in field.orders(GEOMETRY)}
each_field = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())
each_case = pytest.mark.parametrize(("field", "order"), CASES.values(), ids=CASES.keys())


@dataclass(frozen=True)
class OfParts:
    """Stands for a field that has these orders and parts, whatever the geometry."""

    make: Callable[[int], Sequence[Part]]
    known: tuple[int, ...] = (ANY,)
    uses_all_symbols: ClassVar[bool] = True

    def orders(self, geometry):
        return self.known

    def parts(self, geometry, order):
        return self.make(order)


def layout_of(field: Field) -> list[Tensor]:
    return field.layout(GEOMETRY)


def used(field):
    """By tensor, which symbols a file holds: entries of hash levels that no pixel uses are in none."""
    masks = {tensor.name: np.ones(tensor.shape, bool) for tensor in layout_of(field)}
    for i, level in enumerate(field.levels if isinstance(field, Ngp) else ()):
        masks[f"level{i}"][:] = False
        masks[f"level{i}"][level.used(GEOMETRY).index] = True
    return masks


def random_symbols(field, scale=4.0, seed=0, order=None):
    rng, masks = np.random.default_rng(seed), used(field)
    symbols = {t.name: np.round(rng.laplace(0, scale, t.shape)).astype(np.int64) for t in layout_of(field)}
    for tensor in layout_of(field):
        symbols[tensor.name][~masks[tensor.name]] = 0
        if order == CODED and tensor.role is Role.TABLE:
            symbols[tensor.name] = on_trellis(symbols[tensor.name])
        if order == CODED and tensor.role is Role.MATRIX:
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
    known = {name: field.orders(GEOMETRY) for name, field in FIELDS.items()}
    assert known == {
        "table": (ANY, CODED), "pyramid": (ANY,), "siren": (ANY, CODED), "encoded": (ANY, CODED),
        "tiled": (ANY, CODED), "wavelet": (ANY,), "ngp": (ANY, NEIGHBOURS),
    }  # fmt: skip


@each_field
def test_orders_that_suit_symbols(field):
    """The one that asks for the parities of a path is offered where they are so, and only what a file may name."""
    known = field.orders(GEOMETRY)
    assert field.orders(GEOMETRY, random_symbols(field)) == tuple(order for order in known if order != CODED)
    if CODED in known:
        assert CODED in field.orders(GEOMETRY, random_symbols(field, order=CODED))


BIAS = Tensor("bias", (2,), Role.BIAS)


def test_differences_that_add_up_to_too_much_are_refused():
    field = OfParts(lambda order: [AdaptivePart(BIAS, differences=True)])
    plain = ({"bias": np.array([9, MAX_SYMBOL - 9 + more])} for more in (0, 1))
    payloads = [encode_payload(ANY, [AdaptivePart(BIAS)], symbols) for symbols in plain]
    assert decode(field, payloads[0])["bias"].tolist() == [9, MAX_SYMBOL]
    with pytest.raises(FormatError, match="add up"):
        decode(field, payloads[1])


def test_differences_wider_than_a_laplace_table_are_coded_otherwise():
    field, geometry = TiledSiren(1, 1, (2,), hidden_layers=0), Geometry(3, 3, 1)
    symbols = {tensor.name: np.zeros(tensor.shape, np.int64) for tensor in field.layout(geometry)}
    symbols["tile0.bias0"][:] = -MAX_SYMBOL, 0
    assert field.orders(geometry, symbols) == (CODED,)
    symbols["tile0.bias0"][1] = 1
    assert field.orders(geometry, symbols) == (ANY,)


@pytest.mark.parametrize("part", [AdaptivePart, ColumnsPart])
def test_symbols_that_rise_take_fewer_bytes_as_differences(part):
    tensor = Tensor("bias", (60,), Role.BIAS)
    symbols = {"bias": np.sort(np.arange(60) * 7919 % 10_007)}
    field = OfParts(lambda order: [part(tensor, differences=True)])
    payload = encode(field, ANY, symbols)
    assert_same(decode(field, payload), symbols)
    assert len(payload) < len(encode_payload(ANY, [part(tensor)], symbols))


def test_that_differences_rise_saves_their_signs():
    differences = np.arange(800) * 7919 % 101
    field = OfParts(lambda order: [ColumnsPart(Tensor("bias", (800,), Role.BIAS), differences=True)])
    sizes = []
    for signs in (1, 1 - 2 * (differences % 2)):
        symbols = {"bias": np.cumsum(differences * signs)}
        payload = encode(field, ANY, symbols)
        assert_same(decode(field, payload), symbols)
        sizes.append(len(payload))
    assert 90 <= sizes[1] - sizes[0] <= 110


def test_a_matrix_needs_its_scale():
    good = encode(FIELDS["ngp"], NEIGHBOURS, random_symbols(FIELDS["ngp"]))
    first = 1 + FIELDS["ngp"].encoding_size  # order, and a limit of each feature
    for bad, message in ((good[: first + 2], "truncated"), (good[:first] + bytes([153]) + good[first + 1 :], "scale")):
        with pytest.raises(FormatError, match=message):
            decode(FIELDS["ngp"], bad)


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
    payload = encode_payload(ANY, field.parts(GEOMETRY, ANY, regime), symbols)
    heads = [part.head(symbols) for part in field.parts(GEOMETRY, ANY, regime)]
    assert heads[-1] == bytes([regime])
    assert payload.startswith(bytes([ANY]) + b"".join(heads))
    assert_same(decode(field, payload), symbols)
    assert abs(estimate_payload(ANY, field.parts(GEOMETRY, ANY, regime), symbols) - len(payload)) <= 8


@each_field
def test_extreme_symbols(field):
    symbols, masks = random_symbols(field, 0.2), used(field)
    for i, (name, values) in enumerate(symbols.items()):
        values.reshape(-1)[np.flatnonzero(masks[name])[-1]] = MAX_SYMBOL * (-1) ** i
    assert_same(decode(field, encode(field, field.orders(GEOMETRY, symbols)[0], symbols)), symbols)


def test_zeros_cost_only_the_models():
    """Of levels a limit for each feature, of each other tensor a limit and a scale."""
    field = FIELDS["pyramid"]
    symbols = {t.name: np.zeros(t.shape, np.int64) for t in layout_of(field)}
    n_others = sum(tensor.role is not Role.TABLE for tensor in layout_of(field))
    assert len(encode(field, ANY, symbols)) == 1 + 3 + 2 * n_others


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
    for _ in range(50):
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
    st.sampled_from([b"", *(bytes([order]) for order in range(4))]),
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
    st.sampled_from([("pyramid", ANY), ("table", ANY), ("table", CODED)]),
    st.lists(st.integers(0, 5000) | st.just(MAX_SYMBOL), min_size=3, max_size=3),
    st.integers(0, 2**32),
)
def test_noise_for_a_stream_is_refused_or_a_value(case, limits, seed):
    """A well-formed head with wide alphabets, then noise: the deepest that garbage gets."""
    name, order = case
    head = bytes([order]) + b"".join(put_varint(limit) for limit in limits)
    head += (put_varint(300) + b"\5") * sum(tensor.role is not Role.TABLE for tensor in layout_of(FIELDS[name]))
    stream = np.random.default_rng(seed).integers(0, 256, 4000).astype(np.uint8).tobytes()
    with pytest.raises(FormatError):  # far too long for so few symbols
        decode(FIELDS[name], head + stream)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 255), st.integers(0, 2**32))
def test_noise_for_coefficients_is_refused(regime, seed):
    field = FIELDS["wavelet"]
    head = bytes([ANY, regime]) + (put_varint(300) + b"\5") * (len(layout_of(field)) - 1)
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
        decode(FIELDS["wavelet"], bytes([ANY]))
    field, geometry = Wavelet(0), Geometry(1, 1, 1)
    zeros = {tensor.name: np.zeros(tensor.shape, np.int64) for tensor in field.layout(geometry)}
    payload = encode_payload(ANY, field.parts(geometry, ANY), zeros)
    for size in range(6):  # order, regime, and a limit and a scale of the linear map and of the bias
        with pytest.raises(FormatError):
            decode_payload(field, geometry, payload[:size])


def test_bad_heads():
    field = FIELDS["siren"]
    good = encode(field, ANY, random_symbols(field))
    for bad in (
        b"",
        b"\2" + good[1:],
        b"\3" + good[1:],
        b"\0" + put_varint(MAX_SYMBOL + 1) + good[2:],
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


TABLE = Tensor("level0", (11, 7, 3), Role.TABLE)


def pattern(shape, i):
    """Symbols of some size that grows with i."""
    return (np.arange(np.prod(shape)) * 2_654_435_761 % 2**32 >> 8).reshape(shape) % (4**i + 2) - 4**i // 2


def frozen_cases():
    """By name: parts, and their symbols."""
    levels = {name: (each.rows, each.cols, each.features) for name, each in LEVELS.items()}
    shapes = levels | {tensor.name: tensor.shape for tensor in OTHERS}
    others = {tensor.name: pattern(tensor.shape, 4) for tensor in OTHERS}
    table = pattern(TABLE.shape, 4)
    tiled = {t.name: (np.arange(t.size) * 2_654_435_761 % 2**32 >> 24).reshape(t.shape) for t in layout_of(TILED)}
    on_path = {t.name: with_path(tiled[t.name]) for t in layout_of(TILED) if t.role is Role.MATRIX}
    masks, entries = used(FIELDS["ngp"]), [t for t in layout_of(FIELDS["ngp"]) if t.role is Role.TABLE]
    hashed = {t.name: np.where(masks[t.name], pattern(t.shape, 2 + i), 0) for i, t in enumerate(entries)}
    of_entries = [FIELDS["ngp"].parts(GEOMETRY, order)[:1] for order in (ANY, NEIGHBOURS)]
    return {
        "levels": (
            [LevelsPart(LEVELS), *map(AdaptivePart, OTHERS)],
            {name: pattern(shape, i) for i, (name, shape) in enumerate(shapes.items())},
        ),
        "table": ([FeaturesPart(TABLE, coded=False)], {"level0": table}),
        "coded table": ([FeaturesPart(TABLE, coded=True)], {"level0": on_trellis(table)}),
        "adaptive": ([AdaptivePart(tensor) for tensor in OTHERS], others),
        "columns": ([ColumnsPart(tensor) for tensor in OTHERS], others),
        "coded tiles": (TILED.parts(GEOMETRY, CODED), tiled | on_path),
        "entries by features": (of_entries[0], hashed),
        "entries by neighbours": (of_entries[1], hashed),
    }


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("levels", "239f0b28c2184df7c156e5648a2adcc4200de21d6c6942abaf6d0b5b7e2589b0"),
        ("table", "8a47c43a10ed4a21512c601db0115bf391249e6a0310a9ab4112272b3983dab2"),
        ("coded table", "9b276528aa712255e3588d5003d80293ce36496344e04cbbb9adc98cd6b79ef2"),
        ("adaptive", "11f02f7aefd45814d5def338231b0facd01a76208d44796deee6f1785d7db3c4"),
        ("columns", "b2c63a0f3dccf81e1e62985c13cc2598dcf9fc0e7c1ffaf0d579465c8200c88c"),
        ("coded tiles", "162a45ac2786d00639b0ca629e0454ef431189ce26b57b9deb2d0f024224541c"),
        ("entries by features", "adfa401cafd2c486551d4cc87e0033599eeee4e10deea875f494f4e1101b665c"),
        ("entries by neighbours", "80affd238a7509c46e46996979d5d8f19a8671191641337647bb61e8478d8059"),
    ],
)
def test_what_follows_the_order_is_frozen(name, digest):
    """Files live longer than libraries: these bytes may never change."""
    parts, symbols = frozen_cases()[name]
    assert hashlib.sha256(encode_payload(ANY, parts, symbols)[1:]).hexdigest() == digest
