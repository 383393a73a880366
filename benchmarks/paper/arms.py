"""The arms of the paper's comparison: a chain of transforms in real arithmetic, as the paper has it.

The codec transforms integer samples and rounds; the paper transforms real numbers in linear light, clamps nothing, and
measures the PSNR of what comes out of the inverse. Chains are written as for the codec; permutations are the codec's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.data.pictures import Bytes, Reals, linear
from nfcodec.transforms import (
    Center,
    Chain,
    Gamma,
    Inversion,
    Pointwise,
    Scale,
    Standardize,
    SymmetricPower,
    parse_chain,
)

TABLE_1: tuple[str, ...] = (
    "rpp", "zigzag", "inversion", "standardize", "scale:0.5", "scale:2", "center:1", "center:2", "gamma:0.5", "gamma:2",
)  # fmt: skip
"""The ten transforms of the paper's Table 1, in its order."""

ARMS = ("none", *TABLE_1)

MICRO = 1e6


@dataclass(frozen=True)
class Affine:
    """z -> gain z + offset."""

    gain: float
    offset: float

    def __call__(self, z: Reals) -> Reals:
        return self.gain * z + self.offset

    def undo(self, values: Reals) -> Reals:
        return (values - self.offset) / self.gain


@dataclass(frozen=True)
class Power:
    """z -> z^(1 / gamma). Both ways negative values count as 0, as in the paper's code."""

    gamma: float

    def __call__(self, z: Reals) -> Reals:
        return np.maximum(z, 0) ** (1 / self.gamma)  # a picture scaled to [0, 1] may round to just below 0

    def undo(self, values: Reals) -> Reals:
        return np.maximum(values, 0) ** self.gamma


@dataclass(frozen=True)
class Arm:
    """A picture ready to be fitted.

    Attributes:
        values: (n,) the picture in linear light, in the order in which it is fitted.
        targets: (n,) what the field is fitted to.
        maps: from `values` to `targets`, one after the other.
        order: targets[i] belongs to pixel order[i]; None where no pixel moves.
    """

    values: Reals
    targets: Reals
    maps: tuple[Affine | Power, ...]
    order: npt.NDArray[np.int64] | None

    @property
    def gain(self) -> float | None:
        """The slope of the maps, where it is one number."""
        gain = 1.0
        for each in self.maps:
            if isinstance(each, Power):
                return None
            gain *= each.gain
        return gain

    def undo(self, outputs: Reals) -> Reals:
        """The field's outputs (n,) in linear light, still in the fitted order."""
        for each in reversed(self.maps):
            outputs = each.undo(outputs)
        return outputs

    def psnr_db(self, outputs: Reals) -> float:
        """Of outputs (n,), after the inverse of the maps; peak 1, unclamped."""
        return psnr_of_mse(float(np.mean((self.undo(outputs.astype(np.float64)) - self.values) ** 2)))

    def picture(self, outputs: Reals) -> Reals:
        """The same, as a picture in raster order (n,)."""
        undone = self.undo(outputs.astype(np.float64))
        if self.order is None:
            return undone
        picture = np.empty_like(undone)
        picture[self.order] = undone
        return picture


def arm(chain_text: str, samples: Bytes, seed: int = 0) -> Arm:
    """Transform a gray picture (H, W).

    Raises:
        UsageError: the chain cannot be read.
    """
    height, width = samples.shape
    chain = Chain.prepare(parse_chain(chain_text), samples[:, :, None], seed)
    order = chain.order(height, width, chain.planes)
    z = linear(samples).reshape(-1)
    values = z if order is None else z[order]
    maps = tuple(one for each in chain.transforms if isinstance(each, Pointwise) for one in _maps(each, values))
    targets = values
    for each in maps:
        targets = each(targets)
    return Arm(values, targets, maps, order)


def _maps(transform: Pointwise, values: Reals) -> tuple[Affine | Power, ...]:
    """Statistics are those of the source in linear light, wherever in the chain the transform stands."""
    match transform:
        case Inversion():
            return (Affine(-1.0, 1.0),)
        case Standardize():
            sigma = float(values.std()) or 1.0
            return (Affine(1 / sigma, -float(values.mean()) / sigma),)
        case Scale(parameter):
            return (Affine(parameter / MICRO, 0.0),)
        case Center(parameter):
            return (Affine(parameter / MICRO, -parameter / MICRO / 2),)
        case Gamma(parameter):
            return (Power(parameter / MICRO),)
        case SymmetricPower():
            low, high = float(values.min()), float(values.max())
            width = (high - low) or 1.0
            median = min(max((float(np.median(values)) - low) / width, 1e-3), 1 - 1e-3)
            gamma = min(max(math.log(median) / math.log(0.5), 0.2), 5.0)
            return Affine(1 / width, -low / width), Power(gamma), Affine(2.0, -1.0)
        case _:
            raise TypeError(f"no real-valued counterpart of {transform.name}")


def psnr_of_mse(mse: float) -> float:
    """Peak 1; minus infinity where the error is no number."""
    if not math.isfinite(mse):
        return -math.inf
    return math.inf if mse == 0 else -10 * math.log10(mse)
