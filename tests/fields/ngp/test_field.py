from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, LimitError, UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel, hash_levels
from nfcodec.fitting.starts import uniform_start
from nfcodec.limits import DEFAULT_LIMITS

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "network_golden.json").read_text())
each_case = pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
COORDS = np.array([coord["xy_bits"] for coord in GOLDEN["coords"]], np.uint32).view(np.float32)

ON_LATTICE = [
    (2, (1, 1), (0, 0)), (2, (511, 511), (255, 255)), (5, (2, 2), (1, 0)), (5, (6, 2), (4, 1)),
    (9, (50, 50), (11, 5)), (9, (12, 50), (11, 5)), (9, (150, 17), (34, 16)),
]  # fmt: skip
"""Golden coordinates that are pixel centres, the longer side being 1: (height, width), (row, column)."""

LEVELS = (HashLevel(7.25, 9, 64, 2), HashLevel(3.25, 5, 40, 1), HashLevel(20.5, 22, 128, 4))
FIELDS = {"two layers": Ngp(LEVELS, (6, 5)), "one level": Ngp(LEVELS[2:], (9,)), "instant": Ngp.instant(40, 8)}


def golden_field(case) -> Ngp:
    encoding, network = case["encoding_config"], case["network_config"]
    levels = hash_levels(
        encoding["n_levels"],
        encoding["n_features_per_level"],
        encoding["log2_hashmap_size"],
        encoding["base_resolution"],
        encoding["per_level_scale"],
    )
    return Ngp(levels, hidden=(network["n_neurons"],) * network["n_hidden_layers"])


