"""The codecs whose files are compared: nfcodec, and those of Pillow, each with its options in one place."""

from __future__ import annotations

import io
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image, features

import nfcodec
from benchmarks.data.pictures import Bytes
from benchmarks.records.store import Row
from nfcodec.errors import UsageError

OURS = "nfcodec"


class Codec(ABC):
    """An image codec with all its settings."""

    @abstractmethod
    def encode(self, picture: Bytes) -> tuple[bytes, Row]:
        """The file of a picture (H, W, 3) or (H, W), and what a record should say of it besides its size.

        Raises:
            UsageError: the codec is not there.
        """

    @abstractmethod
    def decode(self, data: bytes) -> Image.Image:
        """The picture of a file."""


@dataclass(frozen=True)
class Ours(Codec):
    """nfcodec with options of `nfcodec.encode`."""

    options: Mapping[str, Any]

    def encode(self, picture: Bytes) -> tuple[bytes, Row]:
        encoded = nfcodec.encode_with_report(picture, **self.options)
        return encoded.data, {"family": encoded.report["field"], "steps": encoded.report["steps"]}

    def decode(self, data: bytes) -> Image.Image:
        return nfcodec.decode(data)


@dataclass(frozen=True)
class Rival(Codec):
    """A codec of Pillow's.

    Attributes:
        options: of `Image.save`.
        library: the name that `PIL.features` knows, or the distribution; empty for what Pillow does itself.
    """

    options: Mapping[str, Any]
    library: str

    def encode(self, picture: Bytes) -> tuple[bytes, Row]:
        more = {"library": _library_version(self.library)} if self.library else {}
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, **self.options)
        return buffer.getvalue(), more

    def decode(self, data: bytes) -> Image.Image:
        return Image.open(io.BytesIO(data))


@dataclass(frozen=True)
class Lossy:
    """A rival that takes a setting of quality.

    Attributes:
        settings: what is tried, from small files to large ones.
        options: Pillow's options for a setting.
        library: as for `Rival`.
    """

    settings: tuple[float, ...]
    options: Callable[[float], Mapping[str, Any]]
    library: str

    def at(self, setting: float) -> Rival:
        """The codec at one setting."""
        return Rival(self.options(setting), self.library)


def _quality(**options: Any) -> Callable[[float], Mapping[str, Any]]:
    return lambda setting: {"quality": int(setting), **options}


def _jpeg2000(setting: float) -> Mapping[str, Any]:
    return {"format": "JPEG2000", "irreversible": True, "mct": 1, "quality_mode": "dB", "quality_layers": [setting]}


AVIF_THREADS = 2
"""Of AVIF where bytes are compared: its files differ by up to 3 % with one thread, and with four they do not."""


def avif(speed: int, **more: Any) -> Lossy:
    """AVIF without subsampling.

    libavif 1.4 tunes it for `iq`, how good pictures look to people: below quality 100 the files are the same bytes with
    and without that option.

    Args:
        speed: from 0, the slowest, to 10.
        more: options of Pillow's.
    """
    settings = (0, 5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 88, 94, 98, 100)
    return Lossy(settings, _quality(format="AVIF", subsampling="4:4:4", speed=speed, **more), "avif")


def _slowest_avif(tune: str, *settings: float) -> Lossy:
    options = {"subsampling": "4:4:4", "speed": 0, "max_threads": AVIF_THREADS, "advanced": {"tune": tune}}
    return Lossy(settings, _quality(format="AVIF", **options), "avif")


LOSSY: dict[str, Lossy] = {
    "jpeg": Lossy(
        (2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90), _quality(format="JPEG", subsampling=2, optimize=True), "jpg"
    ),
    "jpeg-444": Lossy(
        (2, 5, 10, 20, 30, 50, 70, 80, 90, 95, 98, 100), _quality(format="JPEG", subsampling=0, optimize=True), "jpg"
    ),
    "webp": Lossy((0, 1, 10, 25, 40, 55, 70, 80, 88, 94, 98, 100), _quality(format="WEBP", method=6), "webp"),
    "avif": avif(4, max_threads=AVIF_THREADS),
    "avif-psnr": _slowest_avif("psnr", 0, 1, 5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 96, 98, 100),
    "avif-iq": _slowest_avif("iq", 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 98),
    "jpeg2000": Lossy((22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 43, 46, 50), _jpeg2000, "jpg_2000"),
    "jxl": Lossy((1, 5, 10, 30, 50, 65, 75, 83, 89, 94, 97, 99), _quality(format="JXL", effort=7), "pillow-jxl-plugin"),
}

LOSSLESS: dict[str, Rival] = {
    "png": Rival({"format": "PNG", "optimize": True}, ""),
    "webp": Rival({"format": "WEBP", "lossless": True, "quality": 100, "method": 6}, "webp"),
    "jxl": Rival({"format": "JXL", "lossless": True, "effort": 7}, "pillow-jxl-plugin"),
}


def there_and_back(codec: Codec, picture: Bytes) -> tuple[Bytes, Row]:
    """Encode a picture and decode it: what came back, and the sizes and seconds for a record.

    Seconds by the clock count what else the machine did meanwhile; those of processors, of all threads, do not.
    """
    began = time.perf_counter(), time.process_time()
    data, more = codec.encode(picture)
    encoded = time.perf_counter(), time.process_time()
    decoded = np.asarray(codec.decode(data))
    done = time.perf_counter(), time.process_time()
    return decoded, {
        "bytes": len(data), "bpp": 8 * len(data) / (picture.shape[0] * picture.shape[1]),
        "encode_seconds": round(encoded[0] - began[0], 3), "encode_cpu_seconds": round(encoded[1] - began[1], 3),
        "decode_seconds": round(done[0] - encoded[0], 3), "decode_cpu_seconds": round(done[1] - encoded[1], 3), **more,
    }  # fmt: skip


@cache
def _library_version(library: str) -> str:
    """The name and the version of what `Rival.library` says; raises UsageError where it is missing."""
    if library == "pillow-jxl-plugin":
        try:
            import pillow_jxl  # pyright: ignore[reportMissingImports, reportUnusedImport]  # noqa: F401
        except ImportError as error:
            raise UsageError("JPEG XL needs the package pillow-jxl-plugin") from error
        return f"{library} {version(library)}"
    if not features.check(library):
        raise UsageError(f"this Pillow cannot write {library}")
    return f"{library} {features.version(library)}"
