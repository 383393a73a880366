"""The rate model of a fit: what coefficients cost, as the context networks predict them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

UNEXPECTED = 2.0**-18
"""What the coder's tables keep for any symbol, however unlikely."""


@dataclass(frozen=True, eq=False)
class Priors:
    """Laplace distributions of coefficients, in quantizer steps, which a fit takes as constants.

    Attributes:
        locations, scales: (H, W, F), one for each coefficient.
    """

    locations: npt.NDArray[np.float32]
    scales: npt.NDArray[np.float32]

    def bits(self, symbols: npt.NDArray[np.number]) -> Floats:
        """Bits of integers (H, W, F) under the distributions."""
        location, scale = self.locations.astype(np.float64), self.scales.astype(np.float64)
        magnitude = np.abs(symbols - location)
        inside = 1 - np.exp(-0.5 / scale) * np.cosh(np.minimum(magnitude, 0.5) / scale)
        outside = 0.5 * np.exp(-np.maximum(magnitude - 0.5, 0) / scale) * -np.expm1(-1 / scale)
        mass = np.where(magnitude < 0.5, inside, outside)
        return -np.log2(mass + UNEXPECTED)
