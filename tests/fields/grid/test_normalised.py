"""Targets of grids, and what errors of them count for under value maps."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.fields import Grid
from nfcodec.fields.grid.normalised import HEAVIEST, RATIO, Normalised
from nfcodec.fitting import Picture, Problem
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain

PICTURE = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)


def problem(chain):
    prepared = Chain.prepare(parse_chain(chain), PICTURE, 0)
    return Problem.of(Picture.of(Raster(PICTURE), prepared), Grid(n_levels=3, n_hyper=0))


@pytest.mark.parametrize("chain", ["none", "inversion", "scale:0.5", "center:2"])
def test_errors_count_for_the_same_where_maps_are_straight(chain):
    found = Normalised.of(problem(chain), 30.0)
    assert found.weights is None
    assert found.gain == problem(chain).gain
    assert (found.targets.min(), found.targets.max()) == (0, 1)


@pytest.mark.parametrize("chain", ["gamma:2", "sympower", "inversion+gamma:2"])
@pytest.mark.parametrize("psnr_db", [20.0, 40.0])
def test_weights_make_of_an_error_that_of_the_samples(chain, psnr_db):
    """Errors of samples as large as the target allows, made in all places alike."""
    given = problem(chain)
    found = Normalised.of(given, psnr_db)
    assert found.weights is not None
    assert found.weights.mean() == pytest.approx(1, rel=1e-4)
    assert found.weights.max() <= HEAVIEST * 2
    size = 255 * 10 ** (-psnr_db / 20)
    moved = np.clip(given.samples + np.random.default_rng(1).choice([-1, 1], given.samples.shape) * size, 0, 255)
    moved = np.round(moved).astype(np.uint8)
    targets = (given.value_map.to_targets(moved) - found.low) / found.range
    error = float((found.weights * np.square(targets.T.reshape(found.targets.shape) - found.targets)).mean())
    of_samples = float(np.square((moved.astype(float) - given.samples) / 255).mean())
    assert error * found.range**2 / found.gain == pytest.approx(of_samples, rel=0.5)


def test_channels_of_different_slopes_have_different_weights():
    samples = np.stack([PICTURE[..., 0], 100 + PICTURE[..., 0] // 8], axis=2)[..., [0, 1, 1]]
    prepared = Chain.prepare(parse_chain("standardize"), samples, 0)
    found = Normalised.of(Problem.of(Picture.of(Raster(samples), prepared), Grid(n_levels=3, n_hyper=0)), 30.0)
    assert found.weights is not None
    weights = found.weights.mean(axis=(1, 2))
    assert weights[0] > 10 * weights[1]


def test_errors_count_for_something_where_others_count_for_nothing():
    """Of two values one is where the map is flat, and so it hardly matters how far beyond it a field goes."""
    samples = np.where(PICTURE[..., :1] < 128, 0, 255).astype(np.uint8)
    prepared = Chain.prepare(parse_chain("sympower"), samples, 0)
    found = Normalised.of(Problem.of(Picture.of(Raster(samples), prepared), Grid(n_levels=3, n_hyper=0)), 40.0)
    assert found.weights is not None
    assert found.weights.max() == pytest.approx(RATIO * found.weights.min(), rel=1e-4)


@pytest.mark.parametrize("chain", ["none", "gamma:2"])
def test_no_other_shift_is_better(chain):
    found = Normalised.of(problem(chain), 30.0)
    picture = found.targets + np.random.default_rng(2).normal(0.1, 0.2, found.targets.shape).astype(np.float32)

    def error(shift):
        weights = 1.0 if found.weights is None else found.weights
        return float((weights * np.square(picture + shift[:, None, None] - found.targets, dtype=np.float64)).mean())

    shift, gained = found.best_shift(picture)
    assert error(np.zeros(3)) - error(shift) == pytest.approx(gained, rel=1e-4)
    assert all(error(shift) < error(shift + move) for move in np.concatenate([np.eye(3), -np.eye(3)]) * 0.01)