def golden_weights(case, field: Ngp) -> dict[str, Quantized]:
    """The golden parameter vector, cut up as the tensors of the layout; no step rounds anything."""
    n_network, weights = case["n_network_params"], {}
    flat = ((np.arange(n_network) + 777_777) * 2_654_435_761 % 2**32 >> 8) % 2001 - 1000
    layout = {tensor.name: tensor for tensor in field.layout(Geometry(1, 1, case["n_output_dims"]))}
    for i, (shape, offset) in enumerate(zip(case["matrix_shapes"], case["matrix_offsets"], strict=True)):
        padded = flat[offset : offset + shape[0] * shape[1]].reshape(shape)
        rows, cols = layout[f"weight{i}"].shape
        assert (-(-rows // 16) * 16, -(-cols // 16) * 16) == tuple(shape)
        weights[f"weight{i}"] = Quantized(padded[:rows, :cols], Step(128, -18))
    k = np.arange(case["n_grid_params"])
    grid, at = (k * 2_654_435_761 % 2**32 >> 8) % 2001 - 1000, 0
    for i, level in enumerate(field.levels):
        size = level.size * level.features
        weights[f"level{i}"] = Quantized(grid[at : at + size].reshape(level.size, level.features), Step(128, -17))
        at += size
    assert at == case["n_grid_params"]
    assert weights.keys() == layout.keys()
    return weights


def network(field: Ngp, weights: dict[str, Quantized], x: np.ndarray) -> np.ndarray:
    """The layers in float64; encodings (n, features) to outputs (n, C)."""
    n = len(field.hidden)
    for i in range(n):
        x = np.maximum(x @ weights[f"weight{i}"].values.T, 0)
    return x @ weights[f"weight{n}"].values.T


def encode(field: Ngp, weights: dict[str, Quantized], coords: np.ndarray) -> np.ndarray:
    """Hash levels at any coordinates, in float64 but for the float32 positions."""
    features = []
    for i, level in enumerate(field.levels):
        position = (level.scale * coords.astype(np.float64) + 0.5).astype(np.float32)
        cell = np.floor(position).astype(np.int64)
        t, out = position - cell, 0.0
        for dy in (0, 1):
            for dx in (0, 1):
                weight = (t[:, 0] if dx else 1 - t[:, 0]) * (t[:, 1] if dy else 1 - t[:, 1])
                entry = weights[f"level{i}"].values[level.index(cell[:, 0] + dx, cell[:, 1] + dy)]
                out = out + weight[:, None] * entry
        features.append(out)
    return np.concatenate(features, axis=1)


@each_case
def test_golden_networks_in_floats(case):
    """Fixes the meaning of the layout: row-major [out, in] matrices, inputs in the order of the levels."""
    field = golden_field(case)
    weights = golden_weights(case, field)
    out = network(field, weights, encode(field, weights, COORDS))
    golden = np.array([result["out_f64"] for result in case["results"]])
    assert np.abs(out - golden).max() < 1e-5


@each_case
@pytest.mark.parametrize(("coord", "shape", "pixel"), ON_LATTICE, ids=str)
def test_golden_networks_exactly_and_in_torch(torch_outputs, case, coord, shape, pixel):
    """Both round positions to 2^-12 of a cell: their outputs are a little off the golden ones."""
    (height, width), (row, col) = shape, pixel
    assert np.allclose(COORDS[coord] * max(shape), [col + 0.5, row + 0.5], rtol=0, atol=1e-5)
    field = golden_field(case)
    weights, geometry = golden_weights(case, field), Geometry(height, width, case["n_output_dims"])
    golden = np.array(case["results"][coord]["out_f64"])
    exact = field.evaluator(geometry, weights)(row, row + 1)[:, col] * 2.0**-24
    parameters = {name: weight.values for name, weight in weights.items()}
    in_torch = torch_outputs(field, geometry, parameters).reshape(height, width, -1)[row, col]
    assert np.abs(exact - golden).max() < 3e-3
    assert np.abs(in_torch - golden).max() < 3e-3
    assert np.abs(exact - in_torch).max() < 2e-4


def random_weights(field: Ngp, geometry: Geometry, exponent: int = -14) -> dict[str, Quantized]:
    rng = np.random.default_rng(0)
    return {
        tensor.name: Quantized(rng.integers(-60, 61, tensor.shape), Step(int(rng.integers(128, 256)), exponent))
        for tensor in field.layout(geometry)
    }


@pytest.mark.parametrize(("name", "exponent"), [("two layers", -13), ("one level", -14), ("instant", -15)])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (11, 14)])
def test_exact_evaluation_follows_torch(torch_outputs, name, exponent, shape):
    """With quantizer steps that make outputs about 1."""
    field, geometry = FIELDS[name], Geometry(*shape, 3)
    weights = random_weights(field, geometry, exponent)
    exact = field.evaluate(geometry, weights) * 2.0**-24
    reference = torch_outputs(field, geometry, {name: weight.values for name, weight in weights.items()})
    assert np.abs(reference).max() > 0.05
    assert np.abs(exact - reference).max() < 1e-4 * max(1.0, float(np.abs(reference).max()))


def test_uniform_starts_are_tiny_cuda_nns():
    field, geometry = Ngp.instant(64), Geometry(64, 48, 3)
    first, again, other = (uniform_start(field.layout(geometry), seed) for seed in (1, 1, 2))
    assert [(name, value.shape) for name, value in first.items()] == [
        (tensor.name, tensor.shape) for tensor in field.layout(geometry)
    ]
    for name, value in first.items():
        bound = 1e-4 if name.startswith("level") else math.sqrt(6 / sum(value.shape))
        assert value.dtype == np.float32
        assert 0.9 * bound < np.abs(value).max() <= np.float32(bound)
        assert np.array_equal(value, again[name])
        assert not np.array_equal(value, other[name])


def test_instant_is_the_papers():
    field = Ngp.instant(512)
    assert (len(field.levels), field.encoding_size, field.hidden) == (16, 32, (64, 64))
    assert field.levels[0].resolution == 16
    assert abs(field.levels[-1].resolution - 256) <= 4


fields = st.builds(
    lambda levels, hidden: Ngp(tuple(levels), tuple(hidden)),
    st.lists(st.sampled_from(hash_levels(4, 2, 10, 16, 1.533)), min_size=1, max_size=32),
    st.lists(st.integers(1, 4096), min_size=1, max_size=16),
)


