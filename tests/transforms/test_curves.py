from __future__ import annotations

import decimal
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcodec.errors import LimitError
from nfcodec.transforms import curves
from nfcodec.transforms.curves import CLAMP_BITS, Affine, Power, approximate, ceilings

PEAKS = (255, 65535)
TOLERANCE = Fraction(1, 10**20)

affine = st.builds(
    Affine,
    st.integers(-(10**9), 10**9).filter(bool),
    st.integers(-(10**9), 10**9),
    st.integers(1, 10**9),
)
power = st.builds(Power, st.integers(50_000, 20_000_000))


def halfway(peak: int, step: int = 1):
    return 2 * np.arange(1, peak + 1, step, dtype=np.int64) - 1


def rational(steps: list[Affine], z: Fraction) -> Fraction:
    for step in steps:
        z = (step.a * z + step.b) / step.c
    return z


@given(st.lists(affine, max_size=4), st.sampled_from([1 << 24, -(1 << 24), 1, -(1 << 36)]))
def test_affine_curves_against_fractions(steps: list[Affine], scale: int):
    found = ceilings(steps, halfway(255, 5), 510, scale)
    exact = [scale * rational(steps, Fraction(int(n), 510)) for n in halfway(255, 5)]
    clamp = abs(scale) << CLAMP_BITS
    assert found.tolist() == [math.ceil(min(max(x, -clamp), clamp) - TOLERANCE) for x in exact]


@settings(max_examples=50)
@given(st.lists(affine | power, max_size=4), st.sampled_from([1 << 24, -(1 << 30)]))
def test_floats_never_decide(steps: list[Affine | Power], scale: int):
    numerators = halfway(255, 8)
    exact = [curves._exact_ceiling(steps, int(n), 510, scale) for n in numerators]
    assert ceilings(steps, numerators, 510, scale).tolist() == exact


@pytest.mark.parametrize("peak", PEAKS)
def test_square_roots_against_integers(peak: int):
    # ceil(2^24 sqrt(n / (2 peak))) is never exact, so it is 1 + floor(sqrt(2^48 n / (2 peak)))
    numerators = halfway(peak)
    expected = [1 + math.isqrt((n << 48) // (2 * peak)) for n in numerators.tolist()]
    assert ceilings([Power(2_000_000)], numerators, 2 * peak, 1 << 24).tolist() == expected


@pytest.mark.parametrize("peak", PEAKS)
def test_squares_against_integers(peak: int):
    numerators = halfway(peak)
    expected = [-(-(n * n << 24) // (2 * peak) ** 2) for n in numerators.tolist()]
    assert ceilings([Power(500_000)], numerators, 2 * peak, 1 << 24).tolist() == expected


def test_fractional_powers_against_integers():
    # gamma 2.5: x = 2^24 z^(2/5), so ceil(x) is the least m with m^5 (2 peak)^2 >= 2^120 n^2
    numerators = halfway(255)
    for n, m in zip(numerators.tolist(), ceilings([Power(2_500_000)], numerators, 510, 1 << 24).tolist(), strict=True):
        assert (m - 1) ** 5 * 510**2 < (n * n) << 120 <= m**5 * 510**2


def test_a_gamma_and_its_inverse_cancel():
    numerators = halfway(255)
    steps = [Power(2_000_000), Power(500_000), Power(2_200_000), Affine(1, 0, 1), Power(10_000_000), Power(45_455)]
    assert ceilings(steps[:2], numerators, 510, 1 << 24).tolist() == ceilings([], numerators, 510, 1 << 24).tolist()
    assert (np.diff(ceilings(steps, numerators, 510, 1 << 24)) > 0).all()


def test_powers_are_odd():
    steps = [Affine(2, -1, 1), Power(2_200_000)]
    positive, negative = (ceilings(steps, np.array([n, 20 - n]), 20, 1 << 30) for n in (17, 3))
    assert positive[0] == negative[1] > 0
    assert -positive[1] == -negative[0] == positive[0] - 1


def test_zero_stays_zero():
    steps = [Affine(2, -1, 1), Power(2_000_000), Power(500_000)]
    assert ceilings(steps, np.array([1]), 2, 1 << 24).tolist() == [0]


def test_saturation():
    huge = [Affine(10**9, 0, 1)] * 2 + [Power(50_000)] * 4
    tiny = [Affine(1, 0, 10**9)] * 2 + [Power(50_000)] * 4
    for steps, scale, expected in ((huge, 1, 65536), (huge, -1, -65536), (tiny, 1 << 24, 0), (tiny, -(1 << 24), 0)):
        assert ceilings(steps, np.array([1, 254]), 255, scale).tolist() == [expected] * 2
        assert curves._exact_ceiling(steps, 1, 255, scale) == expected


def test_the_callers_decimal_context_does_not_matter():
    steps = [Affine(1, -1, 3), Power(2_200_000), Affine(12_345, 0, 1)]
    expected = curves._exact_ceiling(steps, 1, 7, 1 << 20)
    with decimal.localcontext() as context:
        context.prec, context.rounding, context.traps[decimal.Inexact] = 3, decimal.ROUND_UP, True
        assert curves._exact_ceiling(steps, 1, 7, 1 << 20) == expected


def test_steep_powers_are_not_hostile():
    numerators = halfway(65535)
    table = ceilings([Power(50_000)], numerators, 131070, 1 << 24)
    assert (np.diff(table) >= 0).all()
    for k in (1, 1000, 2858, 2859, 2860, 2861, 30_000, 65_535):  # 2^24 z^20 passes 10^-20 near 2860
        assert table[k - 1] == math.ceil(Fraction((2 * k - 1) ** 20 << 24, 131070**20) - TOLERANCE)
    assert set(table[2800:2900].tolist()) == {0, 1}


def test_hostile_curves_are_refused_quickly():
    steps = [*[Power(20_000_000)] * 6, Affine(-1, 1, 1), Affine(10**9, 0, 1)]
    with pytest.raises(LimitError):
        ceilings(steps, halfway(65535), 131070, 1 << 24)


def test_approximate():
    z = np.array([0.0, 0.25, 1.0])
    assert approximate([], z).tolist() == z.tolist()
    assert approximate([Power(2_000_000), Affine(-1, 1, 1)], z).tolist() == [1, 0.5, 0]
