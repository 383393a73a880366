from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, LimitError, UnsupportedError, UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel, HashLevel, hash_levels
from nfcodec.fields.registry import field_class, field_names, register, unpack_field
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fitting.engines.torch_fields import Band, torch_field
from nfcodec.limits import DEFAULT_LIMITS

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "network_golden.json").read_text())
each_case = pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
COORDS = np.array([coord["xy_bits"] for coord in GOLDEN["coords"]], np.uint32).view(np.float32)

ON_LATTICE = {2: (1, 1, 0, 0), 5: (2, 2, 1, 0), 8: (512, 256, 300, 33), 6: (512, 768, 0, 0), 7: (512, 768, 511, 767)}
"""Golden coordinates that are pixel centres: (height, width, row, column)."""

DENSE = Ngp((DenseLevel(2, 3), DenseLevel(1, 2), DenseLevel(0, 3)), hidden=(6, 5), bias=True, skip=True)
LINEAR = Ngp((DenseLevel(1, 2), DenseLevel(0, 1)), hidden=(), bias=True, skip=True)
MIXED = Ngp((HashLevel(7.25, 9, 64, 2), DenseLevel(1, 3), HashLevel(20.5, 22, 128, 4)), hidden=(8,), skip=True)


def golden_spec(case) -> Ngp:
    encoding, network = case["encoding_config"], case["network_config"]
    levels = hash_levels(
        encoding["n_levels"],
        encoding["n_features_per_level"],
        encoding["log2_hashmap_size"],
        encoding["base_resolution"],
        encoding["per_level_scale"],
    )
    return Ngp(levels, hidden=(network["n_neurons"],) * network["n_hidden_layers"])


