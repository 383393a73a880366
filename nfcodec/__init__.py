"""nfcodec: images as the weights of small neural fields, to a promised PSNR, decoded exactly.

    data = nfcodec.encode(image, psnr=40, transform="none")    # PIL image or array -> bytes
    image = nfcodec.decode(data)                                # bytes -> PIL image
    nfcodec.inspect(data).bpp                                   # header only

Importing this module loads neither torch nor numba; decoding never needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nfcodec.errors import (
    EngineError,
    FormatError,
    ImageReadError,
    LimitError,
    NfcError,
    NotNfcError,
    TargetNotReachedError,
    UnsupportedError,
    UsageError,
    WriteError,
)
from nfcodec.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from nfcodec.codec import Encoded, Info
    from nfcodec.exact.field import Field
    from nfcodec.limits import Limits
    from nfcodec.raster import Raster, Samples

    ImageLike = Image.Image | npt.NDArray[np.generic] | Raster

__all__ = [
    "EngineError",
    "FormatError",
    "ImageReadError",
    "LimitError",
    "Limits",
    "NfcError",
    "NfcFile",
    "NotNfcError",
    "TargetNotReachedError",
    "UnsupportedError",
    "UsageError",
    "WriteError",
    "__version__",
    "decode",
    "decode_array",
    "encode",
    "encode_with_report",
    "inspect",
    "load",
    "open",
    "save",
]


def encode(
    image: ImageLike,
    *,
    psnr: float | None = None,
    size: int | None = None,
    bpp: float | None = None,
    lossless: bool = False,
    field: str | Field = "auto",
    transform: str = "none",
    seed: int = 0,
    **options: Any,
) -> bytes:
    """Encode an image so that decoding gives at least `psnr` dB, by default 40; or to a size; or without loss.

    Args:
        image: a PIL image, or an array (H, W) or (H, W, C) with C in 1..4, uint8 or uint16.
        psnr: over all colour samples, at the source's depth, in dB; over 0, at most 150.
        size: instead of a PSNR, the most bytes that the file may take; bpp: the same in bits a pixel.
        lossless: instead of a PSNR, decode to the very samples.
        field: "auto", "wavelet", "table", "siren", "ngp", "samples" (docs/use/choosing.md says which is for what), or
            a field from `nfcodec.fields`.
        transform: "none", or a chain such as "rpp" or "standardize+rpp".
        seed: 0 .. 2^64 - 1, of the random order (rpp), and of initial weights and noise where gradient steps are taken.
        options: `effort`, `device`, `engine`, `max_steps`, `time_limit_s`, `best_effort` of
            `nfcodec.codec.EncodeOptions`; `on_event`, a function called with progress events; `limits`.

    Raises:
        NfcError: see `nfcodec.errors`; TargetNotReachedError if the PSNR or the size is not reached.
    """
    target = {"psnr": psnr, "size": size, "bpp": bpp, "lossless": lossless}
    return encode_with_report(image, **target, field=field, transform=transform, seed=seed, **options).data


def encode_with_report(
    image: ImageLike,
    *,
    psnr: float | None = None,
    size: int | None = None,
    bpp: float | None = None,
    lossless: bool = False,
    field: str | Field = "auto",
    transform: str = "none",
    seed: int = 0,
    **options: Any,
) -> Encoded:
    """Like `encode`; returns `.data` and `.report`, the object that `nfcodec encode --json` prints."""
    from nfcodec import codec
    from nfcodec.limits import DEFAULT_LIMITS

    on_event, limits = options.pop("on_event", None), options.pop("limits", None) or DEFAULT_LIMITS
    try:
        chosen = codec.EncodeOptions(
            psnr, field, transform, seed, size_bytes=size, bpp=bpp, lossless=lossless, **options
        )
    except TypeError as error:
        raise UsageError(f"unknown option: {error}") from error
    return codec.encode(_raster(image, limits), chosen, on_event, limits)


def decode(data: bytes, *, limits: Limits | None = None) -> Image.Image:
    """Decode to a PIL image with its metadata (ICC, EXIF, XMP in `info`).

    Raises:
        FormatError: the bytes are no valid .nfc file.
        LimitError: decoding would exceed the limits.
        UsageError: Pillow has no mode for the samples (16-bit colour or alpha); see `decode_array`.
    """
    from nfcodec.images import files

    return files.raster_to_pil(_decode(data, limits))


def decode_array(data: bytes, *, limits: Limits | None = None) -> Samples:
    """Decode to an array (H, W) or (H, W, C), alpha last, uint8 or uint16. Raises as `decode`."""
    return _decode(data, limits).to_array()


def inspect(data: bytes, *, limits: Limits | None = None) -> Info:
    """What the header says; decodes nothing. Raises FormatError or LimitError."""
    from nfcodec import codec
    from nfcodec.limits import DEFAULT_LIMITS

    return codec.inspect(data, limits or DEFAULT_LIMITS)


class NfcFile:
    """An .nfc file in memory: its `info` at once, its pixels on demand, all within the limits."""

    def __init__(self, data: bytes, *, limits: Limits | None = None) -> None:
        self.data, self._limits = data, limits
        self.info = inspect(data, limits=limits)

    def image(self) -> Image.Image:
        """The picture as a PIL image."""
        return decode(self.data, limits=self._limits)

    def array(self) -> Samples:
        """The picture as an array (H, W) or (H, W, C)."""
        return decode_array(self.data, limits=self._limits)

    def verify(self) -> bool:
        """Whether the samples decode to the digest in the file."""
        from nfcodec import codec
        from nfcodec.limits import DEFAULT_LIMITS

        return codec.verify(self.data, self._limits or DEFAULT_LIMITS).ok


def open(path: str | Path, *, limits: Limits | None = None) -> NfcFile:
    """Read an .nfc file and its header. Raises ImageReadError, FormatError or LimitError."""
    from nfcodec.format import check_start
    from nfcodec.images import files
    from nfcodec.limits import DEFAULT_LIMITS

    return NfcFile(files.read_bytes(path, limits or DEFAULT_LIMITS, check_start), limits=limits)


def load(path: str | Path, *, limits: Limits | None = None) -> Image.Image:
    """Read and decode an .nfc file. Raises ImageReadError, or as `decode`."""
    return open(path, limits=limits).image()


def save(image: ImageLike, path: str | Path, *, overwrite: bool = False, **options: Any) -> None:
    """Encode (options as for `encode`) and write atomically; over an existing file only if `overwrite`.

    Raises:
        UsageError: the path has the suffix of a picture, or is the file that a PIL image was opened from.
        WriteError: it exists and `overwrite` is false, or cannot be written.
        NfcError: as `encode`.
    """
    from nfcodec.images import atomic, names

    if names.is_picture_name(path):
        raise UsageError(f"{path} has the name of a picture, but save writes an .nfc file")
    if names.is_same_file(getattr(image, "filename", ""), path):
        raise UsageError(f"{path} is the file that the image comes from; name another one")
    advice = "to replace it, say overwrite=True"
    atomic.check_writable(path, overwrite, advice)
    atomic.write_atomic(path, encode(image, **options), overwrite, advice)


def _decode(data: bytes, limits: Limits | None) -> Raster:
    from nfcodec import codec
    from nfcodec.limits import DEFAULT_LIMITS

    return codec.decode(data, limits or DEFAULT_LIMITS)


def _raster(image: ImageLike, limits: Limits) -> Raster:
    import numpy as np

    from nfcodec.raster import Raster

    if isinstance(image, Raster):
        return image
    if isinstance(image, np.ndarray):
        return Raster.from_array(image)
    from nfcodec.images import files

    return files.raster_from_pil(image, limits)


def __getattr__(name: str) -> Any:
    """What is loaded when it is asked for."""
    if name == "Limits":
        from nfcodec.limits import Limits

        return Limits
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
