from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.table.levels import DenseLevel

UNIT = Step(128, -7)  # 1


@pytest.mark.parametrize("log2_stride", [0, 1, 3, 7])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 200])
def test_dense_axis_equals_its_definition(log2_stride: int, n: int):
    stride = 1 << log2_stride
    last = -(-n // stride) - 1
    axis = DenseLevel(log2_stride, 1).axis(n)
    for j in range(n):
        position = (Fraction(2 * j + 1, 2) - Fraction(stride, 2)) / stride  # entry k sits at pixel (k + 1/2) 2^s - 1/2
        clamped = min(max(position, Fraction(0)), Fraction(last))
        fraction = Fraction(int(axis.fraction[j]), 1 << axis.bits)
        assert 0 <= axis.low[j] <= axis.high[j] <= last
        assert 0 <= fraction < 1
        assert axis.low[j] * (1 - fraction) + axis.high[j] * fraction == clamped


@pytest.mark.parametrize("log2_stride", [0, 1, 2, 5])
@pytest.mark.parametrize("shape", [(1, 1), (1, 19), (19, 1), (13, 22)])
def test_dense_interpolation_equals_torch(log2_stride: int, shape):
    torch = pytest.importorskip("torch")
    geometry, level = Geometry(*shape, 1), DenseLevel(log2_stride, 3)
    symbols = np.random.default_rng(0).integers(-200, 201, level.shape(geometry))
    rows, bound = level.evaluator(geometry, Quantized(symbols, UNIT))
    exact = rows(0, geometry.height) / 2.0**16
    image = torch.from_numpy(symbols.astype(np.float64)).permute(2, 0, 1)[None]
    upsampled = torch.nn.functional.interpolate(image, scale_factor=float(1 << log2_stride), mode="bilinear")
    reference = upsampled[0, :, : geometry.height, : geometry.width].reshape(3, -1).numpy()
    assert np.abs(exact - reference).max() <= 2.0**-17
    assert np.abs(exact).max() * 2**16 <= bound
    pieces = [rows(start, min(start + 5, geometry.height)) for start in range(0, geometry.height, 5)]
    assert np.array_equal(np.concatenate(pieces, axis=1) / 2.0**16, exact)


def test_overflowing_tables_are_refused():
    level = DenseLevel(2, 1)
    table = Quantized(np.full(level.shape(Geometry(8, 8, 1)), 1 << 24), Step(255, 10))
    with pytest.raises(FormatError):
        level.evaluator(Geometry(8, 8, 1), table)
