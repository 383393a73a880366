"""The compiled loop over coefficients predicts the same integers as NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.coding.entropy import Decoder, Encoder
from nfcodec.coding.laplace import MAX_SYMBOL
from nfcodec.fields.wavelet import coding_order
from nfcodec.fields.wavelet.coding_order import REPAYING, WaveletShape, runs
from nfcodec.fields.wavelet.contexts import Network
from nfcodec.fields.wavelet.payload import code_wavelet, predict

pytest.importorskip("numba")

SHAPES = {
    "one pixel": WaveletShape(1, 1, 1, 0),
    "one row": WaveletShape(1, 300, 2, 3),
    "one column": WaveletShape(270, 1, 3, 2),
    "no levels": WaveletShape(37, 46, 3, 0),
    "even": WaveletShape(64, 48, 1, 2),
    "odd": WaveletShape(51, 43, 3, 4),
    "wide": WaveletShape(9, 530, 1, 1),
    "more levels than there are": WaveletShape(5, 9, 1, 7),
    "many features": WaveletShape(26, 27, 6, 2),
}
each_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def symbols_of(shape: WaveletShape, scale: float) -> np.ndarray:
    """Random symbols; all at the largest magnitude for an infinite scale."""
    rng, size = np.random.default_rng(0), (shape.rows, shape.cols, shape.features)
    if np.isinf(scale):
        return rng.choice([-MAX_SYMBOL, MAX_SYMBOL], size)
    return np.round(rng.laplace(0, scale, size)).astype(np.int64).clip(-MAX_SYMBOL, MAX_SYMBOL)


@pytest.fixture
def always_compiled(monkeypatch):
    """Also for runs so short that the compiled loop would not pay."""
    monkeypatch.setattr(coding_order, "_COMPILED_FROM", 1)


@pytest.fixture
def n_exactly(monkeypatch):
    """Counts the coefficients that the loop leaves to float64, in a list of one number."""
    count, predict = [0], Network.predict_exactly

    def counted(self, inputs):
        count[0] += inputs.shape[1]
        return predict(self, inputs)

    monkeypatch.setattr(Network, "predict_exactly", counted)
    return count


def both_of(run):
    """What a run is predicted by the compiled loop, block by block, and by NumPy in float64 all at once."""
    assert run._by_kernel() is not None
    found = np.full(run.shape, -1, np.int32), np.full(run.shape, -1, np.int32)

    def take(rows, *predicted):
        for whole, part in zip(found, predicted, strict=True):
            whole[rows] = part.reshape(-1, run.shape[1])

    for task in run.tasks(take):
        task()
    single, double = run.network.predict(run.inputs()), run.network.predict_exactly(run.inputs())
    assert all(np.array_equal(*each) for each in zip(single, double, strict=True))
    return [each.reshape(-1) for each in found], single


@each_shape
@pytest.mark.parametrize("regime", [0, 88, 255])
@pytest.mark.parametrize("scale", [0.0, 0.4, 30.0, 1e4, np.inf])
def test_compiled_predictions_are_those_of_numpy(shape, regime, scale, always_compiled):
    symbols = symbols_of(shape, scale)
    for run in runs(shape, regime, np.zeros_like(symbols)):
        compiled, plain = both_of(run)
        assert all(np.array_equal(*each) for each in zip(compiled, plain, strict=True))
        run.put(symbols[run.place].reshape(-1))


def test_blocks_of_any_size_make_the_same_predictions(always_compiled, monkeypatch):
    shape = WaveletShape(45, 70, 3, 3)
    symbols = symbols_of(shape, 5.0)
    for columns in (1, 70, 1000):
        monkeypatch.setattr(coding_order, "_BLOCK_COLUMNS", columns)
        for run in runs(shape, 88, np.zeros_like(symbols)):
            compiled, plain = both_of(run)
            assert all(np.array_equal(*each) for each in zip(compiled, plain, strict=True))
            run.put(symbols[run.place].reshape(-1))


def test_the_largest_symbols_need_double_precision(always_compiled, n_exactly):
    """And usual ones do not."""
    shape = WaveletShape(64, 64, 3, 3)
    for scale, some in ((3.0, False), (np.inf, True)):
        n_exactly[0] = 0
        predicted = np.zeros((64, 64, 3), np.int64)

        def take(place, locations, log_scales, predicted=predicted):
            predicted[place] += 1

        predict(shape, 88, symbols_of(shape, scale), take)
        assert np.all(predicted == 1)
        assert (n_exactly[0] > 100) == some


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("scale", [2.0, 1e6, np.inf])
@pytest.mark.parametrize("shape", [WaveletShape(130, 150, 1, 0), WaveletShape(150, 131, 3, 2)], ids=str)
def test_streams_do_not_depend_on_the_compiler(shape, scale, dtype, monkeypatch):
    """As they are, with runs that are compiled and some that are not; nor on how symbols are held."""
    symbols, streams = symbols_of(shape, scale), []
    for kernel in (coding_order._kernel(REPAYING), None):
        monkeypatch.setattr(coding_order, "_kernel", lambda _, kernel=kernel: kernel)
        encoder = Encoder()
        code_wavelet(encoder, shape, 88, symbols.astype(dtype))
        streams.append(encoder.finish())
    assert streams[0] == streams[1]
    monkeypatch.undo()
    assert coding_order._kernel(REPAYING) is not None
    assert np.array_equal(code_wavelet(Decoder(streams[0]), shape, 88, None), symbols)
