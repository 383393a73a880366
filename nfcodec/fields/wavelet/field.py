"""Wavelets: bands of CDF 9/7 coefficients, a linear map of colours, and shipped filters that restore what was lost.

The coefficients belong to a nearly orthogonal basis (Cohen, Daubechies & Feauveau 1992): as many numbers as pixels, and
all levels at once by lifting (Daubechies & Sweldens 1998). docs/reference/format.md, "Wavelets", is the normative text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nfcodec import arguments
from nfcodec.coding.payload import ANY
from nfcodec.coding.tensors import AdaptivePart
from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import ExactArray, Quantized
from nfcodec.exact.field import Field, Role, Tensor, cut, tiles_cost
from nfcodec.exact.geometry import Geometry, Place, grown, part_of, within
from nfcodec.exact.part import Part, Symbols
from nfcodec.exact.relu import ReluNetwork, relu_cost
from nfcodec.fields.wavelet.coarse import CoarseWavelet
from nfcodec.fields.wavelet.coding_order import REPAYING, WaveletShape
from nfcodec.fields.wavelet.contexts import REGIME_ORIGIN
from nfcodec.fields.wavelet.filters import MAX_FILTERS, SIDE, neighbourhoods, shipped_layer
from nfcodec.fields.wavelet.payload import WaveletPart
from nfcodec.fields.wavelet.transform import MAX_LEVELS, synthesis, synthesis_reach
from nfcodec.kernels import compiled, flat_in_fours, fours
from nfcodec.limits import Cost
from nfcodec.wire import ByteReader

KERNEL = "nfcodec.fields.wavelet.restoration_kernels:restore_exactly"

SYNTHESIS, NEIGHBOUR, MORE_VALUES = 60e-9, 2.5e-9, 12
"""Work of a sample, to make it of coefficients, and of each number that filters see of a pixel; and how many numbers
more a tile has in memory for each channel."""


@dataclass(frozen=True)
class Wavelet(Field):
    """A plane of coefficients for each channel, a linear map, and the first so many of the shipped filters.

    Attributes:
        n_levels: of the transform, 0 .. 7; 0 leaves plain pixels.
        n_filters: 0 .. 128; behind them is a layer of the file's own.
    """

    n_levels: int
    n_filters: int = 0

    wire_id: ClassVar[int] = 4
    counterparts: ClassVar[Mapping[str, str]] = {"numba": "nfcodec.fields.wavelet.numba:WaveletProgram"}
    """Of the field without filters: gradient steps are its coefficients' alone."""

    def __post_init__(self) -> None:
        arguments.set_whole(self, "n_levels", 0, MAX_LEVELS)
        arguments.set_whole(self, "n_filters", 0, MAX_FILTERS)

    def layout(self, geometry: Geometry) -> list[Tensor]:
        channels = geometry.channels
        tensors = [
            Tensor("level0", (geometry.height, geometry.width, channels), Role.TABLE),
            Tensor("skip", (channels, channels), Role.MATRIX),
        ]
        if self.n_filters:
            tensors.append(Tensor("weight1", (channels, self.n_filters), Role.MATRIX))
        return [*tensors, Tensor("bias_out", (channels,), Role.BIAS)]

    def cost(self, geometry: Geometry) -> Cost:
        n_samples, n_inputs = geometry.n_pixels * geometry.channels, geometry.channels * SIDE * SIDE
        planes = Cost(8 * n_samples, SYNTHESIS * n_samples, 8 * n_samples)
        network = relu_cost(geometry.n_pixels, geometry.channels, (), geometry.channels, linear=True)
        tiles = tiles_cost(geometry, 8 * MORE_VALUES * geometry.channels)
        if self.n_filters:
            tiles = tiles_cost(geometry, 8 * (2 * n_inputs + MORE_VALUES * geometry.channels))
            network = relu_cost(geometry.n_pixels, n_inputs, (self.n_filters,), geometry.channels, linear=True)
            network = network.then(Cost(work=NEIGHBOUR * n_inputs * geometry.n_pixels))
        return planes.then(tiles.keeping(tiles.memory_bytes)).then(network).keeping(0)

    def orders(self, geometry: Geometry, symbols: Symbols | None = None) -> tuple[int, ...]:
        return (ANY,)

    def parts(self, geometry: Geometry, order: int, regime: int = REGIME_ORIGIN) -> list[Part]:
        """See `Field.parts`; coefficients come last, so that decoding may end with those of a coarse level.

        Args:
            regime: of the coefficients' quantizer step, see `WaveletPart`; decoders read it.
        """
        shape = WaveletShape(geometry.height, geometry.width, geometry.channels, self.n_levels)
        others = (AdaptivePart(tensor) for tensor in self.layout(geometry) if tensor.role is not Role.TABLE)
        return [*others, WaveletPart("level0", shape, regime)]

    def pack(self) -> bytes:
        return bytes([self.n_levels, self.n_filters])

    @classmethod
    def unpack(cls, data: bytes) -> Wavelet:
        reader = ByteReader(data)
        n_levels, n_filters = reader.u8(), reader.u8()
        reader.finish()
        try:
            return cls(n_levels, n_filters)
        except UsageError as error:
            raise FormatError(str(error), code="field") from error

    def window_cost(self, geometry: Geometry, place: Place) -> Cost:
        return self.cost(part_of(geometry, self._around(geometry, place)))

    def window_evaluator(
        self, geometry: Geometry, weights: Mapping[str, Quantized], place: Place
    ) -> Callable[[int, int], ExactArray]:
        """As if the picture ended where coefficients no longer matter."""
        around = self._around(geometry, place)
        level, part = weights["level0"], part_of(geometry, around)
        near = Quantized(level.symbols[around], level.step)
        rows_of = self.evaluator(part, {**weights, "level0": near})
        return cut(rows_of, part, within(place, around), around[0].start)

    def _around(self, geometry: Geometry, place: Place) -> Place:
        """The coefficients that the pixels of a rectangle depend on."""
        reach = synthesis_reach(self.n_levels) + (SIDE // 2 if self.n_filters else 0)
        return grown(geometry, place, reach, 1 << self.n_levels)

    def coarser(self, geometry: Geometry, scale: int) -> tuple[CoarseWavelet, Geometry] | None:
        log2_scale = scale.bit_length() - 1
        if not 2 <= log2_scale <= self.n_levels + 1:
            return None
        others = tuple(tensor for tensor in self.layout(geometry) if tensor.role is not Role.TABLE)
        coarse = CoarseWavelet(self.n_levels, log2_scale, geometry, others)
        return coarse, coarse.size

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        encoding, bound = synthesis(geometry, weights["level0"], self.n_levels)
        if not self.n_filters:
            network = ReluNetwork([], None, (weights["skip"], weights["bias_out"]), bound)
            return lambda start, stop: network(encoding(start, stop))
        first = shipped_layer(self.n_filters, geometry.channels, weights["level0"].step)
        last = weights["weight1"], weights["bias_out"]
        skip = weights["skip"], None
        network = ReluNetwork([first], last, skip, bound)
        kernel = compiled(KERNEL, repays=geometry.n_pixels * geometry.channels >= REPAYING)
        if kernel is not None:
            planes = encoding(0, geometry.height).reshape(geometry.channels, geometry.height, geometry.width)
            restoration, linear = _Restoration(kernel, network, planes), ReluNetwork([], None, skip, bound)
            return lambda start, stop: restoration.add(start, stop, linear(encoding(start, stop)))

        def rows(start: int, stop: int) -> ExactArray:
            return network(encoding(start, stop), neighbourhoods(encoding, start, stop, geometry))

        return rows


class _Restoration:
    """What filters and the layer behind them add, by a compiled loop.

    Args:
        planes: (C, H, W), what the synthesis makes of the coefficients.
    """

    def __init__(self, kernel: Any, network: ReluNetwork, planes: ExactArray) -> None:
        self._kernel, self._planes = kernel, planes
        first, last = network.layers_behind()
        self._n_filters, self._n_inputs = (np.uintp(fours(size)) for size in first.matrix.shape)
        self._arrays = [flat_in_fours(array) for layer in (first, last) for array in layer]

    def add(self, start: int, stop: int, outputs: ExactArray) -> ExactArray:
        """Add to outputs (C, pixels) of rows [start, stop), in place."""
        rows = np.uintp(start), np.uintp(stop)
        self._kernel(self._planes, *rows, self._n_inputs, self._n_filters, *self._arrays, outputs)
        return outputs
