"""Transforms that move pixels: random pixel permutation and zigzag (Seo et al., CVPR 2024)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from nfcodec.errors import UnsupportedError, UsageError
from nfcodec.raster import Samples
from nfcodec.transforms.base import Permutation, check_size, register
from nfcodec.transforms.orders import PHILOX_ARGSORT, Int64Array, check_seed, seeded_permutation, zigzag_path

if TYPE_CHECKING:
    from typing_extensions import Self

_RPP = struct.Struct("<BQ")


@register("rpp", wire_id=1)
@dataclass(frozen=True)
class RandomPermutation(Permutation):
    """Random pixel permutation: put the pixels in the random order that --seed gives.

    The order is `seeded_permutation`. Stored as algorithm u8, seed u64.
    """

    shuffles: ClassVar[bool] = True

    seed: int
    algorithm: int = PHILOX_ARGSORT

    @classmethod
    def prepare(cls, parameter: int | None, samples: Samples, seed: int) -> Self:
        """Take the encoder's seed; UsageError if it does not fit 64 bits."""
        check_seed(seed)
        return cls(seed)

    @classmethod
    def packed_size(cls, channels: int) -> int:
        """Nine bytes."""
        return _RPP.size

    def pack(self) -> bytes:
        """Algorithm u8, seed u64."""
        return _RPP.pack(self.algorithm, self.seed)

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """The inverse of `pack`; UnsupportedError if the algorithm is unknown."""
        check_size(payload, _RPP.size)
        algorithm, seed = _RPP.unpack(payload)
        if algorithm != PHILOX_ARGSORT:
            raise UnsupportedError(f"unknown permutation algorithm {algorithm}", code="permutation")
        return cls(seed, algorithm)

    def order(self, height: int, width: int, plane: Samples | None) -> Int64Array:
        """`seeded_permutation` of all pixels."""
        return seeded_permutation(height * width, self.seed, self.algorithm)


@register("zigzag", wire_id=2)
@dataclass(frozen=True)
class Zigzag(Permutation):
    """Sort the pixels by intensity, along JPEG's zigzag; the file also holds all intensities, to undo that.

    The darkest pixel comes first: position `zigzag_path[i]` gets the i-th darkest pixel, and pixels of one intensity
    stay in raster order. Stores nothing but its key plane.
    """

    n_planes: ClassVar[int] = 1

    def order(self, height: int, width: int, plane: Samples | None) -> Int64Array:
        """Sort the key plane; UsageError if there is none."""
        if plane is None:
            raise UsageError("zigzag needs its key plane")
        order = np.empty(height * width, np.int64)
        order[zigzag_path(height, width)] = np.argsort(plane.reshape(-1), kind="stable")
        return order


def intensities(samples: Samples) -> Samples:
    """Source samples (H, W, C) to integer intensities (H, W) of the same dtype.

    Gray: the sample. RGB: (77 R + 150 G + 29 B + 128) >> 8.
    """
    if samples.shape[2] == 1:
        return samples[:, :, 0]
    wide = samples.astype(np.uint32)
    plane = (77 * wide[:, :, 0] + 150 * wide[:, :, 1] + 29 * wide[:, :, 2] + 128) >> 8
    return plane.astype(np.uint8) if samples.dtype == np.uint8 else plane.astype(np.uint16)
