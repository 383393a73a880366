from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.registry import unpack_field
from nfcodec.fields.siren.field import Siren, coordinates, positional_encoding, sine_table

GEOMETRY = Geometry(9, 13, 3)


def sines_by_integers() -> list[int]:
    """The whole table by rotating (1, 0) in 256-bit fixed point, with pi by Machin's formula."""
    bits, turn = 256, 1 << 16

    def arctan_of_one_over(n: int) -> int:
        term, total, k = (1 << bits) // n, 0, 1
        while term:
            total += term // k if k % 4 == 1 else -(term // k)
            term, k = term // (n * n), k + 2
        return total

    angle = 8 * (4 * arctan_of_one_over(5) - arctan_of_one_over(239)) // turn  # 2 pi / 2^16
    sine = cosine = 0
    term, k = 1 << bits, 0
    while term:
        sine += (0, term, 0, -term)[k % 4]
        cosine += (term, 0, -term, 0)[k % 4]
        k += 1
        term = (term * angle >> bits) // k
    x, y, quarter = 1 << bits, 0, []
    for _ in range(turn // 4 + 1):
        quarter.append((y * 2**15 + (1 << (bits - 1))) >> bits)
        x, y = (x * cosine - y * sine) >> bits, (x * sine + y * cosine) >> bits
    half = quarter + quarter[-2:0:-1]
    return half + [-value for value in half]


def test_sine_table_is_rounded_exactly():
    """Rounding is symmetric because no entry but the exact ones is near a tie."""
    assert sine_table().astype(np.int64).tolist() == sines_by_integers()


def test_sine_table_is_frozen():
    digest = hashlib.sha256(sine_table().astype("<i4").tobytes()).hexdigest()
    assert digest == "0ea9bbe283fd4b1b2ac9b0e4d24322677055d07e284cdd4b491ccde5ecd82051"


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 512, 32_768])
def test_coordinates(n: int):
    exact = [math.floor(Fraction(2**20 * (2 * i - (n - 1)), max(1, n - 1)) + Fraction(1, 2)) for i in range(n)]
    assert coordinates(n).astype(np.int64).tolist() == exact
    assert np.abs(coordinates(n) / 2**20 - (np.linspace(-1, 1, n) if n > 1 else 0)).max() <= 2**-20


def random_weights(spec: Siren, seed: int = 0) -> dict[str, Quantized]:
    weights, step = {}, Step(128, -20)
    for tensor in spec.layout(GEOMETRY):
        value = spec.initial(GEOMETRY, seed)[tensor.name].astype(np.float64) * tensor.unit
        weights[tensor.name] = Quantized(np.round(value / step.value).astype(np.int64), step)
    return weights


def in_floats(spec: Siren, weights: dict[str, Quantized]) -> np.ndarray:
    """The same field, in float64 and with real sines."""
    x = np.stack(np.meshgrid(np.linspace(-1, 1, GEOMETRY.width), np.linspace(-1, 1, GEOMETRY.height)), -1)
    x = x.reshape(-1, 2)
    if spec.frequencies:
        weights = dict(zip(("weight0", "bias0"), positional_encoding(spec.frequencies), strict=True)) | weights
    for i in range(1 + spec.hidden_layers):
        x = np.sin(2 * np.pi * (x @ weights[f"weight{i}"].values.T + weights[f"bias{i}"].values))
    return x @ weights["weight_out"].values.T + weights["bias_out"].values


@pytest.mark.parametrize("frequencies", [0, 1, 8])
@pytest.mark.parametrize("hidden_layers", [0, 1, 3])
def test_exact_evaluation_follows_the_real_field(hidden_layers: int, frequencies: int):
    """Phases are rounded to 2^-16 turns and sines to 2^-15: a few 1e-4 of the output after some layers."""
    spec = Siren(width=24, hidden_layers=hidden_layers, frequencies=frequencies)
    weights = random_weights(spec)
    exact = spec.evaluate(GEOMETRY, weights) * 2.0**-24
    reference = in_floats(spec, weights)
    assert exact.shape == (GEOMETRY.n_pixels, GEOMETRY.channels)
    assert np.abs(reference).max() > 0.05
    assert np.abs(exact - reference).max() < 2e-4


def test_tiles_do_not_matter():
    spec = Siren(width=16, hidden_layers=2)
    weights = random_weights(spec)
    whole = spec.evaluate(GEOMETRY, weights)
    for tile_pixels in (1, 13, 40, 10**6):
        assert np.array_equal(spec.evaluate(GEOMETRY, weights, tile_pixels), whole)


