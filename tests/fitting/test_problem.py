import pytest

from nfcodec.fields.table.field import Table


@pytest.mark.parametrize(("transform", "gain"), [("none", 1.0), ("scale:2", 4.0), ("inversion", 1.0)])
def test_allowed_mse(make_problem, transform, gain):
    problem, rounding = make_problem(Table(), transform=transform), 1 / 12 / 255**2
    assert problem.allowed_mse(30.0) == pytest.approx(gain * (1e-3 - rounding))
    assert problem.allowed_mse(60.0) == pytest.approx(gain * 1e-6 / 2)  # rounding alone would cost more
