"""Makes the golden files that are not there yet. Existing ones are never touched: they define version 1 of the format.

    python tests/conformance/make_golden.py

To replace a file on purpose, delete it first, and say in CHANGELOG.md under "Format" why its bytes had to change.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np

import nfcodec
from nfcodec.codec import EncodeOptions, decode, encode
from nfcodec.fields import DenseLevel, Ngp, Siren, hash_levels
from nfcodec.raster import Raster

FOLDER = Path(__file__).with_name("golden")
TINY_SIREN = Siren(width=24, hidden_layers=2)
HASHED = Ngp(hash_levels(4, 2, 8, 4, 1.6), hidden=(16, 16))
MIXED = Ngp((*hash_levels(2, 2, 6, 4, 2.0), DenseLevel(2, 3), DenseLevel(0, 2)), hidden=(12,), bias=True, skip=True)


def picture(height: int, width: int, channels: int, depth: int = 8, seed: int = 0) -> np.ndarray:
    """A smooth picture with an edge and a little noise, (H, W) or (H, W, C)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    planes = [
        0.5 + 0.3 * np.sin(0.4 * x + c) * np.cos(0.3 * y - c) + 0.15 * (x + y > (height + width) / 2)
        for c in range(channels)
    ]
    image = np.stack(planes, axis=2) + rng.normal(0, 0.01, (height, width, channels))
    samples = np.clip(np.round(image * (2**depth - 1)), 0, 2**depth - 1).astype(np.uint16 if depth == 16 else np.uint8)
    return samples[:, :, 0] if channels == 1 else samples


def cases() -> dict[str, tuple[np.ndarray, dict[str, object]]]:
    """Name to (image, options of nfcodec.encode)."""
    gray, rgb = picture(24, 20, 1), picture(20, 24, 3)
    siren = {"field": TINY_SIREN, "psnr": 28.0, "max_steps": 400}
    found: dict[str, tuple[np.ndarray, dict[str, object]]] = {
        "ngp-rgb": (rgb, {"psnr": 40.0}),
        "ngp-rgb-64": (picture(64, 64, 3), {"psnr": 40.0, "effort": 2}),
        "ngp-gray": (gray, {"psnr": 45.0}),
        "ngp-rgba": (picture(20, 24, 4), {"psnr": 38.0}),
        "ngp-gray-alpha": (picture(17, 23, 2), {"psnr": 38.0}),
        "ngp-gray16": (picture(24, 20, 1, 16), {"psnr": 70.0}),
        "ngp-rgb16": (picture(19, 13, 3, 16), {"psnr": 60.0}),
        "ngp-rgba16": (picture(13, 19, 4, 16), {"psnr": 60.0}),
        "ngp-1x1": (picture(1, 1, 3), {"psnr": 40.0}),
        "ngp-1x1-gray16": (picture(1, 1, 1, 16), {"psnr": 60.0}),
        "ngp-1x31": (picture(1, 31, 3), {"psnr": 40.0}),
        "ngp-29x1": (picture(29, 1, 1), {"psnr": 40.0}),
        "ngp-primes": (picture(31, 37, 3), {"psnr": 36.0}),
        "ngp-lossless": (picture(16, 16, 3), {"psnr": 120.0}),
        "ngp-hashed": (rgb, {"field": HASHED, "psnr": 30.0, "max_steps": 600}),
        "ngp-mixed": (rgb, {"field": MIXED, "psnr": 30.0, "max_steps": 600}),
        "siren-rgb": (rgb, siren),
        "siren-gray": (gray, siren),
        "siren-1x1": (picture(1, 1, 3), {**siren, "field": Siren(8, 0)}),
        "siren-1x31": (picture(1, 31, 1), siren),
        "siren-rgba16": (picture(11, 13, 4, 16), siren),
        "siren-primes": (picture(23, 19, 3), siren),
    }
    chains = ("rpp", "zigzag", "inversion", "standardize", "scale:0.5", "scale:2", "center:1", "center:2", "gamma:0.5")
    for chain in (*chains, "gamma:2", "standardize+rpp", "rpp+zigzag", "gamma:2.2+inversion+rpp"):
        name = chain.replace(":", "")
        found[f"ngp-rgb-{name}"] = rgb, {"psnr": 40.0, "transform": chain, "seed": 2**63 + 7}
        found[f"siren-gray-{name}"] = gray, {**siren, "psnr": 24.0, "transform": chain, "seed": 7}
    for chain in ("center:1+gamma:2", "gamma:2+gamma:0.5", "standardize+gamma:3", "zigzag+rpp", "zigzag+zigzag"):
        options = {"psnr": 36.0, "transform": chain, "seed": 3}
        found[f"ngp-gray-{chain.replace(':', '')}"] = picture(19, 21, 1, seed=2), options
    uneven = Ngp((DenseLevel(3, 1), DenseLevel(1, 4), DenseLevel(0, 2)), hidden=(6,), bias=False, skip=True)
    found["ngp-rgb-uneven-levels"] = rgb, {"field": uneven, "psnr": 30.0, "max_steps": 600}
    levels = tuple(
        replace(hash_levels(1, f, 5, 5, 2.0)[0], scale=3.25 * f, resolution=ceil(3.25 * f) + 1) for f in (1, 4, 8)
    )
    found["ngp-rgb-hash-features"] = rgb, {"field": Ngp(levels, hidden=(8,)), "psnr": 28.0, "max_steps": 600}
    found["ngp-gray-rpp-137x131"] = picture(137, 131, 1), {"psnr": 24.0, "transform": "rpp", "seed": 11}
    found["ngp-gray-137x131"] = picture(137, 131, 1), {"psnr": 34.0, "effort": 1}
    found["ngp-rgb-sympower"] = rgb, {"psnr": 40.0, "transform": "sympower"}
    found["ngp-gray16-sympower+rpp"] = picture(24, 20, 1, 16), {"psnr": 55.0, "transform": "sympower+rpp", "seed": 5}
    found["siren-gray-sympower"] = gray, {**siren, "psnr": 24.0, "transform": "inversion+sympower"}
    found["ngp-gray16-gamma2.2"] = picture(24, 20, 1, 16), {"psnr": 60.0, "transform": "gamma:2.2"}
    return found


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, (image, options) in cases().items():
        path = FOLDER / f"{name}.nfc"
        if path.exists():
            continue
        path.write_bytes(nfcodec.encode(image, best_effort=True, **options))
        np.save(path.with_suffix(".npy"), nfcodec.decode_array(path.read_bytes()))
        print(f"{name}: {path.stat().st_size} bytes, {nfcodec.open(path).info.psnr_db:.2f} dB", flush=True)
    path = FOLDER / "ngp-metadata.nfc"
    if not path.exists():
        metadata = {"icc": b"not a real profile " * 20, "exif": b"Exif\0\0MM", "xmp": b"<x:xmpmeta/>"}
        raster = Raster(picture(8, 9, 3), picture(8, 9, 1, seed=1), metadata)
        path.write_bytes(encode(raster, EncodeOptions(psnr_db=38.0)).data)
        np.save(path.with_suffix(".npy"), decode(path.read_bytes()).to_array())


if __name__ == "__main__":
    main()
