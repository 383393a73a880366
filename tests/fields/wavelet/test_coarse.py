"""Smaller pictures out of the first coefficients of a stream."""

from __future__ import annotations

import numpy as np
import pytest

import nfcodec
from nfcodec.coding.entropy import Decoder, Encoder
from nfcodec.coding.payload import ANY
from nfcodec.exact.geometry import Geometry
from nfcodec.fields import Wavelet
from nfcodec.fields.wavelet.coarse import MEANS, WEIGHT_BITS, WEIGHTS
from nfcodec.fields.wavelet.coding_order import WaveletShape
from nfcodec.fields.wavelet.payload import code_wavelet
from nfcodec.fields.wavelet.transform import LIFTING, LIFTING_BITS
from nfcodec.metrics import psnr_db


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("rows", "cols", "features", "n_levels"), [(1, 1, 1, 3), (1, 29, 1, 4), (37, 22, 3, 3), (33, 64, 2, 7)]
)
def test_coarse_coefficients_come_first(rows, cols, features, n_levels, compiled, monkeypatch):
    """All levels but the finest are decoded from the whole stream as if it held nothing else."""
    if compiled:
        for name in ("REPAYING", "_COMPILED_FROM"):
            monkeypatch.setattr(f"nfcodec.fields.wavelet.coding_order.{name}", 0)
    symbols = np.round(np.random.default_rng(0).laplace(0, 4, (rows, cols, features))).astype(np.int32)
    encoder = Encoder()
    code_wavelet(encoder, WaveletShape(rows, cols, features, n_levels), 88, symbols)
    stream = encoder.finish()
    for omitted in range(n_levels + 1):
        stride = 1 << omitted
        shape = WaveletShape(-(-rows // stride), -(-cols // stride), features, n_levels, omitted)
        found = code_wavelet(Decoder(stream), shape, 88, None)
        assert np.array_equal(found, symbols[::stride, ::stride])


def test_only_scales_of_levels_that_there_are():
    geometry = Geometry(100, 77, 3)
    for scale in (2, 16, 32, 128):
        assert Wavelet(2).coarser(geometry, scale) is None
    _, size = Wavelet(2).coarser(geometry, 8)
    assert size == Geometry(13, 10, 3)
    assert Wavelet(0).coarser(geometry, 4) is None


def test_weights_are_centred_in_blocks():
    for log2_scale, weights in WEIGHTS.items():
        assert sum(weights) == 1 << WEIGHT_BITS
        centre = (weights[1] + 2 * weights[2]) / (1 << WEIGHT_BITS)
        assert centre == pytest.approx(1 - 2.0**-log2_scale, abs=0.01)


def test_means_are_the_inverse_of_what_lifting_makes_of_a_flat_line():
    smooth, detail = 1.0, 1.0
    for i, coefficient in enumerate(LIFTING):
        if i % 2:
            smooth += 2 * coefficient * 2.0**-LIFTING_BITS * detail
        else:
            detail += 2 * coefficient * 2.0**-LIFTING_BITS * smooth
    assert abs(detail) < 1e-4
    assert {j: round(65536 / smooth ** (2 * j)) for j in MEANS} == MEANS


def test_they_look_like_the_means_of_blocks():
    y, x = np.mgrid[:96, :160]
    picture = np.clip(np.round(120 + 70 * np.sin(x / 9) * np.cos(y / 13) + 35 * (x + 2 * y > 150)), 0, 255)
    data = nfcodec.encode(picture.astype(np.uint8), psnr=38, effort=1, field=Wavelet(3))
    for scale in (4, 8, 16):
        means = picture.reshape(96 // scale, scale, -1, scale).mean(axis=(1, 3))
        found = nfcodec.decode_array(data, scale=scale)
        assert psnr_db(found, np.round(means).astype(np.uint8), 255) > 34


def test_they_cost_less():
    geometry, field = Geometry(3000, 4000, 3), Wavelet(6, 32)
    coarse, size = field.coarser(geometry, 8)
    whole, small = field.cost(geometry), coarse.cost(size)
    assert small.work < whole.work / 10
    assert small.memory_bytes < whole.memory_bytes / 5
    of_whole, of_small = (each.parts(geometry, ANY)[-1].cost(0) for each in (field, coarse))
    assert of_small.work < of_whole.work / 10
    assert of_small.kept_bytes < of_whole.kept_bytes / 16
