"""The arms of the paper's comparison: a chain of transforms in real arithmetic, as the paper has it.

The codec transforms integer samples and rounds; the paper transforms real numbers in linear light, clamps nothing, and
measures the PSNR of what comes out of the inverse. Chains are written as for the codec, and their transforms are its
own: permutations move what they would move there, and curves are taken on real numbers (`nfcodec.transforms.RealMap`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.data.pictures import Bytes, Reals, linear
from nfcodec.transforms import Chain, RealMap, parse_chain

TABLE_1: tuple[str, ...] = (
    "rpp", "zigzag", "inversion", "standardize", "scale:0.5", "scale:2", "center:1", "center:2", "gamma:0.5", "gamma:2",
)  # fmt: skip
"""The ten transforms of the paper's Table 1, in its order."""

ARMS = ("none", *TABLE_1)


@dataclass(frozen=True)
class Arm:
    """A picture ready to be fitted.

    Attributes:
        values: (n,) the picture in linear light, in the order in which it is fitted.
        targets: (n,) what the field is fitted to.
        real_map: from `values` to `targets`.
        order: targets[i] belongs to pixel order[i]; None where no pixel moves.
    """

    values: Reals
    targets: Reals
    real_map: RealMap
    order: npt.NDArray[np.int64] | None

    @property
    def gain(self) -> float | None:
        """The slope of the map, where it is one number."""
        return self.real_map.slope

    def undo(self, outputs: Reals) -> Reals:
        """The field's outputs (n,) in linear light, still in the fitted order."""
        return self.real_map.undo(outputs)

    def psnr_db(self, outputs: Reals) -> float:
        """Of outputs (n,), after the inverse of the map; peak 1, unclamped."""
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
    real_map = chain.real_map(values)
    return Arm(values, real_map(values), real_map, order)


def psnr_of_mse(mse: float) -> float:
    """Peak 1; minus infinity where the error is no number."""
    if not math.isfinite(mse):
        return -math.inf
    return math.inf if mse == 0 else -10 * math.log10(mse)
