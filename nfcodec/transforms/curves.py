"""Increasing and decreasing curves in exact arithmetic: the steps that value maps are made of.

A curve is a sequence of steps applied to a number z, each either

    Affine(a, b, c)     z -> (a z + b) / c           a, b, c integers, a != 0, c > 0
    Power(gamma)        z -> sign(z) |z|^(1/gamma)   gamma in units of 10^-6, an integer > 0

In files these numbers are integers. `RealMap` also has steps with other real numbers, which are never made exact.

After every step the value saturates: |z| over 10^100 becomes 10^100, under 10^-100 becomes 0.

`ceilings` is normative: ceil(x - 10^-20) with x computed to 50 significant decimal digits. The tolerance is huge beside
the rounding errors, so that any implementation with 50 digits or more finds the same integers. For speed, a float64
interval that surely contains x comes first, and decimals only where it leaves the integer open: floats never decide.
"""

from __future__ import annotations

import decimal
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from nfcodec.errors import LimitError
from nfcodec.transforms.orders import Int64Array

FloatArray = npt.NDArray[np.float64]

MICRO = 1_000_000
CLAMP_BITS = 16
MAX_EXACT_STEPS = 1 << 12

_CONTEXT = decimal.Context(
    prec=50, rounding=decimal.ROUND_HALF_EVEN, Emin=-999_999, Emax=999_999, capitals=1, clamp=0, flags=[], traps=[]
)
_TOLERANCE = Decimal("1e-20")
_LARGEST, _SMALLEST = Decimal("1e100"), Decimal("1e-100")
_ZERO = Decimal(0)
_MARGIN = 2.0**-48  # a float64 operation is trusted to this relative error, 16 units in the last place


@dataclass(frozen=True)
class Affine:
    """z -> (a z + b) / c."""

    a: float
    b: float
    c: float

    def exact(self, z: Decimal) -> Decimal:
        """The step to 50 significant digits."""
        product = _CONTEXT.multiply(z, Decimal(self.a))
        return _CONTEXT.divide(_CONTEXT.add(product, Decimal(self.b)), Decimal(self.c))

    def approximate(self, z: FloatArray) -> FloatArray:
        """The step in plain float64."""
        return (self.a * z + self.b) / self.c

    def undo(self, values: FloatArray) -> FloatArray:
        """The inverse of `approximate`."""
        return (self.c * values - self.b) / self.a

    @property
    def slope(self) -> float:
        """The same everywhere."""
        return self.a / self.c

    def interval(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Bounds of the step over low <= z <= high."""
        if self.a < 0:
            low, high = high, low
        low, high = _widen(self.a * low, self.a * high)
        low, high = _widen(low + self.b, high + self.b)
        return _widen(low / self.c, high / self.c)


@dataclass(frozen=True)
class Power:
    """z -> sign(z) |z|^(1/gamma); `gamma` in units of 10^-6."""

    gamma: float

    def exact(self, z: Decimal) -> Decimal:
        """The step to 50 significant digits."""
        if z == 0:
            return _ZERO
        exponent = _CONTEXT.divide(_CONTEXT.multiply(_CONTEXT.ln(z.copy_abs()), Decimal(MICRO)), Decimal(self.gamma))
        return _CONTEXT.exp(exponent).copy_sign(z)

    def approximate(self, z: FloatArray) -> FloatArray:
        """The step in plain float64."""
        return self._power(z, MICRO / self.gamma)

    def undo(self, values: FloatArray) -> FloatArray:
        """The inverse of `approximate`."""
        return self._power(values, self.gamma / MICRO)

    @property
    def slope(self) -> None:
        """It is not one number."""
        return None

    def interval(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Bounds of the step over low <= z <= high."""
        exponents = [MICRO / self.gamma * (1 - _MARGIN), MICRO / self.gamma * (1 + _MARGIN)]
        lows, highs = ([self._power(z, exponent) for exponent in exponents] for z in (low, high))
        return _widen(np.minimum(*lows), np.maximum(*highs))

    @staticmethod
    def _power(z: FloatArray, exponent: float) -> FloatArray:
        with np.errstate(over="ignore", under="ignore"):
            return np.copysign(np.minimum(np.abs(z) ** exponent, 1e300), z)


Step = Affine | Power


def approximate(steps: Sequence[Step], z: FloatArray) -> FloatArray:
    """The curve in plain float64: good for a target to fit, not exact."""
    for step in steps:
        z = _saturate(step.approximate(z))
    return z


def ceilings(steps: Sequence[Step], numerators: Int64Array, denominator: int, scale: int) -> Int64Array:
    """The integers ceil(scale * curve(numerators / denominator)), exact up to the tolerance above.

    Args:
        steps: the curve.
        numerators: (n,) int64, |numerator| < 2^53.
        denominator: > 0.
        scale: a non-zero integer, at most 2^36 in absolute value.

    Returns:
        (n,) int64, clamped to +- 2^16 scale.

    Raises:
        LimitError: floats leave so many integers open that decimals would take over 4096 steps: a hostile curve.
    """
    z = numerators / denominator
    low, high = _widen(z, z)
    for step in (*steps, Affine(scale, 0, 1)):
        low, high = (_saturate(bound) for bound in step.interval(low, high))
    clamp = abs(scale) << CLAMP_BITS
    low, high = np.clip(low, -clamp, clamp), np.clip(high, -clamp, clamp)
    result = np.ceil(high - 0.9e-20).astype(np.int64)  # the tolerance, rounded towards the safe side
    undecided = np.flatnonzero(np.ceil(low - 1.1e-20) != result)
    if undecided.size * len(steps) > MAX_EXACT_STEPS:
        raise LimitError("the value transforms cancel each other too closely to be tabulated", code="precision")
    for index in undecided:
        result[index] = _exact_ceiling(steps, int(numerators[index]), denominator, scale)
    return result


def _exact_ceiling(steps: Sequence[Step], numerator: int, denominator: int, scale: int) -> int:
    """The definition of one entry of `ceilings`."""
    z = _CONTEXT.divide(Decimal(numerator), Decimal(denominator))
    for step in steps:
        z = step.exact(z)
        if z.copy_abs() > _LARGEST:
            z = _LARGEST.copy_sign(z)
        elif z.copy_abs() < _SMALLEST:
            z = _ZERO
    clamp = abs(scale) << CLAMP_BITS
    x = min(max(_CONTEXT.multiply(z, Decimal(scale)), Decimal(-clamp)), Decimal(clamp))
    return math.ceil(_CONTEXT.subtract(x, _TOLERANCE))


def _widen(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    return low - _MARGIN * np.abs(low), high + _MARGIN * np.abs(high)


def _saturate(z: FloatArray) -> FloatArray:
    return np.where(np.abs(z) < 1e-100, 0.0, np.clip(z, -1e100, 1e100))
