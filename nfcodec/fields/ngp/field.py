"""Instant-NGP: a multiresolution grid encoding and a small ReLU network (Mueller et al. 2022)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import ACTIVATION_BITS, OUTPUT_BITS, Affine, ExactArray, Quantized, Step, in_blocks
from nfcodec.exact.field import FieldSpec, Parameters, TensorSpec
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.levels import DenseLevel, HashLevel, hash_levels, safe_scale
from nfcodec.fields.registry import register
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.filters import MAX_FEATURES, MAX_FILTERS, SIDE, WEIGHT_BITS, filters
from nfcodec.limits import Limits
from nfcodec.wire import ByteReader

GridLevel = DenseLevel | HashLevel | WaveletLevel

_DENSE, _HASH, _WAVELET = 0, 1, 2


@register
@dataclass(frozen=True)
class Ngp(FieldSpec):
    """Levels, interpolated and concatenated (the encoding), then a network of ReLU layers.

    Attributes:
        levels: dense levels strictly from coarse to fine; hash levels in tiny-cuda-nn's order; or one wavelet level.
        hidden: width of each hidden layer; empty means no hidden layer.
        bias: whether the layers have biases (tiny-cuda-nn's have none).
        skip: add a linear map of the encoding to the output; needed when there is no hidden layer.
        shipped: the first hidden layer is no part of the file: it is the first hidden[0] of the filters that ship with
            the package (nfcodec.fields.filters), on a wavelet level of up to 3 features.
    """

    levels: tuple[GridLevel, ...]
    hidden: tuple[int, ...] = (64, 64)
    bias: bool = False
    skip: bool = False
    shipped: bool = False

    name: ClassVar[str] = "ngp"
    wire_id: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 1 <= len(self.levels) <= 32 or len(self.hidden) > 16 or not all(1 <= n <= 4096 for n in self.hidden):
            raise UsageError("an ngp field has 1 to 32 levels and up to 16 hidden layers of 1 to 4096 neurons")
        if not self.hidden and not self.skip:
            raise UsageError("an ngp field without hidden layers needs the skip connection")
        strides = [level.log2_stride for level in self.levels if isinstance(level, DenseLevel)]
        if any(a <= b for a, b in pairwise(strides)):
            raise UsageError("dense levels go strictly from coarse to fine")
        if len(self.levels) > 1 and any(isinstance(level, WaveletLevel) for level in self.levels):
            raise UsageError("a wavelet level stands alone")
        wavelet = any(isinstance(each, WaveletLevel) and each.features <= MAX_FEATURES for each in self.levels)
        if self.shipped and not (wavelet and self.hidden and self.hidden[0] <= MAX_FILTERS):
            raise UsageError(f"the shipped filters, up to {MAX_FILTERS}, read a wavelet level of up to 3 features")

    @classmethod
    def instant(cls, longer_side: int, log2_table_size: int = 24) -> Ngp:
        """Instant-NGP's image default: 16 levels of 2 features from 16 to half the longer side, 2 x 64 neurons."""
        growth = safe_scale(16, 16, max(32.0, longer_side / 2))
        return cls(hash_levels(16, 2, log2_table_size, 16, growth))

    @property
    def encoding_size(self) -> int:
        return sum(level.features for level in self.levels)

    def layout(self, geometry: Geometry) -> list[TensorSpec]:
        tensors: list[TensorSpec] = []
        for i, level in enumerate(self.levels):
            stride = level.log2_stride if isinstance(level, DenseLevel) else None
            n_levels = level.n_levels if isinstance(level, WaveletLevel) else None
            tensors.append(TensorSpec(f"level{i}", level.shape(geometry), log2_stride=stride, wavelet_levels=n_levels))
        if self.skip:
            tensors.append(TensorSpec("skip", (geometry.channels, self.encoding_size)))
        fan_in = self.encoding_size
        for i, width in enumerate((*self.hidden, geometry.channels) if self.hidden else ()):
            if i or not self.shipped:
                tensors.append(TensorSpec(f"weight{i}", (width, fan_in)))
                if self.bias and i < len(self.hidden):
                    tensors.append(TensorSpec(f"bias{i}", (width,)))
            fan_in = width
        if self.bias:
            tensors.append(TensorSpec("bias_out", (geometry.channels,)))
        return tensors

    def macs_per_pixel(self, geometry: Geometry) -> int:
        widths = (self.encoding_size * (SIDE * SIDE if self.shipped else 1), *self.hidden, geometry.channels)
        return 5 * self.encoding_size + sum(a * b for a, b in pairwise(widths))

    def check(self, geometry: Geometry, limits: Limits) -> None:
        limits.check("levels", len(self.levels))
        limits.check("layers", len(self.hidden))
        limits.check("width", max(self.hidden, default=0))
        super().check(geometry, limits)

    def initial(self, geometry: Geometry, seed: int) -> Parameters:
        """Tables U(+-1e-4), matrices Xavier-uniform, biases 0, as tiny-cuda-nn (from another random stream)."""
        rng = np.random.default_rng(seed)
        parameters: Parameters = {}
        for tensor in self.layout(geometry):
            if tensor.name.startswith("level"):
                bound = 1e-4
            elif tensor.name.startswith("bias"):
                bound = 0.0
            else:
                bound = math.sqrt(6 / sum(tensor.shape))
            parameters[tensor.name] = rng.uniform(-bound, bound, tensor.shape).astype(np.float32)
        return parameters

    def pack(self) -> bytes:
        out = bytearray([len(self.levels)])
        for level in self.levels:
            if isinstance(level, DenseLevel):
                out.append(_DENSE << 6 | level.log2_stride << 3 | (level.features - 1))
            elif isinstance(level, WaveletLevel):
                out.append(_WAVELET << 6 | level.n_levels << 3 | (level.features - 1))
            else:
                out.append(_HASH << 6 | (level.features - 1))
                out += struct.pack("<fI", level.scale, level.size)
        out.append(len(self.hidden))
        for width in self.hidden:
            out += width.to_bytes(2, "little")
        out.append(self.bias | self.skip << 1 | self.shipped << 2)
        return bytes(out)

    @classmethod
    def unpack(cls, data: bytes) -> Ngp:
        reader = ByteReader(data)
        try:
            levels = tuple(_unpack_level(reader) for _ in range(reader.u8()))
            hidden = tuple(reader.u16() for _ in range(reader.u8()))
            flags = reader.u8()
            reader.finish()
            if flags > 7:
                raise FormatError("unknown flags in the field description")
            return cls(levels, hidden, bool(flags & 1), bool(flags & 2), bool(flags & 4))
        except UsageError as error:
            raise FormatError(str(error)) from error

    def evaluator(self, geometry: Geometry, weights: Mapping[str, Quantized]) -> Callable[[int, int], ExactArray]:
        grids = [level.evaluator(geometry, weights[f"level{i}"]) for i, level in enumerate(self.levels)]
        bound = max(grid_bound for _, grid_bound in grids)
        bias_out = weights.get("bias_out")
        skip = Affine(weights["skip"], None, ACTIVATION_BITS, OUTPUT_BITS, bound) if self.skip else None
        hidden: list[Affine] = []
        for i in range(len(self.hidden)):
            own = self._shipped_layer(weights["level0"].step) if self.shipped and i == 0 else None
            weight, bias = own or (weights[f"weight{i}"], weights.get(f"bias{i}"))
            hidden.append(Affine(weight, bias, ACTIVATION_BITS, ACTIVATION_BITS, bound))
            bound = hidden[-1].bound
        n = len(self.hidden)
        last = Affine(weights[f"weight{n}"], bias_out, ACTIVATION_BITS, OUTPUT_BITS, bound) if n else None
        if skip and not last:
            skip = Affine(weights["skip"], bias_out, ACTIVATION_BITS, OUTPUT_BITS, bound)

        def linear(encoding: ExactArray) -> ExactArray:
            return np.zeros((geometry.channels, encoding.shape[1])) if skip is None else skip(encoding)

        def network(x: ExactArray) -> ExactArray:
            assert last is not None
            for layer in hidden:
                x = layer(x)
                np.maximum(x, 0, out=x)
            return last(x)

        def encoding_of(start: int, stop: int) -> ExactArray:
            return np.concatenate([level(start, stop) for level, _ in grids])

        def rows(start: int, stop: int) -> ExactArray:
            encoding = encoding_of(start, stop)
            out = in_blocks(linear, encoding, max(self.encoding_size, geometry.channels))
            if last is not None:
                seen = neighbourhoods(encoding_of, start, stop, geometry) if self.shipped else encoding
                out += in_blocks(network, seen, max(len(seen), *self.hidden, geometry.channels))
            return out

        return rows

    def _shipped_layer(self, step: Step) -> tuple[Quantized, Quantized]:
        """Weights (hidden[0], 25 E) and biases of the shipped filters for a level with a quantizer step."""
        kernels, biases = filters()
        used = kernels[: self.hidden[0], :, : self.encoding_size].reshape(self.hidden[0], -1)
        bias_step = Step(step.mantissa, max(-128, step.exponent - WEIGHT_BITS))
        return Quantized(used, Step(128, -7 - WEIGHT_BITS)), Quantized(biases[: self.hidden[0]], bias_step)


def neighbourhoods(
    encoding_of: Callable[[int, int], ExactArray], start: int, stop: int, geometry: Geometry
) -> ExactArray:
    """The encodings of the 5 x 5 pixels around each pixel of rows [start, stop), edges repeated.

    Args:
        encoding_of: gives those of some rows, (E, pixels).

    Returns:
        (25 E, pixels), offsets in raster order, then features.
    """
    margin = SIDE // 2
    first, last = max(0, start - margin), min(geometry.height, stop + margin)
    rows = encoding_of(first, last)
    square = rows.reshape(len(rows), last - first, geometry.width)
    missing = (first - (start - margin), (stop + margin) - last)
    framed = np.pad(square, ((0, 0), missing, (margin, margin)), mode="edge")
    n_rows, cols = stop - start, geometry.width
    parts = [framed[:, dy : dy + n_rows, dx : dx + cols] for dy in range(SIDE) for dx in range(SIDE)]
    return np.concatenate(parts).reshape(len(parts) * len(rows), -1)


def _unpack_level(reader: ByteReader) -> GridLevel:
    code = reader.u8()
    kind, features = code >> 6, (code & 7) + 1
    if kind == _DENSE:
        return DenseLevel(code >> 3 & 7, features)
    if kind == _WAVELET:
        return WaveletLevel(code >> 3 & 7, features)
    if kind != _HASH or code & 0b111000:
        raise FormatError("unknown kind of grid level")
    scale, size = struct.unpack("<fI", reader.take(8))
    if not 0 < scale < 65535:
        raise FormatError("a grid level's scale is out of range")
    return HashLevel(scale, math.ceil(scale) + 1, size, features)
