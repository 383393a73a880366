"""Smaller pictures out of the coarse levels of wavelets; the many coefficients of the fine ones are not decoded.

The levels down to twice the size that is wanted make a picture whose pixels lie at the corners of blocks; filters of
three places make of it the means of blocks, nearly. docs/reference/format.md, "Regions and smaller pictures", is the
normative text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from nfcodec.coding.payload import ANY
from nfcodec.coding.tensors import AdaptivePart
from nfcodec.exact.arithmetic import ExactArray, Quantized
from nfcodec.exact.field import Decodable, Tensor, tiles_cost
from nfcodec.exact.geometry import Geometry
from nfcodec.exact.part import Part, Symbols
from nfcodec.exact.relu import ReluNetwork, relu_cost
from nfcodec.fields.wavelet.coding_order import WaveletShape
from nfcodec.fields.wavelet.contexts import REGIME_ORIGIN
from nfcodec.fields.wavelet.payload import WaveletPart
from nfcodec.fields.wavelet.transform import synthesis
from nfcodec.limits import Cost

WEIGHTS = {2: (40, 80, 8), 3: (30, 84, 14), 4: (26, 84, 18), 5: (24, 84, 20), 6: (24, 82, 22), 7: (23, 83, 22)}
"""What three values beside each other count in a mean, in 128ths, by log2 of the scale. Their centre of gravity is the
centre of the block; how far they spread was fitted to the means of pictures."""

WEIGHT_BITS = 7

MEANS = {1: 43308, 2: 28619, 3: 18912, 4: 12497, 5: 8259, 6: 5457}
"""What brings values of a picture without so many levels to those of the whole one, in units of 2^-16: the inverse of
what the lifting of both axes makes of a flat picture."""

MEAN_BITS = 16

SYNTHESIS, PIXEL_VALUES = 60e-9, 40
"""Work of a sample of the plane; and how many numbers a tile has in memory for each sample of the result."""


@dataclass(frozen=True)
class CoarseWavelet(Decodable):
    """Wavelets without their finest levels and without filters.

    Attributes:
        n_levels: of the whole transform.
        log2_scale: 2 .. 7, at most n_levels + 1.
        whole: the lattice of the whole picture.
        tensors: all but the coefficients.
    """

    n_levels: int
    log2_scale: int
    whole: Geometry
    tensors: tuple[Tensor, ...]

    uses_all_symbols: ClassVar[bool] = False

    @property
    def size(self) -> Geometry:
        """The lattice of the outputs."""
        return self._lattice(self.log2_scale)

    @property
    def _plane(self) -> Geometry:
        """That of the coefficients that are decoded."""
        return self._lattice(self._omitted)

    @property
    def _omitted(self) -> int:
        return self.log2_scale - 1

    def _lattice(self, level: int) -> Geometry:
        return Geometry(-(-self.whole.height >> level), -(-self.whole.width >> level), self.whole.channels)

    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> tuple[int, ...]:
        return (ANY,)

    def parts(self, geometry: Geometry, order: int) -> list[Part]:
        plane = self._plane
        shape = WaveletShape(plane.height, plane.width, plane.channels, self.n_levels, self._omitted)
        return [*(AdaptivePart(tensor) for tensor in self.tensors), WaveletPart("level0", shape, REGIME_ORIGIN)]

    def cost(self, geometry: Geometry) -> Cost:
        n_samples = self._plane.n_pixels * geometry.channels
        planes = Cost(8 * n_samples, SYNTHESIS * n_samples, 8 * n_samples)
        tiles = tiles_cost(geometry, 8 * PIXEL_VALUES * geometry.channels)
        network = relu_cost(geometry.n_pixels, geometry.channels, (), geometry.channels, linear=True)
        return planes.then(tiles.keeping(tiles.memory_bytes)).then(network).keeping(0)

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        plane, gain = self._plane, MEANS[self._omitted] * 2.0**-MEAN_BITS
        encoding, bound = synthesis(plane, weights["level0"], self.n_levels, self._omitted)
        network = ReluNetwork([], None, (weights["skip"], weights["bias_out"]), bound * gain + 2)

        def rows(start: int, stop: int) -> ExactArray:
            first, last = 2 * start, min(plane.height, 2 * stop + 1)
            x = encoding(first, last).reshape(plane.channels, last - first, plane.width)
            x = self._filtered(x, stop - start)
            x = np.transpose(self._filtered(np.transpose(x, (0, 2, 1)), geometry.width), (0, 2, 1))
            means = np.floor(x * gain + 0.5)
            return network(means.reshape(plane.channels, -1))

        return rows

    def _filtered(self, x: ExactArray, n: int) -> ExactArray:
        """Of (C, places, lines) each two places and the one behind them become one of n."""
        places, last = 2 * np.arange(n), x.shape[1] - 1
        sums: ExactArray = np.zeros((len(x), n, x.shape[2]))
        for i, weight in enumerate(WEIGHTS[self.log2_scale]):
            sums += weight * x[:, np.minimum(places + i, last)]
        sums *= 2.0**-WEIGHT_BITS
        sums += 0.5
        return np.floor(sums, out=sums)
