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
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel
from nfcodec.fields.table.analysis import analyse_planes
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.filters import filters
from nfcodec.fields.wavelet.transform import (
    CORNER_GAINS,
    DETAIL_GAINS,
    HH,
    LL,
    SMOOTH_GAINS,
    band_gain,
    bands,
    gains,
    synthesise,
)

SHAPES = [(1, 1), (1, 2), (1, 17), (14, 1), (2, 2), (3, 5), (13, 22), (64, 33)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)
each_depth = pytest.mark.parametrize("n_levels", [0, 1, 2, 4, 7])

UNIT = Step(128, -7)  # 1


def rounded(x: Fraction) -> int:
    return floor(x + Fraction(1, 2))


def unlift(x: list[int]) -> list[int]:
    """One line of docs/format.md, section 4.3."""
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


def exact(level: WaveletLevel, symbols: np.ndarray, step: Step) -> np.ndarray:
    """(features, rows, cols), in units of 2^-16."""
    geometry = Geometry(*symbols.shape[:2], 1)
    rows, bound = level.evaluator(geometry, Quantized(symbols, step))
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
    values = exact(WaveletLevel(n_levels, 2), symbols, step)
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
    assert np.array_equal(exact(WaveletLevel(0, 1), symbols, UNIT)[0], symbols[..., 0] << 16)


def with_random_weights(spec: Ngp, geometry: Geometry) -> dict[str, Quantized]:
    rng = np.random.default_rng(0)
    return {
        tensor.name: Quantized(rng.integers(-60, 61, tensor.shape), Step(int(rng.integers(128, 256)), -14))
        for tensor in spec.layout(geometry)
    }


SPECS = {
    "linear": Ngp((WaveletLevel(3, 2),), hidden=(), skip=True),
    "hidden": Ngp((WaveletLevel(2, 3),), hidden=(6, 5), bias=True),
    "hidden, of dense levels": Ngp((DenseLevel(2, 2), DenseLevel(0, 1)), hidden=(6, 4)),
    "filters": Ngp((WaveletLevel(2, 3),), hidden=(20,), bias=True, skip=True, shipped=True),
    "filters alone": Ngp((WaveletLevel(3, 2),), hidden=(9, 4), shipped=True),
    "all filters": Ngp((WaveletLevel(0, 1),), hidden=(128,), bias=True, skip=True, shipped=True),
}
each_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())


@each_spec
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (11, 14)], ids=str)
def test_rows_in_tiles_are_the_rows_at_once(spec, shape):
    geometry = Geometry(*shape, 3)
    weights = with_random_weights(spec, geometry)
    whole = spec.evaluate(geometry, weights)
    assert len(np.unique(whole)) > 1
    for tile_pixels in (1, 14, 50, 10**6):
        assert np.array_equal(spec.evaluate(geometry, weights, tile_pixels), whole)


def shipped_layer(spec: Ngp, step: Step) -> tuple[np.ndarray, np.ndarray]:
    """Weights and biases of the first filters as numbers, filter by filter: offset by offset, then feature."""
    kernels, biases = filters()
    features = spec.levels[0].features
    weight = [[kernels[i, at, f] / 1024 for at in range(25) for f in range(features)] for i in range(spec.hidden[0])]
    return np.array(weight), np.array([biases[i] / 1024 * step.value for i in range(spec.hidden[0])])


@each_spec
def test_fields_follow_their_definition(spec):
    """In real numbers, from the exact encodings; what filters see is put together pixel by pixel."""
    geometry = Geometry(7, 5, 3)
    weights = with_random_weights(spec, geometry)
    encoding = np.concatenate(
        [level.evaluator(geometry, weights[f"level{i}"])[0](0, 7) for i, level in enumerate(spec.levels)]
    ).reshape(-1, 7, 5) / 2.0**16  # fmt: skip
    values = {name: weight.values for name, weight in weights.items()}
    if spec.shipped:
        values["weight0"], values["bias0"] = shipped_layer(spec, weights["level0"].step)
    around = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)] if spec.shipped else [(0, 0)]
    out = np.zeros((7, 5, 3))
    for y in range(7):
        for x in range(5):
            v = np.concatenate([encoding[:, min(max(y + dy, 0), 6), min(max(x + dx, 0), 4)] for dy, dx in around])
            for i in range(len(spec.hidden)):
                v = np.maximum(values[f"weight{i}"] @ v + values.get(f"bias{i}", 0), 0)
            network = values[f"weight{len(spec.hidden)}"] @ v if spec.hidden else 0
            skip = values["skip"] @ encoding[:, y, x] if spec.skip else 0
            out[y, x] = network + skip + values.get("bias_out", 0)
    assert np.abs(out).max() > 0.05
    assert np.abs(spec.evaluate(geometry, weights) * 2.0**-24 - out.reshape(-1, 3)).max() < 1e-3


@pytest.mark.parametrize("place", [(0, 0), (3, 4), (1, 1), (10, 7)], ids=str)
@pytest.mark.parametrize("sign", [-1, 1])
def test_large_coefficients_are_refused(place, sign):
    level, geometry = WaveletLevel(2, 1), Geometry(11, 8, 1)
    symbols = np.zeros((11, 8, 1), np.int64)
    symbols[place] = sign << 24
    level.evaluator(geometry, Quantized(symbols, Step(128, -18)))
    for step in (Step(128, -7), Step(255, 20), Step(255, 127)):
        with pytest.raises(FormatError):
            level.evaluator(geometry, Quantized(symbols, step))


def test_values_that_grow_too_large_are_refused():
    """All coefficients are in bounds; what they add up to is not."""
    largest = np.full((1, 16, 16), 0.9 * 2.0**33)
    synthesise(largest[:, :1, :1].copy(), 2)
    with pytest.raises(FormatError):
        synthesise(largest, 2)


@pytest.mark.parametrize("arguments", [(-1, 1), (8, 1), (0, 0), (0, 9)])
def test_bad_levels(arguments):
    with pytest.raises(UsageError):
        WaveletLevel(*arguments)
