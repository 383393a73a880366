"""Value transforms on samples z in [0, 1]: the five of Seo et al., CVPR 2024, and the symmetric power transform.

Parameters are integers in units of 10^-6, so that they mean the same number everywhere.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nfcodec.errors import FormatError, UsageError
from nfcodec.raster import Samples
from nfcodec.transforms.base import Pointwise, check_size, register
from nfcodec.transforms.curves import MICRO, Affine, FloatArray, Power, Step

if TYPE_CHECKING:
    from typing_extensions import Self

_NUMBER = re.compile(r"[+-]?([0-9]{1,9}(\.[0-9]{0,6})?|\.[0-9]{1,6})")
_CHUNK = 1 << 20


@register("inversion", wire_id=16)
@dataclass(frozen=True)
class Inversion(Pointwise):
    """1 - z.

    Stores nothing.
    """

    decreasing: ClassVar[bool] = True

    def steps(self, channel: int) -> tuple[Step, ...]:
        """1 - z."""
        return (Affine(-1, 1, 1),)


@register("standardize", wire_id=17)
@dataclass(frozen=True)
class Standardize(Pointwise):
    """(z - mean) / sigma, with the mean and the standard deviation of each channel.

    They are those of the source image, wherever in the chain the transform stands. Stored for each channel as mean u32
    and sigma u32; mean 0 .. 10^6, sigma 1 .. 10^6.
    """

    statistics: tuple[tuple[float, float], ...]

    @classmethod
    def prepare(cls, parameter: int | None, samples: Samples, seed: int) -> Self:
        """Measure every channel of the source."""
        return cls(tuple(mean_and_sigma(samples[:, :, channel]) for channel in range(samples.shape[2])))

    def measured(self, values: FloatArray) -> Self:
        """With the mean and the standard deviation of these numbers; that of a constant counts as 1."""
        return type(self)(((MICRO * float(values.mean()), MICRO * (float(values.std()) or 1.0)),))

    @classmethod
    def packed_size(cls, channels: int) -> int:
        """Eight bytes a channel."""
        return 8 * channels

    def pack(self) -> bytes:
        """Mean u32 and sigma u32 of each channel in turn."""
        return b"".join(struct.pack("<II", mean, sigma) for mean, sigma in self.statistics)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """The inverse of `pack`; FormatError if a value is out of range."""
        check_size(payload, 8, 24)
        statistics = tuple(struct.iter_unpack("<II", payload))
        for mean, sigma in statistics:
            if mean > MICRO or not 1 <= sigma <= MICRO:
                raise FormatError(f"standardize: mean {mean} or sigma {sigma} is out of range", code="chain")
        return cls(statistics)

    def steps(self, channel: int) -> tuple[Step, ...]:
        """(z - mean) / sigma."""
        mean, sigma = self.statistics[channel]
        return (Affine(MICRO, -mean, sigma),)

    @property
    def channels(self) -> int:
        """As many as have statistics."""
        return len(self.statistics)


@dataclass(frozen=True)
class _OneParameter(Pointwise):
    """A transform with one parameter in units of 10^-6, stored as i32.

    Attributes:
        letter: stands for the parameter in the docstring's first line.
    """

    parameter: int

    letter: ClassVar[str] = "T"
    minimum: ClassVar[int] = MICRO // 1000
    maximum: ClassVar[int] = MICRO * 1000
    default: ClassVar[int] = 2 * MICRO

    @classmethod
    def usage(cls) -> tuple[str, str]:
        name, does = super().usage()
        return f"{name}:{cls.letter}", f"{does} {cls.letter} is {cls._range()}; {decimal_text(cls.default)} by default."

    @classmethod
    def _range(cls) -> str:
        return f"between {decimal_text(cls.minimum)} and {decimal_text(cls.maximum)}"

    @classmethod
    def parse(cls, text: str | None) -> int:
        if text is None:
            return cls.default
        parameter = _micro(text)
        if parameter is None or not cls.minimum <= parameter <= cls.maximum:
            digits = "with at most six digits after the point"
            must = f"{cls.letter} must be a decimal number {cls._range()}, {digits}, not {text!r}"
            raise UsageError(f"{cls.name}:{cls.letter}: {must}")
        return parameter

    @classmethod
    def prepare(cls, parameter: int | None, samples: Samples, seed: int) -> Self:
        return cls(cls.default if parameter is None else parameter)

    @classmethod
    def packed_size(cls, channels: int) -> int:
        return 4

    def pack(self) -> bytes:
        return struct.pack("<i", self.parameter)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        check_size(payload, 4)
        parameter = int.from_bytes(payload, "little", signed=True)
        if not cls.minimum <= parameter <= cls.maximum:
            raise FormatError(f"{cls.name}: the parameter {parameter} is out of range", code="chain")
        return cls(parameter)

    @property
    def text(self) -> str:
        return f"{self.name}:{decimal_text(self.parameter)}"


@register("scale", wire_id=18)
@dataclass(frozen=True)
class Scale(_OneParameter):
    """T z."""

    def steps(self, channel: int) -> tuple[Step, ...]:
        """t z."""
        return (Affine(self.parameter, 0, MICRO),)


@register("center", wire_id=19)
@dataclass(frozen=True)
class Center(_OneParameter):
    """T (z - 1/2)."""

    def steps(self, channel: int) -> tuple[Step, ...]:
        """t (z - 1/2)."""
        return (Affine(2 * self.parameter, -self.parameter, 2 * MICRO),)


@register("gamma", wire_id=20)
@dataclass(frozen=True)
class Gamma(_OneParameter):
    """z^(1/G), of negative values -|z|^(1/G)."""

    letter: ClassVar[str] = "G"
    minimum: ClassVar[int] = MICRO // 20
    maximum: ClassVar[int] = MICRO * 20

    def steps(self, channel: int) -> tuple[Step, ...]:
        """sign(z) |z|^(1/gamma)."""
        return (Power(self.parameter),)


@register("sympower", wire_id=21)
@dataclass(frozen=True)
class SymmetricPower(Pointwise):
    """Symmetric power: stretch each channel to -1 .. 1 and bend it by a power, so that its median is near 0.

    2 ((z - low) / (high - low))^(1/gamma) - 1, after the symmetric power transformation (Zhang et al., AAAI 2025, arXiv
    2412.09213), without its calibration at the ends of the range. (A power of a negative number is that of its
    magnitude, with its sign.)

    Stored for each channel as low u32, high u32 and gamma u32, in units of 10^-6; low < high <= 10^6, gamma
    0.2 .. 5.
    """

    curves: tuple[tuple[float, float, float], ...]

    minimum: ClassVar[int] = MICRO // 5
    maximum: ClassVar[int] = MICRO * 5

    @classmethod
    def prepare(cls, parameter: int | None, samples: Samples, seed: int) -> Self:
        """Measure every channel of the source."""
        return cls(tuple(_range_and_gamma(samples[:, :, channel], cls) for channel in range(samples.shape[2])))

    def measured(self, values: FloatArray) -> Self:
        """With the range of these numbers, and the gamma that takes their median to the middle of it."""
        low, high = float(values.min()), float(values.max())
        if low == high:
            low, high = 0.0, 1.0
        gamma = _centring((float(np.median(values)) - low) / (high - low), type(self))
        return type(self)(((MICRO * low, MICRO * high, MICRO * gamma),))

    @classmethod
    def packed_size(cls, channels: int) -> int:
        """Twelve bytes a channel."""
        return 12 * channels

    def pack(self) -> bytes:
        """Low, high and gamma of each channel in turn."""
        return b"".join(struct.pack("<III", *curve) for curve in self.curves)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """The inverse of `pack`; FormatError if a value is out of range."""
        check_size(payload, 12, 36)
        curves = tuple(struct.iter_unpack("<III", payload))
        for low, high, gamma in curves:
            if not (low < high <= MICRO and cls.minimum <= gamma <= cls.maximum):
                raise FormatError(f"sympower: the range {low} .. {high} or gamma {gamma} is not allowed", code="chain")
        return cls(curves)

    def steps(self, channel: int) -> tuple[Step, ...]:
        """To [0, 1], the power, to [-1, 1]."""
        low, high, gamma = self.curves[channel]
        return Affine(MICRO, -low, high - low), Power(gamma), Affine(2, -1, 1)

    @property
    def channels(self) -> int:
        """As many as have curves."""
        return len(self.curves)


def _range_and_gamma(channel: Samples, limits: type[SymmetricPower]) -> tuple[int, int, int]:
    """The range rounded outwards, and the gamma that takes the median to the middle of it, within the limits."""
    peak = (1 << (8 * channel.dtype.itemsize)) - 1
    low, high = 0, MICRO
    if channel.min() < channel.max():  # the range of a constant would be so narrow that values near it overflow
        low, high = MICRO * int(channel.min()) // peak, -(-MICRO * int(channel.max()) // peak)
    middle = int(np.partition(channel, channel.size // 2, axis=None)[channel.size // 2])
    return low, high, round(MICRO * _centring((MICRO * middle / peak - low) / (high - low), limits))


def _centring(share: float, limits: type[SymmetricPower]) -> float:
    """The gamma that takes this share of a range to its middle, within the limits."""
    gamma = math.log(min(max(share, 1e-6), 1 - 1e-6)) / math.log(0.5)
    return min(max(gamma, limits.minimum / MICRO), limits.maximum / MICRO)


def mean_and_sigma(channel: Samples) -> tuple[int, int]:
    """Mean and standard deviation (over n, not n - 1) in units of 10^-6 of full scale, exact, rounded half up.

    sigma is at least 1; that of a constant channel is 10^6.
    """
    values, total, squares = channel.reshape(-1), 0, 0
    for start in range(0, values.size, _CHUNK):
        chunk = values[start : start + _CHUNK].astype(np.int64)
        total += int(chunk.sum())
        squares += int(np.dot(chunk, chunk))
    full_scale = values.size * ((1 << (8 * values.dtype.itemsize)) - 1)
    mean = (2 * MICRO * total + full_scale) // (2 * full_scale)
    variance = values.size * squares - total * total
    if variance == 0:
        return mean, MICRO
    sigma = (math.isqrt(4 * MICRO * MICRO * variance) + full_scale) // (2 * full_scale)
    return mean, max(1, sigma)


def _micro(text: str) -> int | None:
    """A decimal with at most six digits after the point in units of 10^-6; None for other texts."""
    if not _NUMBER.fullmatch(text):
        return None
    whole, _, fraction = text.partition(".")
    return int(whole + fraction.ljust(6, "0"))


def decimal_text(micro: int) -> str:
    """A number in units of 10^-6 as a decimal without trailing zeros: 2_000_000 -> "2", 500_000 -> "0.5"."""
    return f"{micro // MICRO}.{micro % MICRO:06d}".rstrip("0").rstrip(".")
