from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.filters import filters
from nfcodec.fields.wavelet.transform import (
    CORNER_GAINS,
    DETAIL_GAINS,
    HH,
    LL,
    SMOOTH_GAINS,
    analyse_planes,
    band_gain,
    bands,
    gains,
    synthesis,
    synthesise,
)
from tests.fields.wavelet.alone import filters_alone

SHAPES = [(1, 1), (1, 2), (1, 17), (14, 1), (2, 2), (3, 5), (13, 22), (64, 33)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_depth = pytest.mark.parametrize("n_levels", [0, 1, 2, 4, 7])

UNIT = Step(128, -7)  # 1


def rounded(x: Fraction) -> int:
    return floor(x + Fraction(1, 2))


def unlift(x: list[int]) -> list[int]:
    """One line of docs/reference/format.md, "Wavelets"."""
    n, x = len(x), list(x)
    if n == 1:
        return x
    for a, parity in ((3633, 0), (7233, 1), (-434, 0), (-12994, 1)):
        for i in range(parity, n, 2):
            before, after = x[1 if i == 0 else i - 1], x[n - 2 if i == n - 1 else i + 1]
            x[i] -= rounded(Fraction(a * (before + after), 2**13))
    return x


def by_integers(symbols: np.ndarray, step: Step, n_levels: int) -> np.ndarray:
    """The values of one feature's table, (rows, cols), in Python's integers."""
    rows, cols = symbols.shape
    smooth = (4096, 2892, 2043, 1442, 1019, 719, 508, 359)
    corner = (5800, 4096, 2892, 2043, 1442, 1019, 719)
    plane = [[0] * cols for _ in range(rows)]
    for y in range(rows):
        for x in range(cols):
            level, gain = next(
                (
                    (level, (corner if y // half % 2 and x // half % 2 else smooth)[level - 1])
                    for level in range(1, n_levels + 1)
                    for half in [2 ** (level - 1)]
                    if y // half % 2 or x // half % 2
                ),
                (0, smooth[n_levels]),
            )
            scaled = Fraction(int(symbols[y, x]) * gain * step.mantissa) * Fraction(2) ** (step.exponent + 4)
            plane[y][x] = rounded(scaled)
    for level in range(n_levels, 0, -1):
        stride = 2 ** (level - 1)
        for x in range(0, cols, stride):
            line = unlift([plane[y][x] for y in range(0, rows, stride)])
            for i, value in enumerate(line):
                plane[i * stride][x] = value
        for y in range(0, rows, stride):
            plane[y][::stride] = unlift(plane[y][::stride])
    return np.array(plane)


def exact(n_levels: int, symbols: np.ndarray, step: Step) -> np.ndarray:
    """(features, rows, cols), in units of 2^-16."""
    geometry = Geometry(*symbols.shape)
    rows, bound = synthesis(geometry, Quantized(symbols, step), n_levels)
    values = rows(0, geometry.height)
    assert np.abs(values).max() == bound
    return values.reshape(-1, *symbols.shape[:2])


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 18),
    st.integers(1, 18),
    st.integers(0, 7),
    st.integers(0, 2**32),
    st.integers(128, 255),
    st.integers(-30, 0),
)
def test_synthesis_equals_big_integers(rows, cols, n_levels, seed, mantissa, exponent):
    rng, step = np.random.default_rng(seed), Step(mantissa, exponent)
    largest = min(2.0**24, 2.0**29 / (step.value * 2**17))
    symbols = np.round(rng.uniform(-1, 1, (rows, cols, 2)) * largest).astype(np.int64)
    values = exact(n_levels, symbols, step)
    for f in range(2):
        assert np.array_equal(values[f], by_integers(symbols[..., f], step, n_levels))


@each_shape
@each_depth
def test_synthesis_inverts_the_analysis_up_to_rounding(shape, n_levels):
    planes = np.random.default_rng(0).uniform(-1, 1, (2, *shape)) * 2**20
    analysed = planes.copy()
    analyse_planes(analysed, n_levels)
    assert n_levels == 0 or max(shape) == 1 or not np.allclose(analysed, planes)
    analysed = np.round(analysed)
    synthesise(analysed, n_levels)
    assert np.all(analysed == np.floor(analysed))
    assert np.abs(analysed - planes).max() <= 3 * (n_levels + 1)


@each_depth
def test_flat_planes_have_no_details(n_levels):
    planes = np.full((1, 19, 14), 1000.0)
    analyse_planes(planes, n_levels)
    smooth, *details = bands(19, 14, n_levels)
    assert all(np.abs(planes[:, band.rows, band.cols]).max(initial=0) < 0.5 for band in details)
    assert np.abs(planes[:, smooth.rows, smooth.cols]).min() > 100


def test_errors_of_bands_are_of_one_size():
    """White noise of one step, put through a band's gain and the synthesis, about keeps its energy."""
    unit = 2.0**20
    for band in bands(256, 256, 4):
        planes = np.zeros((1, 256, 256))
        noise = np.random.default_rng(0).normal(0, unit, band.shape)
        planes[0, band.rows, band.cols] = np.round(noise * band_gain(band) / 4096)
        synthesise(planes, 4)
        assert 1 / 3 < np.square(planes).sum() / np.square(noise).sum() < 1.5


def test_gains_are_powers_of_one_number():
    """K^-2 a level, and K^2 more in HH."""
    k = 1.19
    for level, (detail, corner) in enumerate(zip(DETAIL_GAINS, CORNER_GAINS, strict=True), 1):
        assert detail == round(4096 * k ** (2 - 2 * level))
        assert corner == round(4096 * k ** (4 - 2 * level))
    assert tuple(round(4096 * k ** (-2 * level)) for level in range(8)) == SMOOTH_GAINS


@each_depth
def test_gains_of_places_are_those_of_their_bands(n_levels):
    found = gains(21, 30, n_levels)
    for band in bands(21, 30, n_levels):
        expected = SMOOTH_GAINS[n_levels] if band.orientation == LL else None
        expected = expected or (CORNER_GAINS if band.orientation == HH else DETAIL_GAINS)[band.level - 1]
        assert band_gain(band) == expected
        assert np.all(found[band.rows, band.cols] == expected / 4096)


def test_no_levels_are_plain_pixels():
    symbols = np.arange(-6, 6).reshape(3, 4, 1)
    assert np.array_equal(exact(0, symbols, UNIT)[0], symbols[..., 0] << 16)


def with_random_weights(field: Wavelet, geometry: Geometry) -> dict[str, Quantized]:
    rng = np.random.default_rng(0)
    return {
        tensor.name: Quantized(rng.integers(-60, 61, tensor.shape), Step(int(rng.integers(128, 256)), -14))
        for tensor in field.layout(geometry)
    }


FIELDS = {
    "linear": Wavelet(3),
    "no levels": Wavelet(0),
    "filters": Wavelet(2, 20),
    "all levels, a filter": Wavelet(7, 1),
    "all filters": Wavelet(0, 128),
}
each_field = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())
each_channels = pytest.mark.parametrize("channels", [1, 3])


