"""The contract of nfcodec.exact.field, for every field."""

import importlib.util
import threading

import numpy as np
import pytest

from nfcodec.coding.payload import ANY, decode_payload, encode_payload, estimate_payload, payload_cost
from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.field import Role
from nfcodec.exact.geometry import Geometry
from nfcodec.fields import (
    Grid,
    HashLevel,
    Ngp,
    Pyramid,
    Samples,
    Siren,
    Table,
    TiledSiren,
    Wavelet,
    hash_levels,
    registry,
)
from nfcodec.lazy import load
from nfcodec.limits import Limits
from tests.contract.toy_family import Mosaic

FIELDS = [
    Siren(7, 2), Siren(5, 1, frequencies=3), TiledSiren(2, 1, (4, 6), 1, 2), Ngp(hash_levels(3, 2, 6, 4, 2.0), (5, 4)),
    Ngp((HashLevel(3.5, 5, 32, 4), HashLevel(14.0, 15, 232, 1)), (5,)), Wavelet(2), Wavelet(3, 9), Table(), Pyramid(2),
    Pyramid(3, 6), Samples(), Grid(4, 1, 6, 2, 5), Grid(1, 0, 1, 2, 1), Grid(2, 0, 3, 0, 2), Mosaic(4),
]  # fmt: skip
OWN_STEPS = {"latents": Step(128, -7)}
"""Of tensors whose entries stand for themselves."""
LARGE = {Grid: 300.0}
"""Sizes of symbols, where larger ones would overflow in a network that predicts some from others; else 3000."""
GEOMETRIES = [Geometry(9, 14, 3), Geometry(13, 6, 1)]
each_field = pytest.mark.parametrize("field", FIELDS, ids=repr)
each_geometry = pytest.mark.parametrize("geometry", GEOMETRIES, ids=["RGB", "gray"])


def random_symbols(field, geometry, size=6.0, seed=0):
    rng = np.random.default_rng(seed)
    return {
        tensor.name: np.round(rng.laplace(0, size, tensor.shape)).astype(np.int64) for tensor in field.layout(geometry)
    }


def steps_of(symbols, exponent=-14):
    return {name: OWN_STEPS.get(name, Step(128 + i, exponent)) for i, name in enumerate(symbols)}


def weights_of(symbols, steps):
    return {name: Quantized(values, steps[name]) for name, values in symbols.items()}


def random_weights(field, geometry, exponent=-14):
    symbols = random_symbols(field, geometry)
    return weights_of(symbols, steps_of(symbols, exponent))


def test_every_field_is_here():
    paths = {path for fields in registry.fields().values() for path in fields.values()}
    assert {load(path) for path in paths} == {type(field) for field in FIELDS}


def test_wire_ids_are_unique():
    ids = [wire_id for fields in registry.fields().values() for wire_id in fields]
    assert len(ids) == len(set(ids))
    for fields in registry.fields().values():
        for wire_id, path in fields.items():
            assert load(path).wire_id == wire_id


@each_field
def test_the_description_is_the_field(field):
    assert registry.unpack_field(field.wire_id, field.pack()) == field


@each_field
def test_a_description_that_is_cut_or_too_long_is_refused(field):
    data = field.pack()
    for damaged in (*(data[:n] for n in range(len(data))), data + b"\0"):
        with pytest.raises(FormatError):
            type(field).unpack(damaged)


@each_field
def test_any_description_is_a_field_or_refused(field):
    rng = np.random.default_rng(1)
    for n in [*range(12)] * 8:
        data = rng.bytes(n)
        try:
            found = type(field).unpack(data)
        except FormatError:
            continue
        assert found.pack() == data
        assert type(field).unpack(found.pack()) == found


@each_field
@each_geometry
def test_tensors_have_roles_and_shapes(field, geometry):
    layout = field.layout(geometry)
    assert len({tensor.name for tensor in layout}) == len(layout)
    assert field.n_parameters(geometry) == sum(int(np.prod(tensor.shape)) for tensor in layout)
    n_axes = {Role.TABLE: (2, 3), Role.MATRIX: (2,), Role.BIAS: (1,)}
    assert all(len(tensor.shape) in n_axes[tensor.role] for tensor in layout)


@each_field
def test_one_order_suits_any_symbols(field):
    assert field.orders(GEOMETRIES[0])[0] == ANY
    assert ANY in field.orders(GEOMETRIES[0], random_symbols(field, GEOMETRIES[0]))


@each_field
@each_geometry
def test_payloads_hold_any_symbols(field, geometry):
    """But those of tables without places in the picture that no pixel uses: these come back as 0."""
    for size, exponent in ((0.0, -14), (6.0, -14), (LARGE.get(type(field), 3000.0), -28)):
        symbols = random_symbols(field, geometry, size)
        orders, steps = field.orders(geometry, symbols), steps_of(symbols, exponent)
        assert set(orders) <= set(field.orders(geometry))
        for order in orders:
            data = encode_payload(order, field.parts(geometry, order), symbols, steps)
            found = decode_payload(field, geometry, data, steps)
            for tensor in field.layout(geometry):
                mine, other = symbols[tensor.name], found[tensor.name]
                may_be_unused = tensor.role is Role.TABLE and not tensor.is_spatial
                assert np.array_equal(mine, np.where(other == 0, mine, other) if may_be_unused else other)
            outputs = [field.evaluate(geometry, weights_of(each, steps)) for each in (symbols, found)]
            assert np.array_equal(*outputs)
            assert encode_payload(order, field.parts(geometry, order), found, steps) == data
            assert abs(estimate_payload(order, field.parts(geometry, order), symbols, steps) - len(data)) < 24


