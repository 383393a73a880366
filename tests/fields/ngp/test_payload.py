"""How a file holds the entries of hashed levels. tests/conformance/decoder.py reads the same without this code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.payload import ANY, NEIGHBOURS, decode_payload, encode_payload, estimate_payload
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import MAX_SYMBOL
from nfcodec.exact.field import Role
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.wire import put_varint

ORDERS = (ANY, NEIGHBOURS)
each_order = pytest.mark.parametrize("order", ORDERS, ids=["by features", "by neighbours"])


def level(scale: float, features: int, size: int | None = None) -> HashLevel:
    """With room for all vertices, unless there is a size."""
    resolution = int(np.ceil(scale)) + 1
    return HashLevel(scale, resolution, size or -(-(resolution**2) // 8) * 8, features)


@st.composite
def levels(draw) -> HashLevel:
    scale = draw(st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.5, 3.0, 6.5, 7.25, 11.5, 12.0, 23.5, 30.0]))
    size = draw(st.sampled_from([None, None, 8, 16, 128]))
    return level(scale, draw(st.sampled_from([1, 2, 4, 8])), size)


geometries = st.builds(Geometry, st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]))
fields = st.builds(lambda levels, width: Ngp(tuple(levels), (width,)), st.lists(levels(), min_size=1, max_size=4),
                   st.integers(1, 5))  # fmt: skip


def random_symbols(field: Ngp, geometry: Geometry, size: float, seed: int) -> dict[str, np.ndarray]:
    """Of all entries, whether some pixel uses them or not."""
    rng = np.random.default_rng(seed)
    return {
        tensor.name: np.round(rng.laplace(0, size, tensor.shape)).astype(np.int64) for tensor in field.layout(geometry)
    }


def without_unused(field: Ngp, geometry: Geometry, symbols):
    found = dict(symbols)
    for i, each in enumerate(field.levels):
        index = each.used(geometry).index
        found[f"level{i}"] = np.zeros_like(symbols[f"level{i}"])
        found[f"level{i}"][index] = symbols[f"level{i}"][index]
    return found


def encode(field: Ngp, geometry: Geometry, order: int, symbols) -> bytes:
    return encode_payload(order, field.parts(geometry, order), symbols)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == np.int64
        assert np.array_equal(found[name], values), name


@settings(deadline=None, max_examples=60)
@given(fields, geometries, st.sampled_from([0.0, 0.4, 5.0, 900.0, 100_000.0]), st.integers(0, 2**32))
def test_round_trip(field, geometry, size, seed):
    symbols = random_symbols(field, geometry, size, seed)
    for order in ORDERS:
        payload = encode(field, geometry, order, symbols)
        assert payload[0] == order
        assert_same(decode_payload(field, geometry, payload), without_unused(field, geometry, symbols))
        assert abs(estimate_payload(order, field.parts(geometry, order), symbols) - len(payload)) <= 8


MIXED = Ngp((level(0.5, 4), level(2.5, 1), level(3.0, 2), level(6.5, 8), level(12.0, 2), level(12.0, 4, 64)), (5,))
"""On the lattice, but for the third level, which has vertices beyond its last ones, and the last, which is hashed."""

GEOMETRY = Geometry(9, 12, 3)


def test_what_is_on_the_lattice():
    assert [each.used(GEOMETRY).on_lattice for each in MIXED.levels] == [True, True, False, True, True, False]


@each_order
def test_what_no_pixel_uses_takes_no_bytes(order):
    symbols = random_symbols(MIXED, GEOMETRY, 3.0, 0)
    clean = without_unused(MIXED, GEOMETRY, symbols)
    assert any(not np.array_equal(symbols[name], values) for name, values in clean.items())
    huge = {
        name: np.where((values == clean[name]) | ~name.startswith("level"), values, MAX_SYMBOL)
        for name, values in symbols.items()
    }
    assert encode(MIXED, GEOMETRY, order, huge) == encode(MIXED, GEOMETRY, order, clean)
    assert_same(decode_payload(MIXED, GEOMETRY, encode(MIXED, GEOMETRY, order, huge)), clean)


@each_order
def test_extreme_symbols(order):
    symbols = without_unused(MIXED, GEOMETRY, random_symbols(MIXED, GEOMETRY, 0.3, 1))
    for i, each in enumerate(MIXED.levels):
        index = each.used(GEOMETRY).index
        symbols[f"level{i}"][index[0, 0]] = MAX_SYMBOL
        symbols[f"level{i}"][index[-1, -1]] = -MAX_SYMBOL
    assert_same(decode_payload(MIXED, GEOMETRY, encode(MIXED, GEOMETRY, order, symbols)), symbols)


def zeros(field: Ngp, geometry: Geometry) -> dict[str, np.ndarray]:
    return {tensor.name: np.zeros(tensor.shape, np.int64) for tensor in field.layout(geometry)}


@each_order
def test_zeros_cost_a_limit_a_feature_and_the_weights(order):
    """A level whose limits are 0 takes nothing from the stream, on the lattice unless others there share the limit."""
    for field in (MIXED, Ngp((level(12.0, 1),), (1,))):
        n_matrices = len(field.hidden) + 1
        assert len(encode(field, GEOMETRY, order, zeros(field, GEOMETRY))) <= 1 + field.encoding_size + n_matrices + 4


def test_neighbours_tell_of_each_other_on_the_lattice():
    """Large symbols here, small ones there: contexts of neighbours know where, others do not."""
    geometry = Geometry(48, 48, 1)
    field = Ngp((level(24 - 0.5, 1), level(48.0, 1)), (2,))
    rng, symbols = np.random.default_rng(0), zeros(field, geometry)
    for i, each in enumerate(field.levels):
        index = each.used(geometry).index
        spread = np.where(np.indices(index.shape)[1] < index.shape[1] / 2, 0.2, 20)
        symbols[f"level{i}"][index, 0] = np.round(rng.laplace(0, spread))
    sizes = {order: len(encode(field, geometry, order, symbols)) for order in ORDERS}
    assert sizes[NEIGHBOURS] < 0.9 * sizes[ANY]


def test_coarser_levels_tell_of_finer_ones():
    """Where the finer level is large where the coarser one is, less is left to say."""
    geometry, sizes = Geometry(40, 40, 1), []
    field = Ngp((level(19.5, 1), level(40.0, 1)), (2,))
    coarse, fine = (each.used(geometry).index for each in field.levels)
    for together in (True, False):
        rng, symbols = np.random.default_rng(0), zeros(field, geometry)
        large = rng.random(coarse.shape) < 0.5
        symbols["level0"][coarse, 0] = np.where(large, 30, 0)
        rows, cols = ((2 * np.arange(n) + 1) * of // (2 * n) for n, of in zip(fine.shape, coarse.shape, strict=True))
        if not together:
            large = rng.permuted(large.reshape(-1)).reshape(large.shape)
        values = rng.laplace(0, np.where(large[rows][:, cols], 30, 0.1))
        symbols["level1"][fine, 0] = np.round(values)
        sizes.append(len(encode(field, geometry, NEIGHBOURS, symbols)))
    assert sizes[0] < sizes[1]


def test_features_tell_of_each_other_anywhere():
    """By features, whatever the entries' places."""
    geometry, sizes = Geometry(40, 40, 3), []
    field = Ngp((level(40.0, 2, 1024),), (2,))
    for same in (True, False):
        symbols = zeros(field, geometry)
        symbols["level0"][:] = np.random.default_rng(1).integers(-9, 10, symbols["level0"].shape)
        if same:
            symbols["level0"][:, 1] = symbols["level0"][:, 0]
        sizes.append(len(encode(field, geometry, ANY, symbols)))
    assert sizes[0] < 0.8 * sizes[1]


