from __future__ import annotations

import numpy as np
import pytest

from nfcodec.coding.entropy import Decoder, Encoder, Estimator
from nfcodec.coding.levels import (
    CLASS_BOUNDS,
    CLASS_SCALES,
    FEATURES,
    NEIGHBOURS,
    NESTED,
    NESTED_BUCKETS,
    LevelShape,
    code_levels,
)
from nfcodec.coding.nesting import around

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


@pytest.mark.parametrize("order", [NEIGHBOURS, FEATURES, NESTED])
@pytest.mark.parametrize("limits", [[9, 4, 1, 2], [300, 0, 5000, 7]], ids=["small", "wide"])
@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES.keys())
def test_round_trip(order, limits, shapes):
    levels = random_levels(shapes, limits)
    encoder = Encoder()
    code_levels(encoder, order, shapes, limits, levels)
    decoder = Decoder(encoder.finish())
    decoded = code_levels(decoder, order, shapes, limits, None)
    decoder.finish()
    assert len(decoded) == len(levels)
    for a, b in zip(decoded, levels, strict=True):
        assert np.array_equal(a, b)


def test_no_levels():
    assert code_levels(Encoder(), NEIGHBOURS, [], [], []) == []


def bits(order, shapes, limits, levels):
    estimator = Estimator()
    code_levels(estimator, order, shapes, limits, levels)
    return estimator.bits


def test_neighbours_help_where_magnitudes_cluster():
    rng = np.random.default_rng(0)
    busy = np.zeros((64, 64))
    busy[:, 32:] = 6.0
    level = np.round(rng.normal(0, 1, (64, 64)) * busy).astype(np.int64)[:, :, None]
    shapes, limit = [LevelShape(64, 64, 1, 0)], [int(np.abs(level).max())]
    shuffled = rng.permutation(level.reshape(-1)).reshape(level.shape)
    assert bits(NEIGHBOURS, shapes, limit, [level]) < 0.85 * bits(NEIGHBOURS, shapes, limit, [shuffled])


def test_features_help_where_features_agree():
    rng = np.random.default_rng(0)
    first = rng.integers(-100, 101, (64, 64))
    level = np.stack([first, first // 2, first // 3], axis=2)
    shapes, limits = [LevelShape(64, 64, 3, 0)], np.abs(level).max(axis=(0, 1)).tolist()
    assert bits(FEATURES, shapes, limits, [level]) < 0.85 * bits(NEIGHBOURS, shapes, limits, [level])


@pytest.mark.parametrize(("side", "ratio"), [(40, 1.0), (300, 0.97)])
def test_narrow_contexts_help_in_large_pictures_and_do_no_harm_in_small_ones(side, ratio):
    rng = np.random.default_rng(0)
    first = np.round(rng.normal(0, 40, (side, side)))
    second = np.round(0.5 * first + rng.normal(0, 3, (side, side)))
    third = np.round(0.7 * first - 0.9 * second + rng.normal(0, 1, (side, side)))
    level = np.stack([first, second, third], axis=2).astype(np.int64)
    shapes, limits = [LevelShape(side, side, 3, 0)], np.abs(level).max(axis=(0, 1)).tolist()
    assert bits(NESTED, shapes, limits, [level]) < ratio * bits(FEATURES, shapes, limits, [level])


def test_what_contexts_lie_around():
    assert around(0, NESTED_BUCKETS) == []
    wide, narrow = around(1, NESTED_BUCKETS)
    assert (wide.tolist(), narrow.tolist()) == ([0] * 16, [i // 8 for i in range(128)])
    wide, pairs, narrower, narrow = around(2, NESTED_BUCKETS)
    assert around(5, NESTED_BUCKETS)[3].tolist() == narrow.tolist()
    assert (len(wide), len(pairs), len(narrower), len(narrow)) == (16, 256, 1024, 16384)
    for first, second in ((0, 0), (3, 127), (80, 35), (127, 8)):
        inner = narrow[128 * first + second]
        assert inner == 32 * (first // 4) + second // 4
        assert narrower[inner] == 16 * (first // 8) + second // 8
        assert pairs[narrower[inner]] == second // 8


def test_every_class_has_a_scale():
    assert len(CLASS_SCALES) == len(CLASS_BOUNDS) + 1
    assert sorted(CLASS_SCALES) == CLASS_SCALES
    assert np.all(np.diff(CLASS_BOUNDS) > 0)
