"""From sample values to the numbers a field fits, and exactly back.

A composed value map T is monotone; `sign` S is +1 if it increases and -1 if it decreases, so that S T increases.
Sample k of 0..peak has the target T(k / peak). A field's output o is an integer in units of 2^-fraction_bits, and the
sample that it stands for is, in the increasing case and in the decreasing one,

    the number of k in 1..peak with threshold_k <= S o,
    threshold_k = ceil(2^fraction_bits * S * T((k - 1/2) / peak)), clamped to +- 2^(fraction_bits + 16),

that is the k whose k / peak is nearest to T^-1(o), the larger one if halfway. Thresholds never decrease with k; where T
is so flat that neighbours share one (gamma 0.5 near black at 16 bits), the samples between cannot be told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nfcodec.errors import UsageError
from nfcodec.lazy import kept
from nfcodec.raster import Samples
from nfcodec.transforms.curves import FloatArray, Step, approximate, ceilings
from nfcodec.transforms.orders import Int64Array

Float = TypeVar("Float", np.float32, np.float64)

MAX_FRACTION_BITS = 36
_BUCKET_BITS = 17
_MAX_SCAN = 4


@dataclass(frozen=True, eq=False)
class ValueMap:
    """A compiled value map.

    Attributes:
        depth: bits a sample, 8 or 16.
        sign: +1 if the map increases, -1 if it decreases.
        targets: (C, peak + 1) float64, T(k / peak); approximate, for fitting only.
        thresholds: (C, peak) int64, never decreasing along k; exact.
    """

    depth: int
    sign: int
    targets: FloatArray
    thresholds: Int64Array

    def to_targets(self, samples: Samples, dtype: type[Float] = np.float64) -> npt.NDArray[Float]:
        """Samples (..., C) to the values (..., C) that a field should put out."""
        values = np.empty(samples.shape, dtype)
        for channel, targets in enumerate(self.targets.astype(dtype)):
            values[..., channel] = targets[samples[..., channel]]
        return values

    def to_samples(self, outputs: Int64Array) -> Samples:
        """Field outputs (n, C) in units of 2^-fraction_bits to samples (n, C), uint8 or uint16.

        Raises:
            UsageError: the number of channels is not the map's.
        """
        if outputs.ndim != 2 or outputs.shape[1] != len(self._inverses):
            raise UsageError(f"outputs must be (n, {len(self._inverses)}), not {outputs.shape}")
        shape = outputs.shape
        samples: Samples = np.empty(shape, np.uint8) if self.depth == 8 else np.empty(shape, np.uint16)
        for channel, inverse in enumerate(self._inverses):
            samples[:, channel] = inverse.count(outputs[:, channel] * self.sign)
        return samples

    def places(self, outputs: Int64Array, samples: Samples) -> npt.NDArray[np.int8]:
        """Where outputs (n, C) lie between the thresholds of the samples (n, C) that they stand for.

        0 .. 7, the eighth of the interval as the sample increases; 8 for sample 0 and 9 for the largest one, whose
        intervals are open.
        """
        places = np.empty(samples.shape, np.int8)
        for channel, thresholds in enumerate(self.thresholds):
            x, k = outputs[:, channel] * self.sign, samples[:, channel].astype(np.int64)
            inside = np.clip(k, 1, len(thresholds) - 1)
            low, high = thresholds[inside - 1], thresholds[inside]
            eighth = 8 * (x - low) // np.maximum(high - low, 1)
            places[:, channel] = np.where(k == 0, 8, np.where(k == len(thresholds), 9, eighth))
        return places

    @kept
    def _inverses(self) -> list[_Counter]:
        return [_Counter(thresholds) for thresholds in self.thresholds]


class _Counter:
    """Counts the thresholds <= x: `np.searchsorted(thresholds, x, side="right")`, faster for many x.

    The range is cut into at most 2^17 buckets of equal width. A table has the count at each bucket's lower end; the few
    thresholds inside the bucket are compared one by one.
    """

    def __init__(self, thresholds: Int64Array) -> None:
        self._thresholds = thresholds
        self._low, self._high = int(thresholds[0]) - 1, int(thresholds[-1])
        self._unsigned = np.uint32 if self._high + 1 - self._low < 1 << 32 else np.uint64
        self._shift = max(0, (self._high - self._low).bit_length() - _BUCKET_BITS)
        n_buckets = ((self._high - self._low) >> self._shift) + 1
        above = thresholds - self._low
        ends = np.cumsum(np.bincount(above >> self._shift, minlength=n_buckets))
        first_buckets_from = -(-above >> self._shift)
        counts = np.cumsum(np.bincount(first_buckets_from, minlength=n_buckets))[:n_buckets]
        self._scan = int((ends - counts).max())
        self._first = counts.astype(np.int32)
        self._next = (np.append(thresholds, self._high + 1) - self._low).astype(self._unsigned)

    def count(self, x: Int64Array) -> npt.NDArray[np.integer]:
        if self._scan > _MAX_SCAN:
            return np.searchsorted(self._thresholds, x, side="right")
        above = (np.clip(x, self._low, self._high) - self._low).astype(self._unsigned)
        counts = self._first[above >> self._shift]
        for _ in range(self._scan):
            counts += above >= self._next[counts]
        return counts


def samples_themselves(depth: int, channels: int, fraction_bits: int) -> ValueMap:
    """The map of a field whose outputs are samples: T(k / peak) = k, whatever value maps there are in a chain."""
    values = np.arange(1 << depth, dtype=np.int64)
    thresholds = (2 * values[1:] - 1 << fraction_bits) >> 1
    return ValueMap(depth, 1, np.tile(values.astype(np.float64), (channels, 1)), np.tile(thresholds, (channels, 1)))


def compile_value_map(curves: Sequence[Sequence[Step]], sign: int, depth: int, fraction_bits: int) -> ValueMap:
    """Tabulate one curve a channel.

    Args:
        curves: for each channel the steps from z = k / peak to the value that is fitted.
        sign: +1 if the curves increase, -1 if they decrease.
        depth: 8 or 16.
        fraction_bits: 0 .. 36.

    Raises:
        UsageError: depth or fraction_bits is out of range.
        LimitError: a curve is too ill-conditioned to tabulate (see `ceilings`).
    """
    if depth not in (8, 16):
        raise UsageError(f"depth must be 8 or 16, not {depth}")
    if not 0 <= fraction_bits <= MAX_FRACTION_BITS:
        raise UsageError(f"fraction_bits must be between 0 and {MAX_FRACTION_BITS}, not {fraction_bits}")
    peak = (1 << depth) - 1
    unit = np.arange(peak + 1) / peak
    halfway = 2 * np.arange(1, peak + 1, dtype=np.int64) - 1
    distinct = list(dict.fromkeys(tuple(curve) for curve in curves))
    channels = [distinct.index(tuple(curve)) for curve in curves]
    targets = np.stack([approximate(curve, unit) for curve in distinct])
    thresholds = np.stack([ceilings(curve, halfway, 2 * peak, sign << fraction_bits) for curve in distinct])
    return ValueMap(depth, sign, targets[channels], thresholds[channels])
