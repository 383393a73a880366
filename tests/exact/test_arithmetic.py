from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError
from nfcodec.exact.arithmetic import Affine, Quantized, Step, check_exact, rescale

steps = st.builds(Step, st.integers(128, 255), st.integers(-128, 127))


@given(st.floats(2.0**-121, 255 * 2.0**127, allow_nan=False))
def test_nearest_step_is_within_half_a_mantissa(value: float):
    step = Step.nearest(min(value, 2.0**134))
    assert abs(step.value - min(value, 2.0**134)) <= 0.004 * min(value, 2.0**134)


@given(steps)
def test_steps_are_their_own_nearest(step: Step):
    if step.value <= 2.0**134:
        assert Step.nearest(step.value) == step


def test_nearest_clamps():
    assert Step.nearest(0.0) == Step.nearest(1e-60) == Step(128, -128)
    assert Step.nearest(1e60) == Step(128, 127)
    assert Step.nearest(255.9) == Step(128, 1)


@pytest.mark.parametrize(("mantissa", "exponent"), [(127, 0), (256, 0), (0, 0), (128, -129), (128, 128)])
def test_other_steps_do_not_exist(mantissa: int, exponent: int):
    with pytest.raises(FormatError):
        Step(mantissa, exponent)


def by_big_integers(x: int, step: Step, shift: int) -> int:
    return floor(Fraction(x * step.mantissa) * Fraction(2) ** (step.exponent + shift) + Fraction(1, 2))


@given(st.lists(st.integers(-(2**44), 2**44), min_size=1, max_size=20), st.integers(128, 255), st.integers(-90, 0))
def test_rescale_is_exact(values: list[int], mantissa: int, exponent: int):
    step = Step(mantissa, exponent)
    scaled = rescale(np.array(values, np.float64), step, 0)
    assert [int(y) for y in scaled] == [by_big_integers(x, step, 0) for x in values]


@given(st.integers(-(2**20), 2**20), st.integers(1, 30), st.integers(-1, 1))
def test_rescale_is_exact_around_ties(multiple: int, bits: int, nudge: int):
    """Arguments half way between two results, and next to them."""
    x = ((2 * multiple + 1) << bits) + nudge
    for mantissa in (128, 255):
        step = Step(mantissa, -8)
        assert int(rescale(np.array([float(x)]), step, -bits)[0]) == by_big_integers(x, step, -bits)


def test_rescale_rounds_half_up():
    ties = np.array([-3.0, -1.0, 1.0, 3.0])
    assert rescale(ties, Step(128, -8), 0).tolist() == [-1.0, 0.0, 1.0, 2.0]


def test_check_exact_bounds_the_result():
    step = Step(200, -10)
    bound = check_exact(1000.0, step, 4)
    assert abs(rescale(np.array([1000.0, -1000.0]), step, 4)).max() <= bound


@pytest.mark.parametrize(
    ("bound", "step", "shift"),
    [(2.0**45, Step(128, -128), 0), (1.0, Step(128, 127), 0), (2.0**20, Step(128, 0), 25), (2.0**60, Step(128, -9), 0)],
)
def test_check_exact_refuses_overflow(bound: float, step: Step, shift: int):
    with pytest.raises(FormatError):
        check_exact(bound, step, shift)


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 6), st.booleans())
def test_affine_equals_big_integers(seed: int, n_in: int, n_out: int, has_bias: bool):
    rng = np.random.default_rng(seed)
    weight = Quantized(rng.integers(-1000, 1001, (n_out, n_in)), Step(int(rng.integers(128, 256)), -18))
    bias = Quantized(rng.integers(-1000, 1001, n_out), Step(int(rng.integers(128, 256)), -20)) if has_bias else None
    x = rng.integers(-(2**16), 2**16 + 1, (n_in, 4))
    affine = Affine(weight, bias, 16, 24, 2.0**16)
    y = affine(x.astype(np.float64))
    for column in range(4):
        for row in range(n_out):
            total = sum(int(weight.symbols[row, k]) * int(x[k, column]) for k in range(n_in))
            expected = by_big_integers(total, weight.step, 8)
            if bias is not None:
                expected += by_big_integers(int(bias.symbols[row]), bias.step, 24)
            assert int(y[row, column]) == expected
            assert abs(expected) <= affine.bound


def test_affine_refuses_weights_that_could_overflow():
    large = Quantized(np.full((1, 64), 2**24), Step(255, 0))
    with pytest.raises(FormatError):
        Affine(large, None, 16, 24, 2.0**16)
    with pytest.raises(FormatError):
        Affine(Quantized(np.ones((1, 1), np.int64), Step(128, -7)), Quantized(np.ones(1), Step(128, 60)), 16, 24, 1.0)
