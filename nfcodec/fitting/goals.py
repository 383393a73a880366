"""What an encode is asked for: a quality, a size, or the very samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Psnr:
    """The decoded samples reach so many dB."""

    psnr_db: float

    def __str__(self) -> str:
        return f"{self.psnr_db:g} dB"


@dataclass(frozen=True)
class Size:
    """The best PSNR in a file of at most so many bytes."""

    n_bytes: int

    def __str__(self) -> str:
        return f"{self.n_bytes} bytes"


@dataclass(frozen=True)
class Lossless:
    """The decoded samples are those of the picture."""

    def __str__(self) -> str:
        return "no loss"


Goal = Psnr | Size | Lossless
