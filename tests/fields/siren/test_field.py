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
from nfcodec.fields.siren.field import (
    OMEGA_0,
    Siren,
    coordinates,
    lattice_coordinates,
    positional_encoding,
    sine_table,
)
from nfcodec.fields.siren.plan import initial

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
    assert np.abs(coordinates(n) / 2**20 - lattice_coordinates(n)).max() <= 2**-20
    assert np.array_equal(lattice_coordinates(n), np.linspace(-1, 1, n) if n > 1 else [0])


def random_weights(field: Siren, seed: int = 0) -> dict[str, Quantized]:
    weights, step = {}, Step(128, -20)
    for tensor in field.layout(GEOMETRY):
        value = initial(field, GEOMETRY, seed)[tensor.name].astype(np.float64) * tensor.unit
        weights[tensor.name] = Quantized(np.round(value / step.value).astype(np.int64), step)
    return weights


def in_floats(field: Siren, weights: dict[str, Quantized]) -> np.ndarray:
    """The same field, in float64 and with real sines."""
    x = np.stack(np.meshgrid(np.linspace(-1, 1, GEOMETRY.width), np.linspace(-1, 1, GEOMETRY.height)), -1)
    x = x.reshape(-1, 2)
    if field.frequencies:
        weights = dict(zip(("weight0", "bias0"), positional_encoding(field.frequencies), strict=True)) | weights
    for i in range(1 + field.hidden_layers):
        x = np.sin(2 * np.pi * (x @ weights[f"weight{i}"].values.T + weights[f"bias{i}"].values))
    return x @ weights["weight_out"].values.T + weights["bias_out"].values


@pytest.mark.parametrize("frequencies", [0, 1, 8])
@pytest.mark.parametrize("hidden_layers", [0, 1, 3])
def test_exact_evaluation_follows_the_real_field(hidden_layers: int, frequencies: int):
    """Phases are rounded to 2^-16 turns and sines to 2^-15: a few 1e-4 of the output after some layers."""
    field = Siren(width=24, hidden_layers=hidden_layers, frequencies=frequencies)
    weights = random_weights(field)
    exact = field.evaluate(GEOMETRY, weights) * 2.0**-24
    reference = in_floats(field, weights)
    assert exact.shape == (GEOMETRY.n_pixels, GEOMETRY.channels)
    assert np.abs(reference).max() > 0.05
    assert np.abs(exact - reference).max() < 2e-4


def test_tiles_do_not_matter():
    field = Siren(width=16, hidden_layers=2)
    weights = random_weights(field)
    whole = field.evaluate(GEOMETRY, weights)
    for tile_pixels in (1, 13, 40, 10**6):
        assert np.array_equal(field.evaluate(GEOMETRY, weights, tile_pixels), whole)


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
    field = Siren(36, 3, frequencies=8)
    assert (field.sizes, field.trained) == ([32, 36, 24, 16], ["1", "2", "3", "_out"])
    assert field.n_parameters(GEOMETRY) == 33 * 36 + 37 * 24 + 25 * 16 + 17 * 3
    assert field.macs_per_pixel(GEOMETRY) == 2 * 32 + 32 * 36 + 36 * 24 + 24 * 16 + 16 * 3
    assert not {"weight0", "bias0"} & {tensor.name for tensor in field.layout(GEOMETRY)}
    assert np.allclose(field.untrained()["weight0"] * OMEGA_0, 2 * math.pi * positional_encoding(8)[0].values)
    assert Siren(2, 63, frequencies=16).sizes == [64, 2] + [1] * 62
    assert Siren(36).untrained() == {}


@given(st.integers(1, 4096), st.integers(0, 63), st.integers(0, 16))
def test_pack_round_trip(width: int, hidden_layers: int, frequencies: int):
    field = Siren(width, hidden_layers, frequencies=frequencies)
    assert unpack_field(Siren.wire_id, field.pack()) == field


@given(st.binary(max_size=8))
def test_hostile_bytes(data: bytes):
    try:
        field = Siren.unpack(data)
    except FormatError:
        return
    assert field.pack() == data


@pytest.mark.parametrize("arguments", [(0, 1), (4097, 1), (8, -1), (8, 64), (8, 1, 17), (8, 1, -1)])
def test_sizes_are_bounded(arguments):
    with pytest.raises(UsageError):
        Siren(*arguments)


def test_overflowing_weights_are_refused():
    field = Siren(width=4, hidden_layers=1)
    weights = random_weights(field)
    for name, weight in weights.items():
        bad = {**weights, name: Quantized(weight.symbols, Step(128, 100))}
        with pytest.raises(FormatError):
            field.evaluator(GEOMETRY, bad)
