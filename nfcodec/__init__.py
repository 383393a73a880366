"""nfcodec: pictures as the weights of small neural fields, to a promised PSNR, decoded exactly.

    data = nfcodec.encode(image, psnr=40, transform="none")    # PIL image or array -> bytes
    image = nfcodec.decode(data)                                # bytes -> PIL image
    nfcodec.inspect(data).bpp                                   # header only

Importing this module loads neither numpy nor torch nor numba; decoding never needs the latter two. Every argument of a
wrong type or value ends in a `UsageError` that names it; numbers may be numpy's scalars.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcodec import lazy
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
    from os import PathLike

    import numpy as np
    import numpy.typing as npt
    from PIL import Image
    from typing_extensions import Buffer

    from nfcodec import fields
    from nfcodec.codec import Encoded, Info
    from nfcodec.exact.field import Field
    from nfcodec.fitting.request import Listener
    from nfcodec.limits import Limits
    from nfcodec.raster import Raster, Samples

    ImageLike = Image.Image | npt.NDArray[np.generic] | Raster
    Path = str | PathLike[str]
    Region = tuple[int, int, int, int]

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
    "fields",
    "inspect",
    "load",
    "open",
    "register_pillow",
    "save",
]

__getattr__ = lazy.exports(__name__, {"Limits": "nfcodec.limits", "fields": "nfcodec.fields:"})
__dir__ = lazy.listing(__name__)


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
    effort: int = 5,
    device: str = "auto",
    engine: str = "auto",
    max_steps: int | None = None,
    time_limit_s: float | None = None,
    best_effort: bool = False,
    on_event: Listener | None = None,
    limits: Limits | None = None,
) -> bytes:
    """Encode an image so that decoding gives at least `psnr` dB, by default 40; or to a size; or without loss.

    Args:
        image: a PIL image, or an array (H, W) or (H, W, C) with C in 1..4: uint8 or uint16 of any byte order; bool
            (True is 255); or floats from 0 to 1, which are rounded to 8 bits.
        psnr: over all colour samples, at the source's depth, in dB; over 0, at most 150.
        size: instead of a PSNR, the most bytes that the file may take, at least 1; bpp: the same in bits a pixel,
            over 0.
        lossless: instead of a PSNR, decode to the very samples.
        field: "auto", "wavelet", "table", "siren", "ngp", "grid", "samples" (docs/use/choosing.md says which is for
            what), or a field from `nfcodec.fields`.
        transform: "none", or a chain such as "rpp" or "standardize+rpp"; docs/use/cli.md lists all with their ranges.
        seed: 0 .. 2^64 - 1, of the random order (rpp), and of initial weights and noise where gradient steps are taken.
            Where there is neither, as with wavelets at effort 1, it changes nothing, and the report's seed is None.
        effort: 1 (fast) .. 9 (small files).
        device: "auto", "cpu" or "cuda", where gradient steps are taken.
        engine: "auto" or the name of what takes the gradient steps; `nfcodec doctor` shows which there are.
        max_steps: the most gradient steps, 0 or more.
        time_limit_s: the most effort, up to `effort`, for which so many seconds suffice, over 0.
        best_effort: return the best file even if it misses the PSNR or the size.
        on_event: called with each `nfcodec.fitting.Event` while the encode goes on.
        limits: upper bounds on the picture and the field; by default those of `nfcodec.Limits()`.

    Raises:
        NfcError: see `nfcodec.errors`; UsageError for an argument that is not as said here, TargetNotReachedError if
            the PSNR or the size is not reached.
    """
    return encode_with_report(**locals()).data


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
    effort: int = 5,
    device: str = "auto",
    engine: str = "auto",
    max_steps: int | None = None,
    time_limit_s: float | None = None,
    best_effort: bool = False,
    on_event: Listener | None = None,
    limits: Limits | None = None,
) -> Encoded:
    """Like `encode`; returns `.data` and `.report`, the object that `nfcodec encode --json` prints."""
    from nfcodec import codec

    options = codec.EncodeOptions(
        psnr_db=psnr,
        size_bytes=size,
        bpp=bpp,
        lossless=lossless,
        field=field,
        transform=transform,
        seed=seed,
        effort=effort,
        device=device,
        engine=engine,
        max_steps=max_steps,
        time_limit_s=time_limit_s,
        best_effort=best_effort,
    )
    return codec.encode(_raster(image, _limits(limits)), options, on_event, _limits(limits))


def decode(data: Buffer, *, region: Region | None = None, scale: int = 1, limits: Limits | None = None) -> Image.Image:
    """Decode to a PIL image with its metadata (ICC, EXIF, XMP, and the resolution as "dpi", in `info`).

    Args:
        data: of a file: bytes, or anything that holds bytes, as a bytearray, a memoryview or an mmap.
        region: x, y, width and height of the pixels that are wanted; None for all. They are the very pixels of the
            whole picture, but are not compared with the digest in the file.
        scale: 1, 2, 4, .. 128: the picture is reduced to 1/scale of its size, each pixel being the mean of a block;
            the last blocks may be cut. Of a region those pixels are returned whose blocks it touches.

    Raises:
        FormatError: the bytes are no valid .nfc file.
        LimitError: decoding would exceed the limits.
        UsageError: the region is not inside the picture, or the file's pixels were moved, so that they can only be
            decoded all together; Pillow has no mode for the samples (16-bit colour or alpha), and `decode_array`
            is the way; or an argument is of another type.
    """
    from nfcodec.images import files

    return files.raster_to_pil(_decode(data, region, scale, limits))


def decode_array(
    data: Buffer, *, region: Region | None = None, scale: int = 1, limits: Limits | None = None
) -> Samples:
    """Decode to an array (H, W) or (H, W, C), alpha last, uint8 or uint16. Raises as `decode`.

    These are the very samples that were encoded, as `numpy.asarray` gives them of a Pillow image: where EXIF says that
    the picture is to be turned, it is not turned here.
    """
    return _decode(data, region, scale, limits).to_array()


def inspect(data: Buffer, *, limits: Limits | None = None) -> Info:
    """What the header says; decodes nothing. Raises FormatError or LimitError."""
    from nfcodec import codec

    return codec.inspect(data, _limits(limits))


class NfcFile:
    """An .nfc file in memory: its `info` at once, its pixels on demand, within the limits. Takes what `decode` does."""

    def __init__(self, data: Buffer, *, limits: Limits | None = None) -> None:
        from nfcodec import arguments

        self.data, self._limits = arguments.file_bytes(data), limits
        self.info = inspect(self.data, limits=limits)

    def image(self, *, region: Region | None = None, scale: int = 1) -> Image.Image:
        """The picture, or a region of it, or a smaller one, as a PIL image; see `decode`."""
        return decode(self.data, region=region, scale=scale, limits=self._limits)

    def array(self, *, region: Region | None = None, scale: int = 1) -> Samples:
        """The same as an array (H, W) or (H, W, C)."""
        return decode_array(self.data, region=region, scale=scale, limits=self._limits)

    def verify(self) -> bool:
        """Whether the samples decode to the digest in the file."""
        from nfcodec import codec
        from nfcodec.limits import DEFAULT_LIMITS

        return codec.verify(self.data, self._limits or DEFAULT_LIMITS).ok


def open(path: Path, *, limits: Limits | None = None) -> NfcFile:
    """Read an .nfc file and its header. Raises ImageReadError, FormatError or LimitError."""
    from nfcodec.format import check_start
    from nfcodec.images import files

    return NfcFile(files.read_bytes(_path(path), _limits(limits), check_start), limits=limits)


def load(path: Path, *, region: Region | None = None, scale: int = 1, limits: Limits | None = None) -> Image.Image:
    """Read an .nfc file, and decode it as `decode` does. Raises ImageReadError, or as `decode`."""
    from nfcodec.format import check_start
    from nfcodec.images import files

    data = files.read_bytes(_path(path), _limits(limits), check_start)
    return decode(data, region=region, scale=scale, limits=limits)


def save(
    image: ImageLike,
    path: Path,
    *,
    overwrite: bool = False,
    psnr: float | None = None,
    size: int | None = None,
    bpp: float | None = None,
    lossless: bool = False,
    field: str | Field = "auto",
    transform: str = "none",
    seed: int = 0,
    effort: int = 5,
    device: str = "auto",
    engine: str = "auto",
    max_steps: int | None = None,
    time_limit_s: float | None = None,
    best_effort: bool = False,
    on_event: Listener | None = None,
    limits: Limits | None = None,
) -> None:
    """Encode as `encode` does and write atomically; over an existing file only if `overwrite`.

    Raises:
        UsageError: the path has the suffix of a picture, or is the file that a PIL image was opened from.
        WriteError: it exists and `overwrite` is false, or cannot be written.
        NfcError: as `encode`.
    """
    options = locals()
    del options["path"], options["overwrite"]
    from nfcodec import arguments
    from nfcodec.images import atomic, names

    target, overwrite = _path(path), arguments.flag("overwrite", overwrite)
    if names.is_picture_name(target):
        raise UsageError(f"{target} has the name of a picture, but save writes an .nfc file")
    if names.is_same_file(getattr(image, "filename", ""), target):
        raise UsageError(f"{target} is the file that the image comes from; name another one")
    advice = "to replace it, say overwrite=True"
    atomic.check_writable(target, overwrite, advice)
    atomic.write_atomic(target, encode(**options), overwrite, advice)


def register_pillow(*, limits: Limits | None = None) -> None:
    """Let Pillow open and save .nfc files from now on, as `import nfcodec.pillow` does; docs/use/pillow.md tells more.

    Args:
        limits: for all files that are opened or saved through Pillow; those of an earlier call if there is none.
    """
    from nfcodec import pillow

    pillow.register(limits)


def _decode(data: Buffer, region: Region | None, scale: int, limits: Limits | None) -> Raster:
    from nfcodec import codec

    return codec.decode(data, _limits(limits), codec.View(region, scale))


def _limits(limits: Limits | None) -> Limits:
    from nfcodec import arguments
    from nfcodec.limits import DEFAULT_LIMITS, Limits

    if limits is None:
        return DEFAULT_LIMITS
    arguments.instance_of("limits", limits, Limits, "an nfcodec.Limits")
    return limits


def _path(path: Path) -> str:
    from nfcodec import arguments

    return arguments.path("path", path)


_IMAGES = "a Pillow image or a NumPy array (PIL.Image.open reads image files, nfcodec.load .nfc files)"


def _raster(image: ImageLike, limits: Limits) -> Raster:
    import numpy as np
    from PIL import Image

    from nfcodec import arguments
    from nfcodec.format.chunks import SIGNATURE
    from nfcodec.images import files
    from nfcodec.raster import Raster

    if isinstance(image, Raster):
        return image
    if isinstance(image, np.ndarray):
        return Raster.from_array(image)
    if isinstance(image, NfcFile) or (isinstance(image, bytes) and image.startswith(SIGNATURE)):
        raise UsageError("image is an .nfc file already; nfcodec.decode makes a picture of it")
    arguments.instance_of("image", image, Image.Image, _IMAGES)
    return files.raster_from_pil(image, limits)
