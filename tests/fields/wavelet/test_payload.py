from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.coding.entropy import Decoder, Encoder, Estimator
from nfcodec.coding.laplace import MAX_SYMBOL
from nfcodec.errors import FormatError
from nfcodec.fields.wavelet.coding_order import WaveletShape, runs
from nfcodec.fields.wavelet.contexts import n_inputs, signed_log
from nfcodec.fields.wavelet.payload import code_wavelet
from nfcodec.fields.wavelet.slopes import LARGEST_SLOPE, SMOOTH_BITS, SmoothPicture, by_parity
from nfcodec.fields.wavelet.transform import HH, HL, LH, LL, analyse_planes, band_gain, bands, gains, synthesise

SHAPES = {
    "one pixel": WaveletShape(1, 1, 1, 0),
    "one pixel, all levels": WaveletShape(1, 1, 3, 7),
    "one row": WaveletShape(1, 13, 2, 3),
    "one column": WaveletShape(12, 1, 3, 2),
    "no levels": WaveletShape(7, 6, 3, 0),
    "even": WaveletShape(16, 8, 1, 2),
    "odd": WaveletShape(11, 21, 3, 4),
    "more levels than there are": WaveletShape(5, 9, 1, 7),
    "many features": WaveletShape(6, 7, 8, 2),
}
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def random_symbols(shape: WaveletShape, scale: float = 3.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.round(rng.laplace(0, scale, (shape.rows, shape.cols, shape.features))).astype(np.int64)


def bits(shape: WaveletShape, regime: int, symbols: np.ndarray) -> float:
    estimator = Estimator()
    code_wavelet(estimator, shape, regime, symbols)
    return estimator.bits


def assert_round_trip(shape: WaveletShape, regime: int, symbols: np.ndarray) -> None:
    encoder = Encoder()
    assert np.array_equal(code_wavelet(encoder, shape, regime, symbols), symbols)
    decoder = Decoder(encoder.finish())
    assert np.array_equal(code_wavelet(decoder, shape, regime, None), symbols)
    decoder.finish()


@each_shape
@pytest.mark.parametrize("regime", [0, 88, 255])
@pytest.mark.parametrize("scale", [0.0, 0.4, 30.0, 1e6])
def test_round_trip(shape, regime, scale):
    assert_round_trip(shape, regime, random_symbols(shape, scale).clip(-MAX_SYMBOL, MAX_SYMBOL))


@settings(deadline=None, max_examples=40)
@given(
    st.builds(WaveletShape, st.integers(1, 20), st.integers(1, 20), st.integers(1, 5), st.integers(0, 7)),
    st.integers(0, 255),
    st.floats(0, 100),
    st.integers(0, 2**32),
)
def test_round_trip_of_any_shape(shape, regime, scale, seed):
    assert_round_trip(shape, regime, random_symbols(shape, scale, seed))


@each_shape
def test_runs_cover_everything_once(shape):
    symbols = random_symbols(shape)
    out, count = np.zeros_like(symbols), np.zeros_like(symbols)
    for run in runs(shape, 88, out):
        assert run.inputs().shape == (n_inputs(*run.key), run.shape[0] * run.shape[1])
        assert symbols[run.place].shape == run.shape
        count[run.place] += 1
        run.put(symbols[run.place].reshape(-1))
    assert np.all(count == 1)
    assert np.array_equal(out, symbols)


def slope_log(d: int) -> int:
    magnitude = min(abs(d), 2**14) + 16
    exponent = magnitude.bit_length() - 1
    return (32 * exponent + 32 * magnitude // 2**exponent - 160) * (1 if d >= 0 else -1)


def smooth_by_definition(shape: WaveletShape, symbols: np.ndarray, level: int) -> np.ndarray:
    """What the bands of coarser levels make, (rows, cols, F), in sixteenths of a quantizer step."""
    kept = np.zeros_like(symbols)
    for band in bands(shape.rows, shape.cols, shape.n_levels):
        if band.orientation == LL or band.level > level:
            scaled = symbols[band.rows, band.cols] * band_gain(band)
            kept[band.rows, band.cols] = (scaled + 128) // 256
    stride = 2**level
    small = np.moveaxis(kept[::stride, ::stride], 2, 0).astype(np.float64)
    synthesise(small, shape.n_levels - level)
    return np.moveaxis(small, 0, 2).astype(np.int64)


def slopes_by_definition(smooth: np.ndarray, orientation: int, i: int, j: int, f: int) -> list[int]:
    def at(y: int, x: int) -> int:
        return int(smooth[min(max(y, 0), smooth.shape[0] - 1), min(max(x, 0), smooth.shape[1] - 1), f])

    rows = {HL: (-1, 0, 1), LH: (), HH: (0, 1)}[orientation]
    cols = {HL: (), LH: (-1, 0, 1), HH: (0, 1)}[orientation]
    along_x = [at(i + dy, j + dx + 1) - at(i + dy, j + dx) for dy in rows for dx in (-1, 0, 1)]
    along_y = [at(i + dy + 1, j + dx) - at(i + dy, j + dx) for dy in (-1, 0, 1) for dx in cols]
    return [slope_log(d) for d in (*along_x, *along_y)]


def inputs_by_definition(shape: WaveletShape, regime: int, symbols: np.ndarray):
    """docs/reference/format.md, "Wavelet coefficients": a run's network and the inputs of its entries, one by one."""
    logs = signed_log(symbols)
    passes = [(0, 0), (1, 1), (0, 1), (1, 0)]
    nine = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]

    def entries(orientation: int, level: int) -> np.ndarray | None:
        if level > shape.n_levels:
            return None
        stride = 2**level
        row, col = {LL: (0, 0), 0: (0, stride // 2), 1: (stride // 2, 0), 2: (stride // 2, stride // 2)}[orientation]
        return logs[row::stride, col::stride]

    def at(band: np.ndarray | None, i: int, j: int, f: int) -> float:
        inside = band is not None and 0 <= i < band.shape[0] and 0 <= j < band.shape[1]
        return band[i, j, f] if inside else 0.0

    order = [(LL, shape.n_levels)] + [(o, level) for level in range(shape.n_levels, 0, -1) for o in range(3)]
    for orientation, level in order:
        band = entries(orientation, level)
        smooth = smooth_by_definition(shape, symbols, level) if orientation != LL else None
        c = shape.n_levels if orientation == LL else level - 1
        for f in range(shape.features):
            for p, (row, col) in enumerate(passes):
                columns = []
                for i in range(row, band.shape[0], 2):
                    for j in range(col, band.shape[1], 2):
                        x = [
                            at(band, i + dy, j + dx, f)
                            for dy in range(-2, 3)
                            for dx in range(-2, 3)
                            if passes.index(((i + dy) % 2, (j + dx) % 2)) < p
                        ]
                        if orientation != LL:
                            parent = entries(orientation, level + 1)
                            x += [at(parent, i // 2 + dy, j // 2 + dx, f) for dy, dx in nine]
                            for other in range(orientation):
                                cut = entries(other, level)[: band.shape[0], : band.shape[1]]
                                x += [at(cut, i + dy, j + dx, f) for dy, dx in nine]
                        if f > 0:
                            x += [at(band, i + dy, j + dx, f - 1) for dy, dx in nine]
                        if f > 1:
                            x += [
                                at(band, i + dy, j + dx, f - 2) for dy, dx in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0))
                            ]
                        if smooth is not None:
                            x += slopes_by_definition(smooth, orientation, i, j, f)
                        columns.append([*x, 11 * min(c, 3), 32 * (c == 0), regime - 88])
                if columns:
                    yield (orientation, min(f, 2), p), np.transpose(columns)


@each_shape
@pytest.mark.parametrize("scale", [5.0, 3000.0])
def test_inputs_are_those_of_the_format(shape, scale):
    symbols = random_symbols(shape, scale)
    expected = inputs_by_definition(shape, 70, symbols)
    for run, (key, inputs) in zip(runs(shape, 70, np.zeros_like(symbols)), expected, strict=True):
        assert run.key == key
        assert np.array_equal(run.inputs(), inputs)
        run.put(symbols[run.place].reshape(-1))


def test_runs_are_predicted_in_blocks(monkeypatch):
    shape = WaveletShape(23, 30, 3, 3)
    symbols = random_symbols(shape)
    encoder = Encoder()
    code_wavelet(encoder, shape, 88, symbols)
    stream = encoder.finish()
    for columns in (1, 16, 40):
        monkeypatch.setattr("nfcodec.fields.wavelet.coding_order._BLOCK_COLUMNS", columns)
        assert np.array_equal(code_wavelet(Decoder(stream), shape, 88, None), symbols)


def test_clustered_coefficients_cost_less():
    rng, shape = np.random.default_rng(0), WaveletShape(64, 64, 1, 3)
    busy = np.zeros((64, 64))
    busy[:, 32:] = 6.0
    symbols = np.round(rng.normal(0, 1, (64, 64)) * busy).astype(np.int64)[:, :, None]
    shuffled = rng.permutation(symbols.reshape(-1)).reshape(symbols.shape)
    assert bits(shape, 88, symbols) < 0.85 * bits(shape, 88, shuffled)


def test_zeros_cost_little():
    shape = WaveletShape(64, 64, 3, 4)
    assert bits(shape, 88, np.zeros((64, 64, 3), np.int64)) < 0.05 * 64 * 64 * 3


@each_shape
def test_noise_is_refused_or_a_value(shape):
    rng = np.random.default_rng(0)
    for size in (0, 4, 400, 40_000):
        try:
            found = code_wavelet(Decoder(rng.bytes(size)), shape, 255, None)
        except FormatError:
            continue
        assert found.shape == (shape.rows, shape.cols, shape.features)
        assert np.abs(found).max() <= MAX_SYMBOL


def test_no_coefficients_make_a_smooth_picture_too_large_for_exact_arithmetic():
    """The sum of what each coefficient may contribute to a place, coefficients at their largest."""
    side, n_levels = 16, 3
    impulses = np.zeros((side, side, side, side))
    y, x = np.indices((side, side))
    impulses[y, x, y, x] = MAX_SYMBOL * 2.0**SMOOTH_BITS * gains(side, side, n_levels)
    synthesise(impulses.reshape(-1, side, side), n_levels)
    assert np.abs(impulses).sum(axis=(0, 1)).max() < 2.0**31.5


def test_slopes_pay_at_edges(monkeypatch):
    """A disc, whose outline a coarse picture shows, in coefficients of the transform itself; then without slopes."""
    y, x = np.indices((128, 128))
    planes = np.where(np.hypot(y - 64, x - 60) < 40, 40.0, 0.0)[None]
    analyse_planes(planes, 5)
    symbols = np.round(planes / gains(128, 128, 5)).astype(np.int64)[0, :, :, None]
    shape = WaveletShape(128, 128, 1, 5)
    seen = bits(shape, 88, symbols)
    flat = np.zeros(2 * LARGEST_SLOPE + 1, np.float32)
    monkeypatch.setattr("nfcodec.fields.wavelet.slopes._logs", lambda: flat)
    assert seen < 0.95 * bits(shape, 88, symbols)


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (1, 7), (9, 1), (70, 33), (130, 64)])
def test_compiled_slopes_are_those_of_numpy(rows, cols, monkeypatch):
    kernels = pytest.importorskip("nfcodec.fields.wavelet.prediction_kernels")
    plane = np.round(np.random.default_rng(0).normal(0, 5000, (rows, cols, 1))).astype(np.int64)
    found = []
    for kernel in (kernels.slopes, None):
        monkeypatch.setattr("nfcodec.fields.wavelet.slopes.compiled", lambda path, kernel=kernel, **_: kernel)
        smooth = SmoothPicture(plane, 0)
        along = [[np.full(by_parity(*size), -1, np.float32)] for size in smooth.slope_shapes(0)]
        smooth.slopes(0, *along)
        found.append([each[0].reshape(len(each[0]), -1) for each in along])
    for size, compiled, plain in zip(smooth.slope_shapes(0), *found, strict=True):
        assert np.array_equal(compiled, plain)
        assert (compiled == -1).sum() == size[0] * (size[1] % 2)  # the place beside the last of an odd number