@each_field
@each_channels
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (11, 14)], ids=str)
def test_rows_in_tiles_are_the_rows_at_once(field, channels, shape):
    geometry = Geometry(*shape, channels)
    weights = with_random_weights(field, geometry)
    whole = field.evaluate(geometry, weights)
    assert whole.shape == (geometry.n_pixels, channels)
    assert len(np.unique(whole)) > 1 or whole.size == 1
    for tile_pixels in (1, 14, 50, 10**6):
        assert np.array_equal(field.evaluate(geometry, weights, tile_pixels), whole)


def shipped_layer(field: Wavelet, features: int, step: Step) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of the first filters as numbers, filter by filter: offset by offset, then feature."""
    kernels, biases = filters()
    weight = [[kernels[i, at, f] / 1024 for at in range(25) for f in range(features)] for i in range(field.n_filters)]
    return np.array(weight), np.array([biases[i] / 1024 * step.value for i in range(field.n_filters)])


@each_field
@each_channels
def test_fields_follow_their_definition(field, channels):
    """In real numbers, from the exact encodings; what filters see is put together pixel by pixel."""
    geometry = Geometry(7, 5, channels)
    weights = with_random_weights(field, geometry)
    encoding = exact(field.n_levels, weights["level0"].symbols, weights["level0"].step) / 2.0**16
    values = {name: weight.values for name, weight in weights.items()}
    kernels, biases = shipped_layer(field, channels, weights["level0"].step)
    around = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)]
    linear, behind = np.zeros((7, 5, channels)), np.zeros((7, 5, channels))
    for y in range(7):
        for x in range(5):
            linear[y, x] = values["skip"] @ encoding[:, y, x] + values["bias_out"]
            if field.n_filters:
                seen = [encoding[:, min(max(y + dy, 0), 6), min(max(x + dx, 0), 4)] for dy, dx in around]
                behind[y, x] = values["weight1"] @ np.maximum(kernels @ np.concatenate(seen) + biases, 0)
    assert np.abs(linear).max() > 0.05
    found = field.evaluate(geometry, weights) * 2.0**-24
    assert np.abs(found - (linear + behind).reshape(-1, channels)).max() < 1e-3
    if field.n_filters:
        assert np.abs(behind).max() > 1e-3
        alone = filters_alone(field, geometry, weights) * 2.0**-24
        assert np.abs(alone - behind.reshape(-1, channels)).max() < 1e-3


@each_channels
def test_filters_alone_are_what_is_added_to_the_linear_map(channels):
    geometry, field = Geometry(11, 14, channels), Wavelet(2, 20)
    weights = with_random_weights(field, geometry)
    linear = Wavelet(2).evaluate(geometry, weights)
    both = linear + filters_alone(field, geometry, weights)
    assert np.abs(field.evaluate(geometry, weights) - both).max() <= 1  # each part is rounded


@pytest.mark.parametrize("place", [(0, 0), (3, 4), (1, 1), (10, 7)], ids=str)
@pytest.mark.parametrize("sign", [-1, 1])
def test_large_coefficients_are_refused(place, sign):
    geometry = Geometry(11, 8, 1)
    symbols = np.zeros((11, 8, 1), np.int64)
    symbols[place] = sign << 24
    synthesis(geometry, Quantized(symbols, Step(128, -18)), 2)
    for step in (Step(128, -7), Step(255, 20), Step(255, 127)):
        with pytest.raises(FormatError):
            synthesis(geometry, Quantized(symbols, step), 2)


def test_values_that_grow_too_large_are_refused():
    """All coefficients are in bounds; what they add up to is not."""
    largest = np.full((1, 16, 16), 0.9 * 2.0**33)
    synthesise(largest[:, :1, :1].copy(), 2)
    with pytest.raises(FormatError):
        synthesise(largest, 2)


@pytest.mark.parametrize("arguments", [(-1,), (8,), (0, -1), (0, 129)])
def test_bad_fields(arguments):
    with pytest.raises(UsageError):
        Wavelet(*arguments)


@pytest.mark.parametrize("field", [Wavelet(0), Wavelet(7, 128), Wavelet(6, 32)])
def test_descriptions(field):
    assert Wavelet.unpack(field.pack()) == field


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0", b"\x08\0", b"\0\x81", b"\xff\xff"])
def test_damaged_descriptions(data):
    with pytest.raises(FormatError):
        Wavelet.unpack(data)


@each_channels
def test_tensors(channels):
    geometry = Geometry(9, 14, channels)
    shapes = {tensor.name: tensor.shape for tensor in Wavelet(3, 16).layout(geometry)}
    assert shapes == {
        "level0": (9, 14, channels),
        "skip": (channels, channels),
        "weight1": (channels, 16),
        "bias_out": (channels,),
    }
    assert list(shapes) == ["level0", "skip", "weight1", "bias_out"]
    assert [tensor.name for tensor in Wavelet(3).layout(geometry)] == ["level0", "skip", "bias_out"]
