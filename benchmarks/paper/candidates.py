"""Transforms on trial: a few bytes each, known to the benchmarks only. What wins moves to nfcodec/transforms.

Importing this module registers them, with wire ids from 200 on, which no file ever holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError, UsageError
from nfcodec.raster import Samples
from nfcodec.transforms import Permutation, parse_chain, register, registered, seeded_permutation

CANDIDATES = (
    "blocks:8", "blocks:16", "blocks:32", "blocks:64", "lines", "tiles:4", "tiles:16", "polyphase:2", "polyphase:8",
    "sympower", "standardize+rpp", "center:2+rpp", "sympower+rpp", "standardize+blocks:32",
)  # fmt: skip


FIRST_ID = 200
"""Wire ids from here on are for experiments."""


def on_trial(chain: str) -> bool:
    """Whether a chain has a transform that no released codec knows."""
    return any(registered()[spec.name] >= FIRST_ID for spec in parse_chain(chain))


@dataclass(frozen=True)
class _Sized(Permutation):
    """A seeded permutation with a side length or factor, 2 .. 1024."""

    size: int
    seed: int

    default: ClassVar[int] = 8

    @classmethod
    def parse(cls, text: str | None) -> int:
        if text is None:
            return cls.default
        if not text.isdecimal() or not 2 <= int(text) <= 1024:
            raise UsageError(f"{cls.name}: a size is a number from 2 to 1024, not {text!r}")
        return int(text)

    @classmethod
    def prepare(cls, parameter: int | None, samples: Samples, seed: int) -> _Sized:
        return cls(cls.default if parameter is None else parameter, seed)

    @classmethod
    def unpack(cls, payload: bytes) -> _Sized:
        raise FormatError(f"no file holds the transform {cls.name}")

    @property
    def text(self) -> str:
        return f"{self.name}:{self.size}"


@register("blocks", wire_id=200)
class Blocks(_Sized):
    """RPP inside blocks: pixels leave their place, but not their block."""

    def order(self, height: int, width: int, plane: Samples | None) -> npt.NDArray[np.int64]:
        rows, cols = np.divmod(np.arange(height * width), width)
        block = rows // self.size * -(-width // self.size) + cols // self.size
        shuffled = seeded_permutation(height * width, self.seed)
        order = np.empty(height * width, np.int64)
        order[np.argsort(block, kind="stable")] = shuffled[np.argsort(block[shuffled], kind="stable")]
        return order


@register("tiles", wire_id=201)
class Tiles(_Sized):
    """Whole tiles change places; what does not fill a tile, right and below, stays."""

    def order(self, height: int, width: int, plane: Samples | None) -> npt.NDArray[np.int64]:
        order = np.arange(height * width).reshape(height, width)
        n, down, across = self.size, height // self.size, width // self.size
        whole = order[: down * n, : across * n].reshape(down, n, across, n).swapaxes(1, 2).reshape(-1, n, n)
        moved = whole[seeded_permutation(len(whole), self.seed)].reshape(down, across, n, n).swapaxes(1, 2)
        order[: down * n, : across * n] = moved.reshape(down * n, across * n)
        return order.reshape(-1)


@register("polyphase", wire_id=202)
class Polyphase(_Sized):
    """Pixels whose coordinates are equal modulo the factor come together: a mosaic of subsampled pictures."""

    def order(self, height: int, width: int, plane: Samples | None) -> npt.NDArray[np.int64]:
        rows, cols = (np.argsort(np.arange(n) % self.size, kind="stable") for n in (height, width))
        return (rows[:, None] * width + cols).reshape(-1)


@register("lines", wire_id=203)
@dataclass(frozen=True)
class Lines(Permutation):
    """Rows change places, and so do columns."""

    seed: int

    @classmethod
    def prepare(cls, parameter: int | None, samples: Samples, seed: int) -> Lines:
        return cls(seed)

    def order(self, height: int, width: int, plane: Samples | None) -> npt.NDArray[np.int64]:
        both = seeded_permutation(height + width, self.seed)
        rows, cols = both[both < height], both[both >= height] - height
        return (rows[:, None] * width + cols).reshape(-1)