def test_initial_parameters_are_the_papers():
    spec, geometry = Siren(width=64, hidden_layers=3), Geometry(8, 8, 3)
    first, again, other = spec.initial(geometry, 1), spec.initial(geometry, 1), spec.initial(geometry, 2)
    assert [(name, value.shape) for name, value in first.items()] == [
        (tensor.name, tensor.shape) for tensor in spec.layout(geometry)
    ]
    bounds = dict.fromkeys(("weight1", "weight2", "weight3", "weight_out"), math.sqrt(6 / 64) / 30)
    bounds |= {"weight0": 0.5, "bias0": 1 / math.sqrt(2)} | dict.fromkeys(
        ("bias1", "bias2", "bias3", "bias_out"), 1 / 8
    )
    for name, value in first.items():
        assert value.dtype == np.float32
        assert np.array_equal(value, again[name])
        assert not np.array_equal(value, other[name])
        assert np.abs(value).max() <= bounds[name]
        assert value.size < 100 or np.abs(value).max() > 0.9 * bounds[name]


def test_scales_of_the_initial_weights():
    geometry = Geometry(8, 8, 1)
    plain, scaled = (
        Siren(16, **scales).initial(geometry, 0) for scales in ({}, {"init_scale": 2.0, "first_scale": 3.0})
    )
    assert np.allclose(scaled["weight0"], 3 * plain["weight0"])
    assert np.allclose(scaled["weight2"], 2 * plain["weight2"])
    assert np.array_equal(scaled["weight_out"], plain["weight_out"])


def test_the_papers_size():
    assert Siren(512).n_parameters(Geometry(512, 512, 1)) == 790_017


def test_positional_encoding():
    """Sines of x, of y, and cosines likewise, from half a turn a unit on."""
    weight, bias = (each.values for each in positional_encoding(16))
    assert np.array_equal(bias, [0.0] * 32 + [0.25] * 32)
    xs, ys, again_xs, again_ys = weight.reshape(4, 16, 2)
    assert np.array_equal(xs, again_xs)
    assert np.array_equal(ys, again_ys)
    assert np.array_equal(xs[:, 0], ys[:, 1])
    assert not xs[:, 1].any()
    assert not ys[:, 0].any()
    assert xs[0, 0] == 0.5
    assert np.allclose(xs[1:, 0] / xs[:-1, 0], 1.6, atol=0.03)
    assert np.array_equal(positional_encoding(3)[0].values.reshape(4, 3, 2)[:2], weight.reshape(4, 16, 2)[:2, :3])


def test_layers_narrow_after_an_encoding():
    spec = Siren(36, 3, frequencies=8)
    assert (spec.sizes, spec.trained) == ([32, 36, 24, 16], ["1", "2", "3", "_out"])
    assert spec.n_parameters(GEOMETRY) == 33 * 36 + 37 * 24 + 25 * 16 + 17 * 3
    assert spec.macs_per_pixel(GEOMETRY) == 2 * 32 + 32 * 36 + 36 * 24 + 24 * 16 + 16 * 3
    assert not {"weight0", "bias0"} & set(spec.initial(GEOMETRY, 0))
    assert np.allclose(spec.untrained()["weight0"] * spec.omega_0, 2 * math.pi * positional_encoding(8)[0].values)
    assert Siren(2, 63, frequencies=16).sizes == [64, 2] + [1] * 62
    assert Siren(36).untrained() == {}


@given(st.integers(1, 4096), st.integers(0, 63), st.integers(0, 16))
def test_pack_round_trip(width: int, hidden_layers: int, frequencies: int):
    spec = Siren(width, hidden_layers, frequencies=frequencies)
    assert unpack_field(Siren.wire_id, spec.pack()) == spec


@given(st.binary(max_size=8))
def test_hostile_bytes(data: bytes):
    try:
        spec = Siren.unpack(data)
    except FormatError:
        return
    assert spec.pack() == data


@pytest.mark.parametrize(
    "arguments", [(0, 1), (4097, 1), (8, -1), (8, 64), (8, 1, 30.0, 1.0, 1.0, 17), (8, 1, 30.0, 1.0, 1.0, -1)]
)
def test_sizes_are_bounded(arguments):
    with pytest.raises(UsageError):
        Siren(*arguments)


def test_overflowing_weights_are_refused():
    spec = Siren(width=4, hidden_layers=1)
    weights = random_weights(spec)
    for name, weight in weights.items():
        bad = {**weights, name: Quantized(weight.symbols, Step(128, 100))}
        with pytest.raises(FormatError):
            spec.evaluator(GEOMETRY, bad)