@each_order
def test_heads_that_are_cut_or_too_large_are_refused(order):
    payload = encode(MIXED, GEOMETRY, order, zeros(MIXED, GEOMETRY))
    head = 1 + MIXED.encoding_size + len(MIXED.hidden) + 1
    for n in range(head):
        with pytest.raises(FormatError):
            decode_payload(MIXED, GEOMETRY, payload[:n])
    for i in range(MIXED.encoding_size):
        with pytest.raises(FormatError, match="out of range"):
            decode_payload(MIXED, GEOMETRY, payload[: 1 + i] + put_varint(MAX_SYMBOL + 1) + payload[2 + i :])
    with pytest.raises(FormatError, match="scale"):
        decode_payload(MIXED, GEOMETRY, payload[: head - 1] + bytes([153]) + payload[head:])


@settings(deadline=None, max_examples=60)
@given(
    fields, geometries, st.sampled_from(ORDERS), st.lists(st.sampled_from([0, 1, 7, 300, 2**24]), min_size=4),
    st.integers(0, 2**32), st.integers(0, 300),
)  # fmt: skip
def test_noise_for_a_stream_is_refused_or_a_value(field, geometry, order, limits, seed, n_words):
    """Well-formed heads, then noise: the deepest that garbage gets."""
    n_matrices = sum(tensor.role is Role.MATRIX for tensor in field.layout(geometry))
    head = b"".join(put_varint(limits[i % len(limits)]) for i in range(field.encoding_size)) + bytes(n_matrices)
    stream = np.random.default_rng(seed).bytes(4 * n_words)
    try:
        symbols = decode_payload(field, geometry, bytes([order]) + head + stream)
    except FormatError:
        return
    assert_same(without_unused(field, geometry, symbols), symbols)
    for tensor in field.layout(geometry):
        assert symbols[tensor.name].shape == tensor.shape
        assert np.abs(symbols[tensor.name]).max() <= MAX_SYMBOL


@each_order
def test_every_truncation_is_refused_or_a_value(order):
    payload = encode(MIXED, GEOMETRY, order, random_symbols(MIXED, GEOMETRY, 4.0, 2))
    for size in range(0, len(payload), 3):
        try:
            symbols = decode_payload(MIXED, GEOMETRY, payload[:size])
        except FormatError:
            continue
        assert {name: value.shape for name, value in symbols.items()} == {
            tensor.name: tensor.shape for tensor in MIXED.layout(GEOMETRY)
        }


def test_other_orders_are_refused():
    payload = encode(MIXED, GEOMETRY, ANY, zeros(MIXED, GEOMETRY))
    for order in (1, 3, 255):
        with pytest.raises(FormatError, match="order"):
            decode_payload(MIXED, GEOMETRY, bytes([order]) + payload[1:])
