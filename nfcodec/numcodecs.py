"""Pictures as chunks of arrays: a codec of numcodecs, which zarr takes as the compressor of an array of its format 2.

numcodecs finds it by its entry point under the name "nfcodec", so that reading an array needs no import. It is for
arrays of `uint8` or `uint16` of which each chunk is a picture. `nfcodec.zarr` is the same for zarr's format 3, and
docs/use/pillow.md has examples of both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numcodecs.abc import Codec
from numcodecs.compat import ndarray_copy  # pyright: ignore[reportUnknownVariableType]

import nfcodec
from nfcodec import codec
from nfcodec.errors import UsageError

NAME = "nfcodec"

Chunk = np.ndarray[Any, np.dtype[Any]]

MOST_CHANNELS = 4
TYPES = ("|u1", "<u2")
"""Of samples; files do not tell the order of bytes, and what is decoded has this one."""


class Nfc(Codec):
    """Encodes each chunk as an .nfc file. One of the first four arguments has to be given.

    Args:
        psnr, size, bpp, lossless, transform, seed, effort: as of `nfcodec.encode`, for each chunk.
        field: a name, as of `nfcodec.encode`.

    Raises:
        UsageError: as `nfcodec.encode`, or nothing says how much may be lost.
    """

    codec_id = NAME

    def __init__(
        self,
        *,
        psnr: float | None = None,
        size: int | None = None,
        bpp: float | None = None,
        lossless: bool = False,
        field: str = "auto",
        transform: str = "none",
        seed: int = 0,
        effort: int = 5,
    ) -> None:
        options = codec.EncodeOptions(
            psnr_db=psnr,
            size_bytes=size,
            bpp=bpp,
            lossless=lossless,
            field=field,
            transform=transform,
            seed=seed,
            effort=effort,
        )
        if psnr is size is bpp is None and not options.lossless:
            raise UsageError("say what of the array may be lost: give psnr, size, bpp or lossless=True")
        if not isinstance(options.field, str):
            raise UsageError("field must be a name, which the metadata of an array can hold")
        self.psnr, self.size, self.bpp = options.psnr_db, options.size_bytes, options.bpp
        self.lossless = options.lossless
        self.field, self.transform = options.field, options.transform
        self.seed, self.effort = options.seed, options.effort

    def encode(self, buf: Any) -> bytes:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The bytes of an .nfc file.

        Args:
            buf: an array that `as_picture` takes.

        Raises:
            NfcError: as `nfcodec.encode`.
        """
        return nfcodec.encode(as_picture(np.asarray(buf)), **self._options())

    def decode(self, buf: Any, out: Any = None) -> Any:
        """The samples, (H, W) or (H, W, C), little-endian; in the memory of `out` if that is given.

        Raises:
            NfcError: as `nfcodec.decode`.
        """
        samples = nfcodec.decode_array(buf)
        return ndarray_copy(samples.astype(f"<u{samples.itemsize}", copy=False), out)

    def get_config(self) -> dict[str, Any]:
        """All that is given, and what is not has by default, in JSON's values."""
        return {"id": NAME, **self._options()}

    def _options(self) -> dict[str, Any]:
        """The arguments of `nfcodec.encode`, without those that say nothing."""
        return {key: value for key, value in vars(self).items() if value is not None and value is not False}


def as_picture(chunk: Chunk) -> Chunk:
    """The picture (H, W) or (H, W, C) that a chunk is, with its samples in the order that they have in memory.

    Of a chunk with more axes, as of one plane of a stack, the first ones must have the length 1; they are left out.
    What is written is the memory, so that of a chunk (H, W) in Fortran's order the picture is the transpose.

    Raises:
        UsageError: the chunk is no picture: it has another shape, or is not of `uint8` or little-endian `uint16`.
    """
    if chunk.dtype.str not in TYPES:
        raise UsageError(f"a chunk must be of uint8 or little-endian uint16, not {chunk.dtype.str}")
    transposed = chunk.flags.f_contiguous and not chunk.flags.c_contiguous
    picture: Chunk = np.ascontiguousarray(np.transpose(chunk) if transposed else chunk)
    while picture.ndim > 2 and picture.shape[0] == 1 and (picture.ndim > 3 or picture.shape[2] > MOST_CHANNELS):
        picture = picture[0]
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] > MOST_CHANNELS):
        raise UsageError(
            f"a chunk must be a picture (H, W), or in C's order (H, W, C) with C in 1..4; its shape is {chunk.shape}"
        )
    return picture
