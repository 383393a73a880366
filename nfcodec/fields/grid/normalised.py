"""Targets in 0 .. 1, as the rates and schedules of a fit of grids expect them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nfcodec.exact.field import FloatArray
from nfcodec.fitting.problem import Problem


@dataclass(frozen=True)
class Normalised:
    """What a field is fitted to.

    Attributes:
        targets: (C, H, W), those of the picture less `low`, over `range`, for all channels alike.
    """

    targets: FloatArray
    low: float
    range: float

    @classmethod
    def of(cls, problem: Problem) -> Normalised:
        """The targets of a problem."""
        geometry, flat = problem.geometry, np.transpose(problem.targets)
        low, high = float(flat.min()), float(flat.max())
        scale = (high - low) or 1.0
        targets = np.ascontiguousarray((flat - np.float32(low)) / np.float32(scale), np.float32)
        return cls(targets.reshape(geometry.channels, geometry.height, geometry.width), low, scale)

    def factor(self, name: str) -> tuple[float, float]:
        """What a parameter of this tensor is multiplied with, and what is added, for a field of the picture itself."""
        if name == "scale":
            return self.range, 0.0
        return (self.range, self.low) if name == "offset" else (1.0, 0.0)
