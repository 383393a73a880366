import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.table.field import Table
from nfcodec.fitting.colours import color_basis


def test_the_basis_is_orthonormal_and_sorted(make_problem):
    problem = make_problem(Table())
    mean, axes = color_basis(problem.targets, problem.geometry)
    assert np.allclose(mean, problem.targets.mean(axis=0))
    assert np.allclose(axes.T @ axes, np.eye(3))
    assert np.all(axes.sum(axis=0) >= 0)
    image = (problem.targets @ axes).reshape(problem.geometry.height, problem.geometry.width, 3)
    differences = np.concatenate([np.diff(image, axis=axis).reshape(-1, 3) for axis in (0, 1)])
    moments = differences.T @ differences
    assert np.allclose(moments, np.diag(np.diag(moments)), atol=1e-4 * moments.max())
    assert np.all(np.diff(np.diag(moments)) <= 0)


def test_the_basis_of_a_pixel_and_of_lines():
    for height, width in ((1, 1), (1, 5), (5, 1)):
        targets = np.arange(3.0 * height * width, dtype=np.float32).reshape(-1, 3)
        _, axes = color_basis(targets, Geometry(height, width, 3))
        assert np.allclose(axes.T @ axes, np.eye(3))
