"""What a fit of the picture at half its size hands on to that of the whole one."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.coarse_to_fine import MOST_BITS_A_PIXEL, coarser, goes_on, halved, has_coarser, refined
from nfcodec.fields.grid.descent import Descent, Iteration
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.numba import GridProgram
from nfcodec.fields.grid.start import start
from nfcodec.workers import Workers

FIELDS = [Grid(), Grid(6, 3, 6, 2, 8), Grid(5, 1, 6, 2, 8), Grid(5, 0, 6, 0, 8)]


def _found(field: Grid, target: np.ndarray) -> Descent:
    """After a few iterations."""
    channels, height, width = target.shape
    geometry = Geometry(height, width, channels)
    program = GridProgram(field, geometry, target, None, Workers(1))
    parameters = start(field, geometry, target.min((1, 2)), target.max((1, 2)), np.random.default_rng(5))
    descent = Descent(program, parameters, 16.0)
    for _ in range(25):
        descent.step(Iteration(1e-3, 0.35, 0.2, 1e-2, 1e-2))
    return descent


def _bits(descent: Descent, levels_up: int) -> dict[tuple[int, bool], float]:
    keys = [(each.level + levels_up, each.is_hyper) for each in descent.program.lattices]
    return dict(zip(keys, descent.evaluate().grid_bits, strict=True))


@pytest.mark.parametrize("field", FIELDS)
def test_coarser_grids_take_the_same_bits_as_at_half_the_size(field):
    """All but the finest, which is 0, and the one that has maps at half the size, and none in the whole picture."""
    target = np.random.default_rng(2).random((3, 75, 102), np.float32)
    geometry = Geometry(75, 102, 3)
    descent = _found(coarser(field), halved(target))
    began = start(field, geometry, np.zeros(3), np.ones(3), np.random.default_rng(6))
    found = Descent(
        GridProgram(field, geometry, target, None, Workers(1)), refined(field, geometry, began, descent.state()), 16.0
    )
    bits, before = _bits(found, 0), _bits(descent, 1)
    before.pop((3, False))
    assert {key: bits[key] for key in before} == pytest.approx(before, rel=1e-4, abs=0.01)
    assert not found.rounded()[: 75 * 102].any()


@pytest.mark.parametrize("shape", [(1, 6, 8), (3, 7, 9), (3, 1, 5)])
def test_halved_targets_are_means(shape):
    target = np.random.default_rng(1).random(shape, np.float32)
    half = halved(target)
    assert half.shape == (shape[0], -(-shape[1] // 2), -(-shape[2] // 2))
    assert half[:, 0, 0] == pytest.approx(target[:, :2, :2].mean(axis=(1, 2)))
    last = target[:, (shape[1] - 1) // 2 * 2 :, (shape[2] - 1) // 2 * 2 :]
    assert half[:, -1, -1] == pytest.approx(last.mean(axis=(1, 2)))


def test_starts_do_not_depend_on_how_many_levels_there_are():
    geometry, low, high = Geometry(64, 64, 3), np.zeros(3), np.ones(3)
    few, many = (start(Grid(n, 3), geometry, low, high, np.random.default_rng(3)) for n in (6, 7))
    assert np.array_equal(few["entropy"], many["entropy"])
    assert few["synthesis"] / few["synthesis"][0, 0] == pytest.approx(
        (many["synthesis"] / many["synthesis"][0, 0])[:, :6], rel=1e-5
    )


def test_where_a_fit_begins_at_half_the_size():
    large = Geometry(64, 512, 3)
    assert has_coarser(Grid(), large)
    assert not has_coarser(Grid(), Geometry(63, 1000, 3))
    assert not has_coarser(Grid(4, 1), large)
    most = MOST_BITS_A_PIXEL * large.n_pixels / 8
    assert goes_on(large, most - 1)
    assert not goes_on(large, most + 1)
