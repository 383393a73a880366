"""Bytes against quality: nfcodec at several targets beside ordinary image codecs at several settings, same pictures.

PSNR is over all RGB samples at 8 bits; MS-SSIM the mean over channels. Bits a pixel are those of whole files, as
written by the encoder with no metadata.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image, features

import nfcodec
from benchmarks.data.pictures import Bytes
from benchmarks.records.store import Job, Row
from nfcodec.errors import UsageError
from nfcodec.metrics import ms_ssim, psnr_db

OURS = "nfcodec"
TARGETS_DB = (30.0, 32.0, 35.0, 40.0, 45.0, 50.0)


@dataclass(frozen=True)
class Codec:
    """An image codec of Pillow's.

    Attributes:
        settings: what is tried, from small files to large ones.
        options: Pillow's options for a setting.
        library: the name that `PIL.features` knows, or the distribution.
    """

    settings: tuple[float, ...]
    options: Callable[[float], Mapping[str, Any]]
    library: str


def _quality(**options: Any) -> Callable[[float], Mapping[str, Any]]:
    return lambda setting: {"quality": int(setting), **options}


CODECS: dict[str, Codec] = {
    "jpeg": Codec(
        (5, 10, 20, 30, 40, 50, 60, 70, 80, 90), _quality(format="JPEG", subsampling=2, optimize=True), "jpg"
    ),
    "jpeg-444": Codec(
        (30, 50, 70, 80, 90, 95, 98, 100), _quality(format="JPEG", subsampling=0, optimize=True), "jpg"
    ),
    "webp": Codec((1, 10, 25, 40, 55, 70, 80, 88, 94, 98, 100), _quality(format="WEBP", method=6), "webp"),
    "avif": Codec(
        (20, 30, 40, 50, 60, 70, 80, 88, 94, 98), _quality(format="AVIF", subsampling="4:4:4", speed=4), "avif"
    ),
    "avif-psnr": Codec(
        (30, 40, 50, 60, 70, 80, 90, 96),
        _quality(format="AVIF", subsampling="4:4:4", speed=0, advanced={"tune": "psnr"}),
        "avif",
    ),
    "jpeg2000": Codec(
        (26, 28, 30, 32, 34, 36, 38, 40, 43, 46, 50),
        lambda setting: {
            "format": "JPEG2000", "irreversible": True, "mct": 1, "quality_mode": "dB", "quality_layers": [setting]
        },
        "jpg_2000",
    ),
    "jxl": Codec((10, 30, 50, 65, 75, 83, 89, 94, 97, 99), _quality(format="JXL", effort=7), "pillow-jxl-plugin"),
}  # fmt: skip


@dataclass(frozen=True)
class RatePoint(Job):
    """One file.

    Attributes:
        codec: `OURS` or a key of `CODECS`.
        setting: the target, or what the codec is given.
        effort, field, transform: of ours.
        target: of ours, what `setting` is: "psnr", in dB, or "bpp", bits a pixel.
    """

    codec: str
    setting: float
    effort: int = 0
    field: str = ""
    transform: str = "none"
    target: str = "psnr"

    study: ClassVar[str] = "rate"

    def load(self, path: Path) -> Bytes:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))

    def run(self, picture: Bytes) -> Row:
        began = time.perf_counter()
        data, more = self._encoded(picture)
        encoded = time.perf_counter()
        decoded = np.asarray(nfcodec.decode(data) if self.codec == OURS else Image.open(io.BytesIO(data)))
        done = time.perf_counter()
        psnr = psnr_db(picture, decoded, 255)
        return {
            "bytes": len(data), "bpp": 8 * len(data) / (picture.shape[0] * picture.shape[1]),
            "psnr_db": round(min(psnr, 999.0), 4), "ms_ssim": _ms_ssim(picture, decoded),
            "encode_seconds": round(encoded - began, 3), "decode_seconds": round(done - encoded, 3), **more,
        }  # fmt: skip

    def _encoded(self, picture: Bytes) -> tuple[bytes, Row]:
        if self.codec == OURS:
            options = {"effort": self.effort, "field": self.field, "transform": self.transform}
            encoded = nfcodec.encode_with_report(picture, **{self.target: self.setting}, **options)
            return encoded.data, {"steps": encoded.report["steps"]}
        codec, buffer = CODECS[self.codec], io.BytesIO()
        prepare(self.codec)
        Image.fromarray(picture).save(buffer, **codec.options(self.setting))
        return buffer.getvalue(), {"library": library_version(codec.library)}


@cache
def prepare(codec: str) -> None:
    """Raise UsageError unless Pillow can write this codec."""
    name = CODECS[codec].library
    if codec == "jxl":
        try:
            import pillow_jxl  # pyright: ignore[reportMissingImports, reportUnusedImport]  # noqa: F401
        except ImportError as error:
            raise UsageError("JPEG XL needs the package pillow-jxl-plugin") from error
    elif not features.check(name):
        raise UsageError(f"this Pillow cannot write {codec}")


def library_version(library: str) -> str:
    """The name and the version of what `Codec.library` says."""
    return f"{library} {version(library) if '-' in library else features.version(library)}"


def _ms_ssim(a: Bytes, b: Bytes) -> float | None:
    """None for pictures too small for it."""
    try:
        return round(ms_ssim(a, b, 255), 6)
    except UsageError:
        return None
