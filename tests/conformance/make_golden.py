"""Makes the golden files that are not there yet. Existing ones are never touched: they define version 1 of the format.

    python tests/conformance/make_golden.py [--networks-changed]

To replace a file on purpose, delete it first, and say in CHANGELOG.md under "Format" why its bytes had to change.
--networks-changed makes all files of order 6 again: for a change of its shipped networks before their release.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np

import nfcodec
from nfcodec.codec import EncodeOptions, encode, verify
from nfcodec.coding.convolutional import parities
from nfcodec.coding.matrices import COLUMN_CODE
from nfcodec.coding.payload import encode_weights, orders
from nfcodec.exact.field import FieldSpec
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel, hash_levels
from nfcodec.fields.plan import default_ngp
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.format import HEADER, WEIGHTS, Header, write_chunks
from nfcodec.raster import Raster

FOLDER = Path(__file__).with_name("golden")
SLOPES = "slopes-"
"""How the names of files of order 6 start; frozen by SLOPES_DIGEST, which this script writes."""
SLOPES_DIGEST = FOLDER / "slopes.sha256"
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
    for rows, cols, size in ((1, 1, (24, 20)), (2, 3, (37, 41)), (3, 1, (31, 17)), (5, 4, (5, 4))):
        tiled = TiledSiren(rows, cols, tuple(8 + i % 5 for i in range(rows * cols)), hidden_layers=2)
        options = {"field": tiled, "psnr": 26.0, "effort": 1}
        found[f"tiled-siren-{rows}x{cols}"] = picture(*size, 3 if cols > 1 else 1), options
    found["tiled-siren-inversion"] = rgb, {
        "field": TiledSiren(1, 2, (9, 7), 0), "psnr": 20.0, "effort": 1, "transform": "inversion",
    }  # fmt: skip
    encoded = {"psnr": 26.0, "max_steps": 400}
    found["siren-encoded"] = rgb, {"field": Siren(14, 2, frequencies=5), **encoded}
    found["siren-encoded-1x1"] = picture(1, 1, 3), {"field": Siren(8, 0, frequencies=16), **encoded}
    found["siren-encoded-1x31"] = picture(1, 31, 1), {"field": Siren(1, 3, frequencies=1), **encoded, "psnr": 5.0}
    found["tiled-siren-encoded"] = picture(37, 41, 3), {"field": TiledSiren(2, 2, (8, 12, 16, 9), 3, 8), **encoded}
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
    found["ngp-rgb-rpp-61x67"] = picture(61, 67, 3), {"psnr": 46.0, "transform": "rpp", "seed": 12}
    found["ngp-rgb-rpp-trellis"] = picture(59, 71, 3), {"psnr": 41.0, "transform": "rpp", "seed": 13}
    found["ngp-gray-rpp-trellis"] = picture(61, 53, 1), {"psnr": 41.0, "transform": "rpp", "seed": 14}
    found["ngp-rgb-sympower"] = rgb, {"psnr": 40.0, "transform": "sympower"}
    found["ngp-gray16-sympower+rpp"] = picture(24, 20, 1, 16), {"psnr": 55.0, "transform": "sympower+rpp", "seed": 5}
    found["siren-gray-sympower"] = gray, {**siren, "psnr": 24.0, "transform": "inversion+sympower"}
    found["ngp-gray16-gamma2.2"] = picture(24, 20, 1, 16), {"psnr": 60.0, "transform": "gamma:2.2"}
    for image, options in found.values():
        if not any(name in str(options.get("transform")) for name in ("rpp", "zigzag")):
            options.setdefault("field", default_ngp(geometry_of(image)))
    return found


def geometry_of(image: np.ndarray) -> Geometry:
    """That of the colours of (H, W) or (H, W, 1 .. 4) samples."""
    return Geometry(image.shape[0], image.shape[1], 3 if image.ndim == 3 and image.shape[2] > 2 else 1)


def wavelet_cases() -> dict[str, tuple[np.ndarray, dict[str, object]]]:
    """Name to (image, options of nfcodec.encode), all with wavelet levels."""
    gray, rgb = picture(24, 20, 1), picture(20, 24, 3)
    found: dict[str, tuple[np.ndarray, dict[str, object]]] = {
        "gray": (gray, {"psnr": 45.0}),
        "rgb": (rgb, {"psnr": 40.0}),
        "rgba": (picture(13, 15, 4), {"psnr": 38.0}),
        "gray16": (picture(24, 20, 1, 16), {"psnr": 75.0}),
        "rgb16": (picture(11, 14, 3, 16), {"psnr": 90.0}),
        "primes": (picture(31, 37, 3), {"psnr": 36.0}),
        "1x1": (picture(1, 1, 3), {"psnr": 40.0}),
        "1x1-gray16": (picture(1, 1, 1, 16), {"psnr": 60.0}),
        "1x31": (picture(1, 31, 3), {"psnr": 40.0}),
        "29x1": (picture(29, 1, 1), {"psnr": 40.0}),
        "lossless": (picture(16, 16, 3), {"psnr": 120.0}),
        "lossless16": (picture(15, 14, 1, 16), {"psnr": 150.0}),
        "filters": (picture(96, 80, 3, seed=4), {"psnr": 34.0}),
        "standardize": (rgb, {"psnr": 40.0, "transform": "standardize"}),
        "gamma2.2+inversion": (gray, {"psnr": 40.0, "transform": "gamma:2.2+inversion"}),
        "rpp": (rgb, {"psnr": 34.0, "transform": "rpp", "seed": 5, "field": wavelets(3, 3)}),
    }
    for n_levels in (0, 1, 7):
        for name, image in (("15x18", picture(15, 18, 3)), ("1x13", picture(1, 13, 1))):
            options = {"psnr": 36.0, "field": wavelets(n_levels, geometry_of(image).channels)}
            found[f"{n_levels}-levels-{name}"] = image, options
    return {SLOPES + name: case for name, case in found.items()}


def lossless_cases() -> dict[str, tuple[np.ndarray, dict[str, object]]]:
    """Name to (image, options of nfcodec.encode), all with a residual."""
    found: dict[str, tuple[np.ndarray, dict[str, object]]] = {
        f"{SLOPES}residual-rgb": (picture(20, 24, 3), {}),
        f"{SLOPES}residual-gray": (picture(24, 20, 1), {"transform": "inversion+gamma:2"}),
        f"{SLOPES}residual-rgba16": (picture(11, 14, 4, 16), {}),
        "residual-rpp": (picture(19, 23, 3), {"transform": "rpp", "seed": 9}),
        "residual-siren": (picture(23, 19, 1), {"field": TINY_SIREN, "max_steps": 50}),
        "residual-coarse": (edges(), {"field": TINY_SIREN, "max_steps": 3}),
    }
    return {name: (image, {"lossless": True, **options}) for name, (image, options) in found.items()}


def edges() -> np.ndarray:
    """Black and white, where samples end."""
    return (np.indices((17, 15, 3)).sum(axis=0) % 7 > 3).astype(np.uint8) * 255


def wavelets(n_levels: int, features: int) -> Ngp:
    """The least that can be fitted."""
    return Ngp((WaveletLevel(n_levels, features),), hidden=(), bias=True, skip=True)


def crafted_cases() -> dict[str, tuple[FieldSpec, Geometry, float, int]]:
    """Name to a field, its picture's geometry, the size of the symbols of its grid, and the regime: what no fit has.

    For SIRENs the size of some symbols over that of the others instead.
    """
    eight = (WaveletLevel(3, 8),)
    uneven = Ngp((DenseLevel(1, 2), DenseLevel(0, 4)), hidden=(), bias=True, skip=True)
    return {
        "matrices-siren": (Siren(9, 2, frequencies=3), Geometry(11, 14, 3), 1.0, 0),
        "matrices-tiles": (TiledSiren(2, 1, (12, 7), 2, 2), Geometry(13, 9, 1), 1.0, 0),
        "matrices-escapes": (Siren(5, 1), Geometry(6, 7, 3), 2.0**12, 0),
        "coded-siren": (Siren(9, 2, frequencies=3), Geometry(11, 14, 3), 1.0, 0),
        "coded-tiles": (TiledSiren(2, 1, (12, 7), 2, 2), Geometry(13, 9, 1), 1.0, 0),
        "coded-escapes": (Siren(5, 1), Geometry(6, 7, 3), 2.0**12, 0),
        "nested": (uneven, Geometry(23, 19, 3), 20.0, 0),
        "nested-wide": (uneven, Geometry(14, 11, 3), 900.0, 0),
        "trellis": (uneven, Geometry(31, 33, 3), 20.0, 0),
        "trellis-wide": (uneven, Geometry(14, 11, 3), 900.0, 0),
        "slopes-features": (Ngp(eight, hidden=(), skip=True), Geometry(11, 9, 3), 6.0, 60),
        "slopes-hidden": (Ngp(eight, hidden=(7, 5), bias=True), Geometry(7, 11, 1), 20.0, 0),
        "slopes-shifts": (wavelets(2, 1), Geometry(19, 18, 1), 3000.0, 255),
        "slopes-escapes": (wavelets(2, 3), Geometry(10, 9, 3), 2.0**19, 255),
        "slopes-filters-rgb": (filtered(4, 3, 20, skip=True), Geometry(17, 13, 3), 8.0, 88),
        "slopes-filters-gray": (filtered(3, 1, 128, skip=True), Geometry(13, 18, 1), 8.0, 88),
        "slopes-filters-alone": (filtered(2, 2, 7, 4, bias=False), Geometry(6, 12, 3), 9.0, 100),
        "slopes-filters-1x9": (filtered(1, 1, 16, skip=True), Geometry(1, 9, 1), 9.0, 88),
        "slopes-filters-3x1": (filtered(0, 3, 5, skip=True), Geometry(3, 1, 3), 9.0, 88),
    }  # fmt: skip


def filtered(n_levels: int, features: int, *hidden: int, skip: bool = False, bias: bool = True) -> Ngp:
    """A wavelet level behind the filters that ship with the package."""
    return Ngp((WaveletLevel(n_levels, features),), hidden=hidden, bias=bias, skip=skip, shipped=True)


def crafted(spec: FieldSpec, geometry: Geometry, size: float, regime: int, *, on_path: bool = False) -> bytes:
    """A file of a field with random symbols: Laplace-distributed ones in the grids, some of them far out.

    Steps are such that outputs are of the order of 1.
    """
    rng, layout = np.random.default_rng(0), spec.layout(geometry)
    symbols, steps = {}, b""
    for tensor in layout:
        if tensor.name.startswith("level"):
            values = rng.laplace(0, size, tensor.shape) * rng.choice([1, 1, 1, 9], tensor.shape)
            values = np.clip(values, -(2.0**24), 2.0**24)
            step = size * (8 if spec.bias else 1)
        else:
            values, step = rng.normal(0, 60, tensor.shape), 60 * np.sqrt(tensor.size / tensor.shape[0])
            if isinstance(spec, Siren):
                values *= rng.choice([1] * 15 + [size], tensor.shape)
            if tensor.differences and len(steps) % 8 == 2:
                values = np.sort(np.abs(values))
        symbols[tensor.name] = np.round(values).astype(np.int64)
        if on_path and tensor.name.startswith("level"):
            symbols[tensor.name] = with_parities(symbols[tensor.name], rng, len(steps) // 2 % 2)
        elif on_path and isinstance(spec, Siren | TiledSiren) and len(tensor.shape) == 2:
            symbols[tensor.name] = with_column_parities(symbols[tensor.name], rng)
        steps += bytes([128 + len(steps), (-8 - round(np.log2(step))) % 256])
    if "bias_out" in symbols:
        symbols["bias_out"][:] = 60
    header = Header(
        encoder_version=(0, 0, 0), width=geometry.width, height=geometry.height, channels=geometry.channels, depth=8,
        alpha=False, metadata=0, target_psnr_db=0.0, psnr_db=0.0, digest=bytes(8), field_id=spec.wire_id,
        field=spec.pack(), chain=b"\0", steps=steps,
    )  # fmt: skip
    payload = encode_weights(layout, orders(layout, symbols)[-1], symbols, regime)
    digest = verify(write_chunks({HEADER: header.pack(), WEIGHTS: payload})).digest
    return write_chunks({HEADER: replace(header, digest=bytes.fromhex(digest)).pack(), WEIGHTS: payload})


def with_parities(symbols: np.ndarray, rng: np.random.Generator, code: int) -> np.ndarray:
    """The same symbols or ones next to them, with the parities of a random path through a code."""
    path = rng.integers(0, 2, -(-symbols.size // 3)).astype(np.uint8)
    return 2 * (symbols >> 1) + parities(path, code).reshape(-1)[: symbols.size].reshape(symbols.shape)


def with_column_parities(symbols: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same symbols or ones next to them, with the parities of a random path, column after column."""
    n_rows, n_cols = symbols.shape
    path = rng.integers(0, 2, n_cols * -(-n_rows // 3)).astype(np.uint8)
    columns = parities(path, COLUMN_CODE, len(path)).reshape(n_cols, -1)[:, :n_rows]
    return 2 * (symbols >> 1) + np.transpose(columns)


def is_missing(name: str) -> bool:
    """Whether a file is still to be made."""
    return not (FOLDER / f"{name}.nfc").exists()


def save(name: str, data: bytes) -> None:
    """Write a file and its samples."""
    path = FOLDER / f"{name}.nfc"
    path.write_bytes(data)
    np.save(path.with_suffix(".npy"), nfcodec.decode_array(data))
    print(f"{name}: {len(data)} bytes, {nfcodec.open(path).info.psnr_db:.2f} dB", flush=True)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    if "--networks-changed" in sys.argv[1:]:
        for path in list(FOLDER.glob(f"{SLOPES}*")):
            path.unlink()
    for name, (image, options) in {**cases(), **wavelet_cases(), **lossless_cases()}.items():
        if is_missing(name):
            save(name, nfcodec.encode(image, best_effort=True, **options))
    for name, arguments in crafted_cases().items():
        if is_missing(name):
            save(name, crafted(*arguments, on_path=name.startswith(("trellis", "coded"))))
    if is_missing("ngp-metadata"):
        metadata = {"icc": b"not a real profile " * 20, "exif": b"Exif\0\0MM", "xmp": b"<x:xmpmeta/>"}
        raster = Raster(picture(8, 9, 3), picture(8, 9, 1, seed=1), metadata)
        options = EncodeOptions(psnr_db=38.0, field=default_ngp(Geometry(8, 9, 3)))
        save("ngp-metadata", encode(raster, options).data)
    files = sorted(FOLDER.glob(f"{SLOPES}*.nfc"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    SLOPES_DIGEST.write_text(f"{digest}\n", encoding="ascii")


if __name__ == "__main__":
    main()