def golden_weights(case, spec: Ngp) -> dict[str, Quantized]:
    """The golden parameter vector, cut up as the tensors of the layout; no step rounds anything."""
    n_network, weights = case["n_network_params"], {}
    flat = ((np.arange(n_network) + 777_777) * 2_654_435_761 % 2**32 >> 8) % 2001 - 1000
    layout = {tensor.name: tensor for tensor in spec.layout(Geometry(1, 1, case["n_output_dims"]))}
    for i, (shape, offset) in enumerate(zip(case["matrix_shapes"], case["matrix_offsets"], strict=True)):
        padded = flat[offset : offset + shape[0] * shape[1]].reshape(shape)
        rows, cols = layout[f"weight{i}"].shape
        assert (-(-rows // 16) * 16, -(-cols // 16) * 16) == tuple(shape)
        weights[f"weight{i}"] = Quantized(padded[:rows, :cols], Step(128, -18))
    k = np.arange(case["n_grid_params"])
    grid, at = (k * 2_654_435_761 % 2**32 >> 8) % 2001 - 1000, 0
    for i, level in enumerate(spec.levels):
        size = level.size * level.features
        weights[f"level{i}"] = Quantized(grid[at : at + size].reshape(level.size, level.features), Step(128, -17))
        at += size
    assert at == case["n_grid_params"]
    assert weights.keys() == layout.keys()
    return weights


def network(spec: Ngp, weights: dict[str, Quantized], x: np.ndarray) -> np.ndarray:
    """The layers in float64; encodings (n, features) to outputs (n, C)."""
    y, n = x, len(spec.hidden)
    for i in range(n):
        y = y @ weights[f"weight{i}"].values.T
        y = np.maximum(y + (weights[f"bias{i}"].values if spec.bias else 0), 0)
    out = y @ weights[f"weight{n}"].values.T if n else 0
    return out + (x @ weights["skip"].values.T if spec.skip else 0) + (weights["bias_out"].values if spec.bias else 0)


def encode(spec: Ngp, weights: dict[str, Quantized], coords: np.ndarray) -> np.ndarray:
    """Hash levels at any coordinates, in float64 but for the float32 positions."""
    features = []
    for i, level in enumerate(spec.levels):
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
    spec = golden_spec(case)
    weights = golden_weights(case, spec)
    out = network(spec, weights, encode(spec, weights, COORDS))
    golden = np.array([result["out_f64"] for result in case["results"]])
    assert np.abs(out - golden).max() < 1e-5


@each_case
@pytest.mark.parametrize(("coord", "pixel"), ON_LATTICE.items())
def test_golden_networks_exactly_and_in_torch(case, coord, pixel):
    """Both round positions to 2^-12 of a cell: their outputs are a little off the golden ones."""
    height, width, row, col = pixel
    assert np.allclose(COORDS[coord], [(col + 0.5) / width, (row + 0.5) / height], atol=1e-7)
    spec = golden_spec(case)
    weights, geometry = golden_weights(case, spec), Geometry(height, width, case["n_output_dims"])
    golden = np.array(case["results"][coord]["out_f64"])
    exact = spec.evaluator(geometry, weights)(row, row + 1)[:, col] * 2.0**-24
    parameters = {name: torch.from_numpy(weight.values.astype(np.float32)) for name, weight in weights.items()}
    field = torch_field(spec, geometry, torch.device("cpu"))
    in_torch = field(parameters, Band(row, row + 1)).numpy()[col]
    assert np.abs(exact - golden).max() < 3e-3
    assert np.abs(in_torch - golden).max() < 3e-3
    assert np.abs(exact - in_torch).max() < 2e-4


def random_weights(spec, geometry: Geometry, seed: int = 0) -> dict[str, Quantized]:
    rng = np.random.default_rng(seed)
    return {
        tensor.name: Quantized(rng.integers(-60, 61, tensor.shape), Step(int(rng.integers(128, 256)), -14))
        for tensor in spec.layout(geometry)
    }


@pytest.mark.parametrize("spec", [DENSE, LINEAR, MIXED], ids=["dense", "linear", "mixed"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (11, 14)])
def test_exact_evaluation_follows_torch(spec: Ngp, shape):
    geometry = Geometry(*shape, 3)
    weights = random_weights(spec, geometry)
    exact = spec.evaluate(geometry, weights) * 2.0**-24
    parameters = {name: torch.from_numpy(weight.values.astype(np.float32)) for name, weight in weights.items()}
    reference = torch_field(spec, geometry, torch.device("cpu"))(parameters, Band(0, geometry.height)).numpy()
    assert np.abs(reference).max() > 0.05
    assert np.abs(exact - reference).max() < 1e-4


@pytest.mark.parametrize("spec", [DENSE, LINEAR, MIXED], ids=["dense", "linear", "mixed"])
def test_tiles_do_not_matter(spec: Ngp):
    geometry = Geometry(11, 14, 1)
    weights = random_weights(spec, geometry)
    whole = spec.evaluate(geometry, weights)
    for tile_pixels in (1, 14, 50, 10**6):
        assert np.array_equal(spec.evaluate(geometry, weights, tile_pixels), whole)


DIGEST = """
import hashlib, sys
import numpy as np
from nfcodec.fields import DenseLevel, Geometry, Ngp, Quantized, Siren, Step

geometry, digest = Geometry(150, 140, 3), hashlib.sha256()
for spec in (Siren(96, 2), Ngp((DenseLevel(3, 8), DenseLevel(0, 8)), hidden=(64, 64), bias=True, skip=True)):
    weights = {}
    for i, tensor in enumerate(spec.layout(geometry)):
        symbols = (np.arange(tensor.size) * 2654435761 % 2**32 >> 9) % 401 - 200
        weights[tensor.name] = Quantized(symbols.reshape(tensor.shape), Step(150 + i, -15))
    digest.update(spec.evaluate(geometry, weights).astype("<i8").tobytes())
print(digest.hexdigest())
"""
EVALUATION_SHA = "e217d7c8a19e6b7d2bba5733bb9e2aa8fc851c613cf2d6889b392d11e05df4f8"


@pytest.mark.parametrize(
    "variables",
    [{"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_NUM_THREADS": "2"}, {"OPENBLAS_CORETYPE": "Haswell"}],
    ids=["one thread", "two threads", "other kernels"],
)
def test_evaluation_is_the_same_under_any_blas(variables):
    environment = {**os.environ, **variables}
    out = subprocess.run([sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == EVALUATION_SHA


def test_initial_parameters_are_tiny_cuda_nns():
    spec, geometry = Ngp.instant(64), Geometry(64, 48, 3)
    first, again, other = spec.initial(geometry, 1), spec.initial(geometry, 1), spec.initial(geometry, 2)
    assert [(name, value.shape) for name, value in first.items()] == [
        (tensor.name, tensor.shape) for tensor in spec.layout(geometry)
    ]
    for name, value in first.items():
        bound = 1e-4 if name.startswith("level") else math.sqrt(6 / sum(value.shape))
        assert value.dtype == np.float32
        assert 0.9 * bound < np.abs(value).max() <= np.float32(bound)
        assert np.array_equal(value, again[name])
        assert not np.array_equal(value, other[name])
    assert not DENSE.initial(geometry, 0)["bias0"].any()


def test_instant_is_the_papers():
    spec = Ngp.instant(512)
    assert (len(spec.levels), spec.encoding_size, spec.hidden) == (16, 32, (64, 64))
    assert spec.levels[0].resolution == 16
    assert abs(spec.levels[-1].resolution - 256) <= 4


levels = st.lists(st.integers(0, 7), unique=True, max_size=8).flatmap(
    lambda strides: st.tuples(*(st.builds(DenseLevel, st.just(s), st.integers(1, 8)) for s in sorted(strides)[::-1]))
)
grids = st.builds(
    lambda dense, hashed: (*dense, *hashed),
    levels,
    st.lists(st.sampled_from(hash_levels(4, 2, 10, 16, 1.533)), min_size=1, max_size=3),
)
wavelets = st.tuples(st.builds(WaveletLevel, st.integers(0, 7), st.integers(1, 8)))
widths = st.lists(st.integers(1, 4096), max_size=16)
own = st.builds(
    lambda grid, hidden, bias, skip: Ngp(grid, tuple(hidden), bias, skip or not hidden),
    grids | wavelets,
    widths,
    st.booleans(),
    st.booleans(),
)
shipped = st.builds(
    lambda level, n_filters, hidden, bias, skip: Ngp((level,), (n_filters, *hidden[:15]), bias, skip, True),
    st.builds(WaveletLevel, st.integers(0, 7), st.integers(1, 3)),
    st.integers(1, 128),
    widths,
    st.booleans(),
    st.booleans(),
)
specs = own | shipped


@given(specs)
def test_pack_round_trip(spec: Ngp):
    assert unpack_field(Ngp.wire_id, spec.pack()) == spec
    for size in range(len(spec.pack())):
        with pytest.raises(FormatError):
            Ngp.unpack(spec.pack()[:size])
    with pytest.raises(FormatError):
        Ngp.unpack(spec.pack() + b"\0")


@given(st.binary(max_size=30))
def test_hostile_bytes(data: bytes):
    try:
        spec = Ngp.unpack(data)
    except FormatError:
        return
    assert spec.pack() == data


@pytest.mark.parametrize(
    "data",
    [
        b"\2\x80\x80\0\2",  # two wavelet levels
        b"\2\x80\0\0\2",  # and a dense one
        b"\2\0\x80\0\2",
        b"\1\x80\0\6",  # filters without a hidden layer
        b"\1\x80\0\4",
        b"\1\x83\1\4\0\4",  # filters of four features
        b"\1\x82\1\x81\0\4",  # 129 filters
        b"\1\x82\1\0\1\4",  # 256 filters
        b"\1\2\1\4\0\4",  # filters over a dense level
        b"\2\x0a\2\1\4\0\4",  # over two
        b"\1\x41\0\0\x80\x40\x40\0\0\0\1\4\0\4",  # over a hash level
        b"\1\x80\0\0",  # no skip either
        b"\1\x80\1\4\0\x08",  # an unknown flag
        b"\1\xc0\0\2",  # an unknown kind
    ],
)
def test_hostile_wavelet_levels(data: bytes):
    with pytest.raises(FormatError):
        Ngp.unpack(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\1\x82\1\x80\0\4",  # all filters, of three features
        b"\1\x80\2\1\0\0\x10\7",  # one filter, then a wide layer
        b"\1\2\1\4\0\0",  # the others without the flag
        b"\2\x0a\2\1\4\0\0",
        b"\1\x41\0\0\x80\x40\x40\0\0\0\1\4\0\0",
        b"\1\x83\1\4\0\0",
        b"\1\x82\1\x81\0\0",
    ],
)
def test_what_is_no_worse_than_hostile(data: bytes):
    assert Ngp.unpack(data).pack() == data


@given(st.lists(st.integers(0, 2**32), min_size=2, max_size=2), st.integers(0, 255))
def test_hostile_hash_levels(words, code):
    data = bytes([1, 64 | code & 7]) + b"".join((word % 2**32).to_bytes(4, "little") for word in words) + b"\0\2"
    try:
        spec = Ngp.unpack(data)
    except FormatError:
        return
    assert spec.pack() == data
    assert spec.levels[0].size <= 2**24


@pytest.mark.parametrize(
    "arguments",
    [
        ((), (4,)),
        (hash_levels(1, 2, 4, 2, 2.0) * 33, (4,)),
        ((DenseLevel(0, 1),), ()),
        ((DenseLevel(0, 1),), (0,)),
        ((DenseLevel(0, 1),), (4,) * 17),
        ((DenseLevel(0, 1), DenseLevel(1, 1)), (4,)),
        ((DenseLevel(1, 1), DenseLevel(1, 1)), (4,)),
        ((WaveletLevel(2, 1), WaveletLevel(2, 1)), (4,)),
        ((WaveletLevel(2, 1), DenseLevel(0, 1)), (4,)),
        ((*hash_levels(1, 2, 4, 2, 2.0), WaveletLevel(2, 1)), (4,)),
        ((WaveletLevel(2, 1),), (), True, True, True),
        ((WaveletLevel(2, 3),), (129,), True, True, True),
        ((WaveletLevel(2, 4),), (16,), True, True, True),
        ((DenseLevel(0, 3),), (16,), True, True, True),
        (hash_levels(1, 2, 4, 2, 2.0), (16,), True, True, True),
    ],
)
def test_bad_specs(arguments):
    with pytest.raises(UsageError):
        Ngp(*arguments)


@pytest.mark.parametrize("bias", [False, True])
def test_shipped_filters_are_not_in_the_layout(bias):
    geometry = Geometry(9, 8, 3)
    for shipped in (False, True):
        spec = Ngp((WaveletLevel(3, 2),), hidden=(5, 4), bias=bias, skip=True, shipped=shipped)
        expected = [
            ("level0", (9, 8, 2)),
            ("skip", (3, 2)),
            ("weight0", (5, 2)),
            ("bias0", (5,)),
            ("weight1", (4, 5)),
            ("bias1", (4,)),
            ("weight2", (3, 4)),
            ("bias_out", (3,)),
        ]
        absent = {"weight0", "bias0"} if shipped else set()
        absent |= set() if bias else {"bias0", "bias1", "bias_out"}
        expected = [(name, shape) for name, shape in expected if name not in absent]
        assert [(tensor.name, tensor.shape) for tensor in spec.layout(geometry)] == expected
        assert spec.layout(geometry)[0].wavelet_levels == 3
        assert spec.n_parameters(geometry) == sum(math.prod(shape) for _, shape in expected)
        assert spec.initial(geometry, 0).keys() == {name for name, _ in expected}
        assert spec.macs_per_pixel(geometry) >= 5 * (50 if shipped else 2) + 20 + 12


def test_a_layer_of_filters_alone():
    """Of the network, only the output matrix is in the file."""
    spec = Ngp((WaveletLevel(0, 3),), hidden=(128,), bias=True, skip=True, shipped=True)
    layout = {tensor.name: tensor.shape for tensor in spec.layout(Geometry(6, 5, 3))}
    assert layout == {"level0": (6, 5, 3), "skip": (3, 3), "weight1": (3, 128), "bias_out": (3,)}
    assert spec.macs_per_pixel(Geometry(6, 5, 3)) >= 75 * 128 + 3 * 128


def test_overflowing_weights_are_refused():
    geometry = Geometry(5, 5, 3)
    weights = random_weights(DENSE, geometry)
    for name, weight in weights.items():
        bad = {**weights, name: Quantized(np.maximum(weight.symbols, 1), Step(128, 100))}
        with pytest.raises(FormatError):
            DENSE.evaluator(geometry, bad)


def test_registry():
    assert field_names() == ["ngp", "siren", "tiled-siren"]
    assert [field_class(name) for name in field_names()] == [Ngp, Siren, TiledSiren]
    assert (Ngp.wire_id, Siren.wire_id, TiledSiren.wire_id) == (2, 1, 3)
    with pytest.raises(UsageError, match="ngp, siren, tiled-siren"):
        field_class("wavelet")
    with pytest.raises(UnsupportedError):
        unpack_field(77, b"")
    with pytest.raises(ValueError, match="twice"):
        register(Ngp)


def test_limits_stop_large_fields():
    huge = Geometry(30_000, 2_900, 3)
    with pytest.raises(LimitError):
        Siren(4096, 63).check(huge, DEFAULT_LIMITS)
    with pytest.raises(LimitError):
        Ngp(hash_levels(5, 8, 24, 2048, 2.0) * 4, (64,)).check(huge, DEFAULT_LIMITS)
    DENSE.check(Geometry(512, 768, 3), DEFAULT_LIMITS)
