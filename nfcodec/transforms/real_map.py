"""Value transforms on real numbers, for experiments that fit a picture in linear light and not its samples.

The curves are those of the codec (`Pointwise.steps`), in plain float64 and without thresholds: nothing is rounded or
clamped, but for powers, which a picture never gives negative numbers to unless other transforms come before. There an
output of a field that would lead back below 0 counts as 0, as it does in the code of Seo et al. (CVPR 2024).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nfcodec.transforms.curves import FloatArray, Step

if TYPE_CHECKING:
    from typing_extensions import Self

_ROUNDING = 1e-9
"""A number that stands for 0 may be so far below it: a picture stretched to [0, 1] rounds."""


@dataclass(frozen=True)
class RealMap:
    """Steps from a picture's numbers to what a field is fitted to, and back.

    Attributes:
        steps: one after the other.
        floors: of each step, the least number that comes in: 0 for a power that gets no negative numbers from the
            picture, else minus infinity.
    """

    steps: tuple[Step, ...]
    floors: tuple[float, ...]

    @classmethod
    def of(cls, steps: Sequence[Step], values: FloatArray) -> Self:
        """The steps as they suit a picture of these numbers (n,)."""
        floors: list[float] = []
        for step in steps:
            unsigned = step.slope is None and float(values.min()) >= -_ROUNDING
            floors.append(0.0 if unsigned else -math.inf)
            values = step.approximate(np.maximum(values, floors[-1]))
        return cls(tuple(steps), tuple(floors))

    def __call__(self, values: FloatArray) -> FloatArray:
        """Numbers (n,) of the picture to targets (n,) for a field."""
        for step, floor in zip(self.steps, self.floors, strict=True):
            values = step.approximate(np.maximum(values, floor))
        return values

    def undo(self, outputs: FloatArray) -> FloatArray:
        """Outputs (n,) of a field to the numbers (n,) of a picture that they stand for."""
        for step, floor in zip(reversed(self.steps), reversed(self.floors), strict=True):
            outputs = np.maximum(step.undo(outputs), floor)
        return outputs

    @property
    def slope(self) -> float | None:
        """By how much targets grow with the picture's numbers; None where that is not one number."""
        slopes = [step.slope for step in self.steps]
        known = [slope for slope in slopes if slope is not None]
        return math.prod(known) if len(known) == len(slopes) else None
