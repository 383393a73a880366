"""Last moves of single entries: each changes one pixel, and they end where the target is."""

from __future__ import annotations

import numpy as np
import pytest

from nfcodec.exact.field import Role
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.landing import land
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fields.ngp.start import adding_start
from nfcodec.fitting.engines import Objective, Rates, create
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.problem import quantize
from nfcodec.fitting.request import Clock

COARSE, FINE = HashLevel(5.5, 7, 56, 1), HashLevel(24.0, 25, 632, 1)
FIELDS = {
    "gray": (Ngp((COARSE, FINE), (4, 4)), 1),
    "colours by one number": (Ngp((HashLevel(5.5, 7, 56, 4), FINE), (8,)), 3),
    "four numbers": (Ngp((COARSE, HashLevel(24.0, 25, 632, 4)), (8, 8)), 3),
    "hashed without collisions": (Ngp((COARSE, HashLevel(24.0, 25, 1 << 19, 1)), (4, 4)), 1),
}
each_field = pytest.mark.parametrize(("field", "channels"), FIELDS.values(), ids=FIELDS.keys())


@pytest.fixture
def fitted(make_problem):
    """A problem of 24 x 20 pixels, the weights of a fit to 34 dB, rounded, and their PSNR."""

    def make(field, channels, transform="none"):
        problem = make_problem(field, channels=channels, transform=transform)
        start = adding_start(problem, field, 0)
        engine = create("numba", "cpu", problem, start, Objective(), 0)
        result = fit(problem, engine, Schedule(34.0, 3000, Rates(2.0**-6, 2.0**-8)), Clock("fit", 34.0, 0.0))
        assert result.reached
        layout = field.layout(problem.geometry)
        steps = {tensor.name: 0.03 if tensor.role is Role.TABLE else 0.01 for tensor in layout}
        weights = quantize(problem, result.parameters, steps)
        return problem, weights, problem.exact_psnr_db(weights)

    return make


def moves(problem, field, weights, trial) -> np.ndarray:
    """What was added to each entry of the finest level; nothing else may have changed."""
    name = f"level{len(field.levels) - 1}"
    for each, weight in weights.items():
        assert trial.weights[each].step == weight.step
        assert each == name or np.array_equal(trial.weights[each].symbols, weight.symbols)
    return trial.weights[name].symbols - weights[name].symbols


@each_field
@pytest.mark.parametrize("off_db", [-1.0, -0.2, 0.05, 0.5])
def test_the_target_is_reached_exactly(fitted, field, channels, off_db):
    """But for pixels that have several numbers: there is one move for each, and that may not be enough from above."""
    problem, weights, before_db = fitted(field, channels)
    target_db = before_db + off_db
    trial = land(field, problem, weights, target_db)
    assert trial.psnr_db == problem.exact_psnr_db(trial.weights)
    moved = moves(problem, field, weights, trial)
    all_moved = np.array_equal(moved.any(axis=1), weights[f"level{len(field.levels) - 1}"].symbols.any(axis=1))
    assert target_db <= trial.psnr_db < target_db + 0.05 or (all_moved and off_db < 0 and field.levels[-1].features > 1)
    assert set(np.unique(moved)) <= {-1, 0, 1}
    assert moved.any()
    assert np.count_nonzero(moved.any(axis=1)) == np.count_nonzero(moved)  # one feature of an entry at most


@each_field
def test_a_move_changes_one_pixel_only(fitted, field, channels):
    problem, weights, before_db = fitted(field, channels)
    before = problem.trial(weights).samples
    for target_db in (before_db - 0.5, before_db + 0.2):
        trial = land(field, problem, weights, target_db)
        level = field.levels[-1]
        y, x = level.axes(problem.geometry)
        own = moves(problem, field, weights, trial)[level.index(x.low, y.low[:, None]).reshape(-1)]
        changed = (trial.samples != before).any(axis=1)
        assert changed.any()
        assert not changed[~own.any(axis=1)].any()
        assert np.count_nonzero(own) == np.count_nonzero(moves(problem, field, weights, trial))


def test_moves_from_above_save_bytes(fitted):
    """And take no more error than there is room for; from below they cost some."""
    field, channels = FIELDS["gray"]
    problem, weights, before_db = fitted(field, channels)
    own = problem.estimated_bytes(weights)
    down, further = (problem.estimated_bytes(land(field, problem, weights, before_db - db).weights) for db in (0.5, 2))
    assert further < down < own
    assert problem.estimated_bytes(land(field, problem, weights, before_db + 0.5).weights) > own


@pytest.mark.parametrize("transform", ["inversion", "gamma:2", "rpp"])
def test_any_chain(fitted, transform):
    field, channels = FIELDS["gray"]
    problem, weights, before_db = fitted(field, channels, transform)
    for off_db in (-0.3, 0.3):
        target_db = before_db + off_db
        assert target_db <= land(field, problem, weights, target_db).psnr_db < target_db + 0.1


def test_what_is_out_of_reach_comes_as_close_as_one_move_a_pixel_gets(fitted):
    field, channels = FIELDS["gray"]
    problem, weights, before_db = fitted(field, channels)
    trial = land(field, problem, weights, 90.0)
    assert before_db < trial.psnr_db < 90.0


@pytest.mark.parametrize(
    "levels",
    [
        (COARSE,),
        (FINE, COARSE),  # the finest is not the last
        (COARSE, HashLevel(24.0, 25, 128, 1)),  # pixels share entries
        (COARSE, HashLevel(23.5, 25, 632, 1)),  # pixels lie between vertices
    ],
)
def test_without_an_entry_for_each_pixel_nothing_moves(make_problem, levels):
    field = Ngp(levels, (4, 4))
    problem = make_problem(field, channels=1)
    steps = {tensor.name: 0.01 for tensor in field.layout(problem.geometry)}
    weights = quantize(problem, adding_start(problem, field, 0), steps)
    for target_db in (1.0, 60.0):
        trial = land(field, problem, weights, target_db)
        assert trial.weights is weights
        assert trial.psnr_db == problem.exact_psnr_db(weights)