@each_field
def test_payloads_that_are_damaged_end_in_a_value_or_an_error(field):
    geometry, rng = GEOMETRIES[1], np.random.default_rng(2)
    symbols = random_symbols(field, geometry)
    for order in field.orders(geometry, symbols):
        data = bytearray(encode_payload(order, field.parts(geometry, order), symbols, steps_of(symbols)))
        for _ in range(30):
            damaged = bytearray(data)
            damaged[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
            cut = len(damaged) if rng.integers(2) else int(rng.integers(len(damaged)))
            try:
                found = decode_payload(field, geometry, bytes(damaged[:cut]), steps_of(symbols))
            except FormatError:
                continue
            shapes = {tensor.name: tensor.shape for tensor in field.layout(geometry)}
            assert {name: values.shape for name, values in found.items()} == shapes


@each_field
@each_geometry
def test_rows_come_alike_in_any_pieces(field, geometry):
    weights = random_weights(field, geometry)
    whole = field.evaluate(geometry, weights)
    assert whole.shape == (geometry.n_pixels, geometry.channels)
    assert np.array_equal(field.evaluate(geometry, weights, tile_pixels=1), whole)
    assert np.array_equal(field.evaluate(geometry, weights, tile_pixels=3 * geometry.width), whole)


@each_field
def test_weights_that_would_overflow_are_refused(field):
    geometry = GEOMETRIES[0]
    weights = {
        tensor.name: Quantized(np.full(tensor.shape, 1 << 24), Step(255, 60)) for tensor in field.layout(geometry)
    }
    with pytest.raises(FormatError):
        field.evaluate(geometry, weights)


@each_field
def test_costs_follow_the_picture(field):
    small, large = field.cost(GEOMETRIES[0]), field.cost(Geometry(1900, 1400, 3))
    assert 0 < small.work < large.work
    assert 0 < small.memory_bytes <= large.memory_bytes
    assert small.kept_bytes == large.kept_bytes == 0
    assert field.n_tensors(GEOMETRIES[0]) == len(field.layout(GEOMETRIES[0]))
    Limits().check_cost(large)


@each_field
@each_geometry
def test_parts_know_what_they_keep(field, geometry):
    """The symbols, in as many bytes as they have; what a part takes at its peak is no less."""
    symbols = random_symbols(field, geometry, 300.0)
    steps = steps_of(symbols, -24)
    for order in field.orders(geometry, symbols):
        data = encode_payload(order, field.parts(geometry, order), symbols, steps)
        cost, found = payload_cost(field, geometry, data), decode_payload(field, geometry, data, steps)
        assert cost.memory_bytes >= cost.kept_bytes >= sum(values.nbytes for values in found.values())
        assert cost.work > 0


@each_field
def test_counterparts_are_there(field):
    from nfcodec.fitting.engines import engine_names

    assert set(field.counterparts) <= set(engine_names())
    for engine, path in field.counterparts.items():
        if importlib.util.find_spec("torch") or engine == "numba":
            assert load(path)


def test_decoding_loads_one_field_and_no_fitting():
    import subprocess
    import sys

    script = (
        "import sys, numpy as np, nfcodec; from nfcodec.fields import registry; registry.unpack_field(5, b'');"
        "heavy = ('nfcodec.fitting', 'nfcodec.fields.siren', 'torch', 'numba');"
        "loaded = [name for name in sys.modules if name.startswith(heavy)];"
        "print(loaded)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@each_field
@each_geometry
def test_tiles_are_parts_of_the_whole(field, geometry, monkeypatch):
    """Each pixel once, with what `evaluate` gives it, from several threads at once."""
    weights = random_weights(field, geometry)
    whole = field.evaluate(geometry, weights)
    n_tiles = -(-geometry.height // 2)
    monkeypatch.setattr("nfcodec.exact.field.n_threads", lambda: 2)
    together = threading.Barrier(2)
    found, seen = np.zeros_like(whole), []

    def take(pixels, outputs):
        seen.append(pixels)
        if len(seen) <= n_tiles // 2 * 2:
            together.wait(30)
        assert outputs.dtype == np.int64
        found[pixels] += outputs

    field.evaluate_tiles(geometry, weights, take, tile_pixels=2 * geometry.width)
    assert len(seen) == n_tiles
    assert sorted(i for pixels in seen for i in range(pixels.start, pixels.stop)) == list(range(geometry.n_pixels))
    assert np.array_equal(found, whole)


@each_field
@pytest.mark.parametrize("geometry", [*GEOMETRIES, Geometry(2, 70, 1), Geometry(67, 83, 3)], ids=str)
def test_windows_are_cuts_of_the_whole(field, geometry):
    weights = random_weights(field, geometry)
    whole = field.evaluate(geometry, weights).reshape(geometry.height, geometry.width, -1)
    rng = np.random.default_rng(3)
    for _ in range(4):
        rows, cols = (
            slice(start, start + 1 + int(rng.integers(min(20, size - start))))
            for size in (geometry.height, geometry.width)
            for start in [int(rng.integers(size))]
        )
        height, width = rows.stop - rows.start, cols.stop - cols.start
        found = np.zeros((height * width, geometry.channels), np.int64)

        def take(pixels, outputs, found=found):
            found[pixels] += outputs

        field.evaluate_tiles(geometry, weights, take, 3 * width, (rows, cols))
        assert np.array_equal(found.reshape(height, width, -1), whole[rows, cols])


@each_field
def test_windows_cost_no_more_than_the_whole(field):
    geometry = Geometry(1900, 1400, 3)
    whole, window = field.cost(geometry), field.window_cost(geometry, (slice(700, 708), slice(900, 916)))
    assert 0 < window.work <= 1.01 * whole.work
    assert 0 < window.memory_bytes <= 1.01 * whole.memory_bytes + 100_000
    assert window.kept_bytes == 0
