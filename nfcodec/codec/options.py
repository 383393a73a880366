"""What `encode` is asked for: a quality or a size, a field, a transform, and how hard to try."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nfcodec.errors import UsageError
from nfcodec.exact.field import Field
from nfcodec.fitting.engines import engine_names
from nfcodec.fitting.goals import Goal, Lossless, Psnr, Size
from nfcodec.limits import MAX_EFFORT, MAX_PSNR_DB

DEFAULT_PSNR_DB = 40.0
LARGEST_BYTES = 1 << 50
"""No file is larger."""


@dataclass(frozen=True)
class EncodeOptions:
    """What `encode` is asked for.

    Attributes:
        psnr_db: the decoded samples reach at least this PSNR, in dB over all colour samples at the source's depth;
            over 0, up to 150. 40 by default. At most one of it and the last three attributes may be given.
        field: "auto", the name of a family, which sizes a field from the picture, the chain and the target, or a field.
        transform: a chain such as "none", "rpp" or "standardize+rpp".
        seed: 0 .. 2^64 - 1, of rpp, and of initial weights and noise where gradient steps are taken.
        effort: 1 (fast) .. 9 (small).
        device: "auto", "cpu" or "cuda"; engine: "auto" or an engine's name.
        max_steps: bound on gradient steps; time_limit_s: bound on the seconds spent fitting.
        best_effort: return the best file even if the target is not reached.
        size_bytes: the best PSNR in a file of at most so many bytes.
        bpp: the same in bits a pixel, 8 * bytes / pixels.
        lossless: decode to the very samples.
    """

    psnr_db: float | None = None
    field: str | Field = "auto"
    transform: str = "none"
    seed: int = 0
    effort: int = 5
    device: str = "auto"
    engine: str = "auto"
    max_steps: int | None = None
    time_limit_s: float | None = None
    best_effort: bool = False
    size_bytes: int | None = None
    bpp: float | None = None
    lossless: bool = False

    def __post_init__(self) -> None:
        if sum((self.psnr_db is not None, self.size_bytes is not None, self.bpp is not None, self.lossless)) > 1:
            raise UsageError("PSNR, size, bits a pixel and lossless exclude each other")
        if self.psnr_db is not None and not 0 < self.psnr_db <= MAX_PSNR_DB:
            raise UsageError(f"the PSNR target must be over 0 and at most {MAX_PSNR_DB:g} dB, not {self.psnr_db}")
        if self.size_bytes is not None and (not isinstance(self.size_bytes, int) or self.size_bytes < 1):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError("the size must be a whole number of bytes, at least 1")
        if self.bpp is not None and not 0 < self.bpp < math.inf:
            raise UsageError("the bits a pixel must be over 0")
        if not 0 <= self.seed < 1 << 64:
            raise UsageError("the seed must be in 0 .. 2^64 - 1")
        if not 1 <= self.effort <= MAX_EFFORT:
            raise UsageError(f"the effort must be 1 .. {MAX_EFFORT}")
        if self.max_steps is not None and self.max_steps < 0:
            raise UsageError("max_steps must not be negative")
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            raise UsageError("the time limit must be over 0 seconds")
        if self.engine not in ("auto", *engine_names()):
            raise UsageError(f"unknown engine {self.engine!r}; known: auto, {', '.join(engine_names())}")
        if self.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"unknown device {self.device!r}; known: auto, cpu, cuda")

    def goal(self, n_pixels: int) -> Goal:
        """What a picture of so many pixels is to reach."""
        if self.lossless:
            return Lossless()
        if self.bpp is not None:
            return Size(math.floor(min(self.bpp * n_pixels / 8, LARGEST_BYTES)))
        if self.size_bytes is not None:
            return Size(min(self.size_bytes, LARGEST_BYTES))
        return Psnr(DEFAULT_PSNR_DB if self.psnr_db is None else self.psnr_db)
