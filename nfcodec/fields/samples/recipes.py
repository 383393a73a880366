"""What the family spends: the same at each effort."""

from __future__ import annotations

from dataclasses import dataclass

from nfcodec import zstd


@dataclass(frozen=True)
class Recipe:
    """How samples are packed.

    Attributes:
        level: of Zstandard's compression.
    """

    level: int


RECIPES = dict.fromkeys(range(1, 10), Recipe(zstd.BEST))
