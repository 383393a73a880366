"""Pictures of one colour, or close enough to one, need neither iterations nor networks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.constant import SMALLEST, one_colour
from nfcodec.fields.grid.field import Grid
from nfcodec.fitting.picture import Picture
from nfcodec.fitting.problem import Problem
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain


def problem_of(samples, transform="none", field=SMALLEST):
    picture = Picture.of(Raster(samples), Chain.prepare(parse_chain(transform), samples, 0))
    return Problem.of(picture, field)


def flat(*colour, dtype=np.uint8, shape=(24, 17)):
    return np.broadcast_to(np.array(colour, dtype), (*shape, len(colour))).copy()


@pytest.mark.parametrize("transform", ["none", "inversion", "gamma:2", "sympower", "standardize", "rpp"])
@pytest.mark.parametrize(
    "samples",
    [flat(255, 255, 255), flat(0, 0, 0), flat(13, 200, 90), flat(7), flat(41_234, dtype=np.uint16)],
    ids=["white", "black", "colour", "gray", "16 bits"],
)
def test_one_colour_takes_a_few_bytes(samples, transform):
    problem = problem_of(samples, transform)
    trial = one_colour(problem, 40.0)
    assert trial is not None
    assert trial.psnr_db >= 40
    assert len(problem.payload(trial.weights)) <= 32
    decoded = problem.trial(trial.weights)
    assert np.array_equal(decoded.samples, trial.samples)


def test_the_payload_does_not_grow_with_the_picture():
    shapes = (1, 1), (1, 300), (300, 1), (300, 400)
    problems = [problem_of(flat(90, 91, 92, shape=shape)) for shape in shapes]
    sizes = [len(problem.payload(one_colour(problem, 40.0).weights)) for problem in problems]
    assert max(sizes) - min(sizes) <= 4


def test_offsets_are_as_fine_as_the_target_needs():
    problem = problem_of(flat(13, 200, 90))
    steps = [one_colour(problem, psnr_db).weights["offset"].step.value for psnr_db in (20.0, 40.0, 60.0)]
    assert steps[0] > steps[1] > steps[2]
    assert math.isinf(one_colour(problem, 60.0).psnr_db)


def test_pictures_that_one_colour_misses_are_fitted():
    samples = flat(250, 251, 252)
    samples[3, 4] = 0
    problem = problem_of(samples)
    mean_db = one_colour(problem, 20.0).psnr_db
    assert one_colour(problem, mean_db) is not None
    assert one_colour(problem, mean_db + 0.1) is None


def test_a_field_that_is_given_is_the_one_in_the_file():
    field = Grid(n_levels=3, n_hyper=0, n_neighbours=4, n_mapped=1, n_hidden=5)
    problem = problem_of(flat(1, 2, 3), field=field)
    trial = one_colour(problem, 50.0)
    assert {name: weight.symbols.shape for name, weight in trial.weights.items()} == {
        tensor.name: tensor.shape for tensor in field.layout(Geometry(24, 17, 3))
    }
