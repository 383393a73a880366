from __future__ import annotations

import numpy as np
import pytest

from nfcodec.coding.entropy import Decoder, Encoder, Estimator
from nfcodec.coding.levels import CLASS_BOUNDS, CLASS_SCALES, LevelShape, code_levels

SHAPES = {
    "one entry": [LevelShape(1, 1, 1, 0)],
    "one row": [LevelShape(1, 9, 2, 0)],
    "one column": [LevelShape(9, 1, 3, 0)],
    "odd, three levels": [LevelShape(2, 3, 3, 2), LevelShape(3, 5, 3, 1), LevelShape(5, 9, 3, 0)],
    "strides skipped": [LevelShape(1, 2, 1, 5), LevelShape(17, 33, 1, 0)],
    "features come and go": [LevelShape(2, 2, 1, 2), LevelShape(3, 4, 4, 1), LevelShape(6, 7, 2, 0)],
}


def random_levels(shapes, limits, seed=0):
    rng = np.random.default_rng(seed)
    levels = []
    for shape in shapes:
        level = np.round(rng.laplace(0, 3, (shape.rows, shape.cols, shape.features))).astype(np.int64)
        for f in range(shape.features):
            level[:, :, f] = level[:, :, f].clip(-limits[f], limits[f])
        levels.append(level)
    return levels


@pytest.mark.parametrize("limits", [[9, 4, 1, 2], [300, 0, 5000, 7]], ids=["small", "wide"])
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES.keys())
def test_round_trip(limits, shapes):
    levels = random_levels(shapes, limits)
    encoder = Encoder()
    code_levels(encoder, shapes, limits, levels)
    decoder = Decoder(encoder.finish())
    decoded = code_levels(decoder, shapes, limits, None)
    decoder.finish()
    assert len(decoded) == len(levels)
    for a, b in zip(decoded, levels, strict=True):
        assert np.array_equal(a, b)


def test_no_levels():
    assert code_levels(Encoder(), [], [], []) == []


def bits(shapes, limits, levels):
    estimator = Estimator()
    code_levels(estimator, shapes, limits, levels)
    return estimator.bits


def test_neighbours_help_where_magnitudes_cluster():
    rng = np.random.default_rng(0)
    busy = np.zeros((64, 64))
    busy[:, 32:] = 6.0
    level = np.round(rng.normal(0, 1, (64, 64)) * busy).astype(np.int64)[:, :, None]
    shapes, limit = [LevelShape(64, 64, 1, 0)], [int(np.abs(level).max())]
    shuffled = rng.permutation(level.reshape(-1)).reshape(level.shape)
    assert bits(shapes, limit, [level]) < 0.85 * bits(shapes, limit, [shuffled])


def test_every_class_has_a_scale():
    assert len(CLASS_SCALES) == len(CLASS_BOUNDS) + 1
    assert sorted(CLASS_SCALES) == CLASS_SCALES
    assert np.all(np.diff(CLASS_BOUNDS) > 0)
