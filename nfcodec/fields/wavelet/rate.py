"""The rate model of a fit: what coefficients cost, as the context networks predict them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from nfcodec.coding.laplace import ESCAPE
from nfcodec.exact.arithmetic import SymbolArray
from nfcodec.workers import Workers, n_threads

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

UNEXPECTED = 2.0**-18
"""What the coder's tables keep for any symbol, however unlikely."""

KEPT_BITS = math.log2(1 + (2 * ESCAPE + 1) * UNEXPECTED)
"""What that costs each of the others."""

_CHUNK = 1 << 15
"""Coefficients that a thread looks at at a time, so that what is made of them stays in the caches."""


AnArray = TypeVar("AnArray", bound=npt.NDArray[Any])


def plane_major(shape: tuple[int, ...], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """An array (H, W, F) whose planes lie one behind the other in memory, which is how all here is worked on."""
    return np.moveaxis(np.empty((shape[2], *shape[:2]), dtype), 0, 2)


def by_plane(array: AnArray) -> AnArray:
    """An array (H, W, F), flat, plane after plane; the very memory where the array is `plane_major`."""
    return np.moveaxis(array, 2, 0).reshape(-1)  # pyright: ignore[reportReturnType]


@dataclass(frozen=True, eq=False)
class Priors:
    """Laplace distributions of coefficients, in quantizer steps, which a fit takes as constants.

    Attributes:
        locations, scales: (H, W, F), one for each coefficient.
    """

    locations: Singles
    scales: Singles

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Priors:
        """To be filled in."""
        return cls(plane_major(shape, np.float32), plane_major(shape, np.float32))

    def bits(self, symbols: npt.NDArray[np.number]) -> Singles:
        """Bits of integers (H, W, F) under the distributions, each."""
        return bits(symbols, self.locations, self.scales)

    def total_bits(self, symbols: SymbolArray) -> float:
        """Bits of integers (H, W, F) under the coder's tables of the distributions, all together."""
        arrays: list[npt.NDArray[Any]] = [symbols, self.locations, self.scales]
        flat = [by_plane(array) for array in arrays]
        starts = range(0, symbols.size, _CHUNK)
        found = np.zeros(len(starts))

        def chunk(worker: int, i: int) -> None:
            value, location, scale = (array[starts[i] : starts[i] + _CHUNK] for array in flat)
            found[i] = bits(value, location, scale).sum(dtype=np.float64)

        Workers(n_threads()).run(len(starts), chunk)
        return float(found.sum()) + symbols.size * KEPT_BITS


def bits(symbols: npt.NDArray[np.number], locations: Singles, scales: Singles) -> Singles:
    """Bits of integers under Laplace distributions in quantizer steps, one for each; arrays of one shape."""
    magnitude: Singles = np.subtract(symbols, locations, dtype=np.float32, casting="same_kind")
    np.abs(magnitude, out=magnitude)
    sharpness = np.reciprocal(scales)
    half = np.exp(sharpness * np.float32(-0.5))
    inside: Singles = 1 - half * np.cosh(np.minimum(magnitude, np.float32(0.5)) * sharpness)
    beyond = np.subtract(np.float32(0.5), np.maximum(magnitude, np.float32(0.5)))
    outside = np.exp(beyond * sharpness) * np.float32(-0.5)
    outside *= np.expm1(-sharpness)
    mass: Singles = np.where(magnitude < 0.5, inside, outside)
    mass += np.float32(UNEXPECTED)
    return -np.log2(mass)