@given(fields)
def test_pack_round_trip(field: Ngp):
    data = field.pack()
    assert Ngp.unpack(data) == field
    for size in range(len(data)):
        with pytest.raises(FormatError):
            Ngp.unpack(data[:size])
    with pytest.raises(FormatError):
        Ngp.unpack(data + b"\0")


@given(st.binary(max_size=30))
def test_hostile_bytes(data: bytes):
    try:
        field = Ngp.unpack(data)
    except FormatError:
        return
    assert field.pack() == data
    assert Ngp.unpack(field.pack()) == field


LEVEL = bytes([2]) + np.float32(3.0).tobytes() + (16).to_bytes(4, "little")


def test_the_description_is_as_documented():
    assert Ngp.unpack(b"\1" + LEVEL + b"\2\x05\0\0\x10") == Ngp((HashLevel(3.0, 4, 16, 2),), (5, 4096))


@pytest.mark.parametrize(
    "data",
    [
        b"\0\1\4\0",  # no levels
        b"\x21" + 33 * LEVEL + b"\1\4\0",  # 33 levels
        b"\1" + LEVEL + b"\0",  # no hidden layer
        b"\1" + LEVEL + b"\1\0\0",  # of no neurons
        b"\1" + LEVEL + b"\1\1\x10",  # of 4097
        b"\1" + LEVEL + b"\x11" + 17 * b"\4\0",  # 17 hidden layers
        b"\1\3" + LEVEL[1:] + b"\1\4\0",  # three features
        b"\1\2" + np.float32(np.nan).tobytes() + LEVEL[5:] + b"\1\4\0",
        b"\1\2" + np.float32(-1).tobytes() + LEVEL[5:] + b"\1\4\0",
        b"\1\2" + np.float32(65535).tobytes() + LEVEL[5:] + b"\1\4\0",
        b"\1\2" + np.float32(np.inf).tobytes() + LEVEL[5:] + b"\1\4\0",
        b"\1" + LEVEL[:5] + (12).to_bytes(4, "little") + b"\1\4\0",  # 12 entries
        b"\1" + LEVEL[:5] + (2**24 + 8).to_bytes(4, "little") + b"\1\4\0",
        b"\1" + LEVEL[:5] + (0).to_bytes(4, "little") + b"\1\4\0",
    ],
)
def test_hostile_descriptions(data: bytes):
    with pytest.raises(FormatError):
        Ngp.unpack(data)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=2), st.integers(0, 255))
def test_hostile_hash_levels(words, features):
    data = bytes([1, features]) + b"".join(word.to_bytes(4, "little") for word in words) + b"\1\4\0"
    try:
        field = Ngp.unpack(data)
    except FormatError:
        return
    assert field.pack() == data
    assert field.levels[0].size <= 2**24


@pytest.mark.parametrize(
    "arguments",
    [((), (4,)), (LEVELS[:1] * 33, (4,)), (LEVELS, ()), (LEVELS, (0,)), (LEVELS, (4097,)), (LEVELS, (4,) * 17)],
)
def test_bad_fields(arguments):
    with pytest.raises(UsageError):
        Ngp(*arguments)


def test_overflowing_weights_are_refused():
    geometry, field = Geometry(5, 5, 3), FIELDS["two layers"]
    weights = random_weights(field, geometry)
    for name, weight in weights.items():
        bad = {**weights, name: Quantized(np.maximum(weight.symbols, 1), Step(128, 100))}
        with pytest.raises(FormatError):
            field.evaluator(geometry, bad)


def test_limits_stop_large_fields():
    with pytest.raises(LimitError) as refusal:
        DEFAULT_LIMITS.check_cost(Ngp(hash_levels(5, 8, 24, 2048, 2.0) * 4, (64,)).cost(Geometry(30_000, 2_900, 3)))
    assert refusal.value.code == "limit.work"
    DEFAULT_LIMITS.check_cost(Ngp.instant(768).cost(Geometry(512, 768, 3)))
