"""The files that mutation begins with: golden files, small encodes of every family, and images of every kind."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import nfcodec
from nfcodec.images.files import image_bytes
from nfcodec.raster import Raster

GOLDEN = Path(__file__).parents[2] / "conformance" / "golden"
LARGEST_BYTES = 4000
"""Larger golden files say nothing that smaller ones do not, and take longer."""


@dataclass(frozen=True)
class Seed:
    """A valid input; `is_nfc` tells files of the format from images."""

    name: str
    is_nfc: bool
    data: bytes


@cache
def golden_files() -> tuple[Seed, ...]:
    paths = sorted(GOLDEN.glob("*.nfc"))
    return tuple(Seed(path.stem, True, path.read_bytes()) for path in paths if path.stat().st_size <= LARGEST_BYTES)


def array(height: int, width: int, channels: int, depth: int = 8, seed: int = 0) -> np.ndarray:
    """A gradient, an edge and noise, (H, W, C)."""
    rng = np.random.default_rng([height, width, channels, depth, seed])
    y, x = np.mgrid[:height, :width]
    plane = (x + 2 * y) / (width + 2 * height) * 0.7 + 0.2 * (x > y)
    samples = np.stack([plane * (1 - 0.2 * c) for c in range(channels)], axis=2)
    samples = np.clip(samples + rng.normal(0, 0.02, samples.shape), 0, 1) * (2**depth - 1)
    return samples.astype(np.uint8 if depth == 8 else np.uint16)


METADATA = {"icc": b"no profile, " * 20, "exif": b"MM\0*\0\0\0\x08\0\0", "xmp": b"<x:xmpmeta/>"}


def encodes() -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Name to (samples, options): families, goals, chains, depths, alpha, and metadata, all quickly encoded."""
    few: dict[str, Any] = {"max_steps": 12, "best_effort": True, "effort": 1}
    return {
        "encode-gray": (array(7, 5, 1), {"psnr": 40.0}),
        "encode-gray-alpha": (array(6, 9, 2), {"psnr": 38.0}),
        "encode-rgb": (array(12, 10, 3), {"psnr": 36.0}),
        "encode-rgba": (array(9, 8, 4), {"psnr": 40.0, "transform": "zigzag"}),
        "encode-gray-16": (array(8, 6, 1, 16), {"psnr": 60.0}),
        "encode-rgba-16": (array(6, 7, 4, 16), {"lossless": True}),
        "encode-lossless": (array(10, 12, 3), {"lossless": True}),
        "encode-lossless-rpp": (array(9, 9, 3), {"lossless": True, "transform": "rpp"}),
        "encode-size": (array(16, 16, 3), {"size": 200}),
        "encode-rpp": (array(11, 12, 3), {"psnr": 36.0, "transform": "standardize+rpp"}),
        "encode-chain": (array(8, 9, 1), {"psnr": 40.0, "transform": "gamma:2+zigzag+inversion+rpp"}),
        "encode-sympower": (array(8, 8, 3), {"psnr": 34.0, "transform": "center:1+scale:0.5+gamma:2"}),
        "encode-one-pixel": (array(1, 1, 3), {"psnr": 40.0}),
        "encode-column": (array(24, 1, 1), {"psnr": 40.0}),
        "encode-siren": (array(9, 10, 1), {"psnr": 30.0, "field": "siren", **few}),
        "encode-siren-residual": (array(9, 10, 3), {"lossless": True, "field": "siren", "effort": 1, "max_steps": 12}),
        "encode-ngp": (array(12, 9, 3), {"psnr": 30.0, "field": "ngp", **few}),
    }


def write_encodes(directory: Path) -> None:
    """Encode, for `read_seeds`."""
    for name, (samples, options) in encodes().items():
        plain = Raster.from_array(samples)
        raster = Raster(plain.samples, plain.alpha, METADATA if name in ("encode-gray", "encode-lossless") else {})
        (directory / f"{name}.nfc").write_bytes(nfcodec.encode(raster, **{"effort": 1, **options}))


def _pillow(mode: str, height: int = 9, width: int = 11) -> Image.Image:
    channels = {"1": 1, "L": 1, "P": 3, "LA": 2, "PA": 4, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    image = Image.fromarray(array(height, width, channels).squeeze())
    return (
        image if image.mode == mode else image.convert(mode) if mode != "CMYK" else image.convert("RGB").convert(mode)
    )


_KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    **{f"png-{mode}": ("PNG", mode, {}) for mode in ("1", "L", "P", "LA", "RGB", "RGBA")},
    "png-metadata": ("PNG", "RGB", {"icc_profile": b"profile", "exif": METADATA["exif"], "dpi": (72, 72)}),
    "png-transparency": ("PNG", "P", {"transparency": b"\0\x80"}),
    **{f"jpeg-{mode}": ("JPEG", mode, {}) for mode in ("L", "RGB", "CMYK")},
    "jpeg-progressive": ("JPEG", "RGB", {"progressive": True, "exif": b"Exif\0\0" + METADATA["exif"]}),
    "webp": ("WEBP", "RGB", {"exif": METADATA["exif"]}),
    "webp-lossless": ("WEBP", "RGBA", {"lossless": True}),
    **{f"tiff-{kind}": ("TIFF", "RGB", {"compression": kind}) for kind in ("raw", "tiff_lzw", "tiff_adobe_deflate")},
    "tiff-1": ("TIFF", "1", {"compression": "group4"}),
    "tiff-jpeg": ("TIFF", "RGB", {"compression": "jpeg"}),
    "gif": ("GIF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "ppm": ("PPM", "RGB", {}),
    "ico": ("ICO", "RGBA", {"sizes": [(9, 11)]}),
    "jpeg2000": ("JPEG2000", "RGB", {}),
    "avif": ("AVIF", "RGB", {}),
}


def _images() -> Iterator[tuple[str, bytes]]:
    for name, (kind, mode, options) in _KINDS.items():
        buffer = io.BytesIO()
        try:
            _pillow(mode).save(buffer, kind, **options)
        except (KeyError, OSError, ValueError):  # this Pillow cannot write it
            continue
        yield name, buffer.getvalue()
    for channels in (1, 2, 3, 4):
        raster = Raster.from_array(array(8, 7, channels, 16))
        yield f"png16-{channels}", image_bytes(raster)
        yield f"npy16-{channels}", image_bytes(raster, "npy")
    yield "npy8", image_bytes(Raster.from_array(array(5, 6, 3)), "npy")
    for channels in (1, 3, 4):
        raster = Raster.from_array(array(8, 7, channels, 16))
        yield f"tiff16-{channels}", image_bytes(Raster(raster.samples, raster.alpha, METADATA), "tiff")
    for channels in (1, 3):
        yield f"pnm16-{channels}", image_bytes(Raster.from_array(array(6, 5, channels, 16)), "ppm")
    yield "pgm-text", b"P2\n3 2\n255\n0 1 2\n253 254 255\n"
    yield "pbm", b"P4\n9 2\n" + bytes(4)


@cache
def images() -> tuple[Seed, ...]:
    return tuple(Seed(name, False, data) for name, data in _images())


@cache
def read_seeds(directory: Path | None) -> tuple[Seed, ...]:
    """All seeds; those of `write_encodes` if a directory is given."""
    paths = sorted(directory.glob("encode-*.nfc")) if directory else []
    return (*golden_files(), *(Seed(path.stem, True, path.read_bytes()) for path in paths), *images())
