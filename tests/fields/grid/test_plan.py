"""Which field of grids a picture gets, and in how many iterations."""

from __future__ import annotations

import pytest

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.plan import (
    FITS,
    MOST_MORE,
    SMALLER,
    UNLUCKY,
    field_for,
    is_unlucky,
    n_fits,
    soft_steps,
    steps_for,
    trial_steps,
)
from nfcodec.fields.grid.recipes import RECIPES

KODAK, FULL = Geometry(512, 768, 3), RECIPES[5]


def test_photographs_get_the_whole_field():
    assert field_for(KODAK, FULL, 40e3) == field_for(KODAK, FULL) == Grid()


def test_the_smaller_the_file_the_smaller_the_networks():
    fields = [field_for(Geometry(64, 96, 3), FULL, n_bytes) for n_bytes in (500.0, 2e3, 4e3, 9e3)]
    sizes = [field.n_parameters(KODAK) for field in fields]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 500), (3, 5), (2000, 1400)])
@pytest.mark.parametrize("n_bytes", [100.0, 2e3, 1e6])
def test_every_shape_has_a_field(shape, n_bytes):
    geometry = Geometry(*shape, 3)
    field = field_for(geometry, FULL, n_bytes)
    coarsest = field.lattices(geometry)[-1]
    assert coarsest.rows >= 1
    assert 1 << (field.n_levels - 1) <= max(shape) or field.n_levels == 1


def test_iterations_fall_with_the_pixels_and_are_bounded():
    sides = (8, 64, 256, 700, 1400, 4000)
    n_steps = [steps_for(Geometry(side, side, 3), FULL, None) for side in sides]
    assert n_steps == sorted(n_steps, reverse=True)
    assert n_steps[0] == MOST_MORE * FULL.n_steps
    assert steps_for(KODAK, FULL, None) == pytest.approx(FULL.n_steps, rel=0.01)
    assert steps_for(KODAK, FULL, 7) == 7


def test_starts_take_a_tenth_of_the_iterations_at_most():
    assert trial_steps(FULL, FULL.n_steps) == FULL.n_trial_steps
    assert trial_steps(FULL, 60) * FULL.n_starts <= 6
    assert trial_steps(RECIPES[1], 200) == 0


def test_only_small_files_get_another_start():
    small, n_steps = SMALLER[-1][0] - 1, 100
    n_soft = soft_steps(n_steps)
    assert is_unlucky(int(UNLUCKY * n_soft) + 1, n_steps, small)
    assert not is_unlucky(n_soft, n_steps, small)
    assert not is_unlucky(9 * n_soft, n_steps, small + 1)
    assert n_fits(small) < FITS
