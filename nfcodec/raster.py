"""An image in memory: colour samples, an optional alpha plane, and metadata carried along unread."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from nfcodec.errors import UsageError

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

DIGEST_BYTES = 8
METADATA_KEYS = ("icc", "exif", "xmp")


@dataclass(frozen=True)
class Raster:
    """Samples as stored (sRGB code values for ordinary pictures), never normalised.

    Attributes:
        samples: (H, W, C) with C = 1 (gray) or 3 (RGB); uint8 for depth 8, uint16 for depth 16.
        alpha: (H, W) of the same dtype, or None.
        metadata: raw blobs under the keys "icc", "exif", "xmp".
    """

    samples: Samples
    alpha: Samples | None = None
    metadata: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def __post_init__(self) -> None:
        samples, alpha = self.samples, self.alpha
        if samples.ndim != 3 or samples.shape[2] not in (1, 3):
            raise UsageError(f"samples must be (H, W, 1) or (H, W, 3), not {samples.shape}")
        if samples.dtype not in (np.uint8, np.uint16):  # pyright: ignore[reportUnnecessaryContains]
            raise UsageError(f"samples must be uint8 or uint16, not {samples.dtype}")
        if min(samples.shape) < 1:
            raise UsageError("an image needs at least one pixel")
        if alpha is not None and (alpha.shape != samples.shape[:2] or alpha.dtype != samples.dtype):
            raise UsageError("alpha must be (H, W) with the dtype of the colour samples")
        if unknown := set(self.metadata) - set(METADATA_KEYS):
            raise UsageError(f"unknown metadata: {', '.join(sorted(unknown))}")

    @classmethod
    def from_array(cls, array: npt.NDArray[np.generic]) -> Raster:
        """Take an array (H, W) or (H, W, C), C in 1..4 (gray, gray + alpha, RGB, RGBA).

        Bytes may be in any order. `samples_of` says which types there are. Raises UsageError for another array.
        """
        array = samples_of(array)
        if array.ndim == 2:
            array = array[:, :, None]
        if array.ndim != 3 or not 1 <= array.shape[2] <= 4:
            raise UsageError(f"an image array must be (H, W) or (H, W, C) with C in 1..4, not {array.shape}")
        n_color = 1 if array.shape[2] < 3 else 3
        samples: Samples = np.ascontiguousarray(array[:, :, :n_color])  # pyright: ignore
        alpha: Samples | None = np.ascontiguousarray(array[:, :, n_color]) if array.shape[2] > n_color else None  # pyright: ignore
        return cls(samples, alpha)

    def to_array(self) -> Samples:
        """Return (H, W) for plain gray, else (H, W, C) with alpha last."""
        if self.alpha is not None:
            return np.concatenate([self.samples, self.alpha[:, :, None]], axis=2)  # pyright: ignore[reportReturnType]
        return self.samples[:, :, 0] if self.channels == 1 else self.samples

    def digest(self) -> bytes:
        """The first 8 bytes of the SHA-256 of the samples, then alpha, in raster order, little-endian."""
        hasher = hashlib.sha256()
        for plane in (self.samples, self.alpha):
            if plane is not None:
                hasher.update(np.ascontiguousarray(plane, f"<u{plane.itemsize}").data)
        return hasher.digest()[:DIGEST_BYTES]

    @property
    def height(self) -> int:
        """Rows."""
        return self.samples.shape[0]

    @property
    def width(self) -> int:
        """Columns."""
        return self.samples.shape[1]

    @property
    def channels(self) -> int:
        """Colour channels, alpha not counted."""
        return self.samples.shape[2]

    @property
    def n_pixels(self) -> int:
        """Rows times columns."""
        return self.height * self.width

    @property
    def depth(self) -> int:
        """Bits a sample: 8 or 16."""
        return 8 * self.samples.dtype.itemsize

    @property
    def peak(self) -> int:
        """The largest sample value, 2^depth - 1."""
        return (1 << self.depth) - 1


def is_of_samples(dtype: np.dtype[Any]) -> bool:
    """Whether `samples_of` takes arrays of a type: uint8, uint16, bool, and floats of 16, 32 or 64 bits."""
    return (
        dtype.kind == "b" or (dtype.kind == "u" and dtype.itemsize <= 2) or (dtype.kind == "f" and dtype.itemsize <= 8)
    )


def samples_of(array: npt.NDArray[Any]) -> Samples:
    """The numbers of an array as samples.

    Those of uint8 and uint16 stay as they are. Of bool, False becomes 0 and True 255. Floats must lie in [0, 1] and
    become samples of 8 bits, floor(255 x + 1/2); whoever wants more scales them to uint16.

    Raises:
        UsageError: an array of another type, or of floats that are not all in [0, 1].
    """
    if not is_of_samples(array.dtype):
        raise UsageError(
            f"an image array must be uint8, uint16, bool, or floats from 0 to 1 (float16, 32 or 64), not {array.dtype}"
        )
    if array.dtype.kind == "u":
        return array.astype(np.uint8, copy=False) if array.dtype.itemsize == 1 else array.astype(np.uint16, copy=False)
    if array.dtype.kind == "f":
        least, most = (array.min(), array.max()) if array.size else (0, 0)
        if not (least >= 0 and most <= 1):
            raise UsageError(
                f"an image array of floats must lie in [0, 1], and this one goes from {least:g} to {most:g}"
            )
        return np.floor(array * np.array(255, np.result_type(array, np.float32)) + 0.5).astype(np.uint8)
    return array.astype(np.uint8) * np.uint8(255)
