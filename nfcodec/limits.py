"""Every guard against files and images that ask for too much, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from nfcodec.errors import LimitError

PARAMETERS_PER_PIXEL = 8
"""So many parameters a pixel are free: dense grids grow with their picture, whose pixels are limited already."""


MAX_EFFORT = 9
"""Efforts are 1 (fast) .. MAX_EFFORT (small files)."""

MAX_PSNR_DB = 150.0
"""The highest target an encoder accepts; 16-bit samples are without loss well below it."""


@dataclass(frozen=True)
class Limits:
    """Upper bounds that are checked before memory is allocated or time is spent.

    Each bound is inclusive. The cost of decoding a neural field is known from the header alone, so `max_macs`
    (pixels x multiplications a pixel) stops "compute bombs": tiny files that ask for hours.
    """

    max_dimension: int = 32_768
    max_pixels: int = 89_478_485  # Pillow's MAX_IMAGE_PIXELS
    max_parameters: int = 2**26  # beyond PARAMETERS_PER_PIXEL for each pixel
    max_macs: int = 10**13
    max_levels: int = 32
    max_layers: int = 64
    max_width: int = 4096
    max_header_bytes: int = 65_536
    max_metadata_bytes: int = 2**24
    max_file_bytes: int = 2**31

    def check(self, name: str, value: int) -> None:
        """Raise LimitError, coded "limit.name", if `value` is over the limit called `name` (a field without `max_`)."""
        bound: int = getattr(self, f"max_{name}")
        if value > bound:
            raise LimitError(f"{name.replace('_', ' ')}: {value} is over the limit of {bound}", code=name)

    def check_geometry(self, width: int, height: int) -> None:
        """Check an image's sides and pixel count."""
        self.check("dimension", max(width, height))
        self.check("pixels", width * height)


DEFAULT_LIMITS = Limits()
