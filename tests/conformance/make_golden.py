"""Makes the golden files that are not there yet. Existing ones are never touched: they define version 1 of the format.

    python tests/conformance/make_golden.py [--anew]

To replace a file on purpose, delete it first, and say in CHANGELOG.md under "Format" why its bytes had to change.
--anew deletes them all, for a change of the format before its release. DIGEST, which this script writes, freezes them.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import nfcodec
from nfcodec.codec import verify
from nfcodec.coding.convolutional import parities
from nfcodec.coding.matrices import COLUMN_CODE
from nfcodec.coding.payload import CODED, encode_payload
from nfcodec.coding.planes import encode_planes
from nfcodec.exact.arithmetic import MAX_SYMBOL, Step
from nfcodec.exact.field import Role, Tensor
from nfcodec.fields import (
    Field,
    Geometry,
    Grid,
    HashLevel,
    Ngp,
    Pyramid,
    Samples,
    Siren,
    Table,
    TiledSiren,
    Wavelet,
    hash_levels,
)
from nfcodec.fields.grid.synthesis import UNIT_STEP
from nfcodec.format import ALPHA, HEADER, WEIGHTS, Header, write_chunks
from nfcodec.raster import Raster
from nfcodec.transforms import Chain, parse_chain

FOLDER = Path(__file__).with_name("golden")
DIGEST = FOLDER / "golden.sha256"

Case = tuple[np.ndarray, dict[str, Any]]
"""An image, and options of nfcodec.encode."""


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


GRAY, RGB = picture(24, 20, 1), picture(20, 24, 3)


def wavelet_cases() -> dict[str, Case]:
    """All sizes, depths and numbers of levels, and filters."""
    metadata = {"icc": b"not a real profile " * 20, "exif": b"Exif\0\0MM", "xmp": b"<x:xmpmeta/>"}
    found: dict[str, Case] = {
        "gray": (GRAY, {"psnr": 45.0}),
        "rgb": (RGB, {"psnr": 40.0}),
        "rgba": (picture(13, 15, 4), {"psnr": 38.0}),
        "gray16": (picture(24, 20, 1, 16), {"psnr": 75.0}),
        "primes": (picture(31, 37, 3), {"psnr": 36.0}),
        "1x1-gray16": (picture(1, 1, 1, 16), {"psnr": 60.0}),
        "1x31": (picture(1, 31, 3), {"psnr": 40.0}),
        "29x1": (picture(29, 1, 1), {"psnr": 40.0}),
        "gray16-150dB": (picture(15, 14, 1, 16), {"psnr": 150.0}),
        "filters": (picture(96, 80, 3, seed=4), {"psnr": 34.0}),
        "standardize": (RGB, {"psnr": 40.0, "transform": "standardize"}),
        "rpp": (RGB, {"psnr": 34.0, "transform": "rpp", "seed": 5, "field": Wavelet(3)}),
        "0-levels": (picture(15, 18, 3), {"psnr": 36.0, "field": Wavelet(0)}),
        "7-levels": (picture(15, 18, 3), {"psnr": 36.0, "field": Wavelet(7)}),
        "7-levels-1x13": (picture(1, 13, 1), {"psnr": 36.0, "field": Wavelet(7)}),
        "metadata": (Raster(picture(8, 9, 3), picture(8, 9, 1, seed=1), metadata), {"psnr": 38.0}),
    }
    return {f"wavelet-{name}": (image, {"field": "wavelet", **options}) for name, (image, options) in found.items()}


def table_cases() -> dict[str, Case]:
    """Permutations and their compositions; large enough ones for many batches, and for parities of a path."""
    found: dict[str, Case] = {
        "rgb-rpp": (RGB, {"psnr": 40.0, "transform": "rpp", "seed": 2**63 + 7}),
        "rgb-gamma2.2+inversion+rpp": (RGB, {"psnr": 40.0, "transform": "gamma:2.2+inversion+rpp"}),
        "rgb-rpp+zigzag": (RGB, {"psnr": 40.0, "transform": "rpp+zigzag"}),
        "gray-zigzag+zigzag": (picture(19, 21, 1, seed=2), {"psnr": 36.0, "transform": "zigzag+zigzag"}),
        "gray-rpp-137x131": (picture(137, 131, 1), {"psnr": 24.0, "transform": "rpp", "seed": 11}),
        "rgb-rpp-61x67": (picture(61, 67, 3), {"psnr": 46.0, "transform": "rpp", "seed": 12}),
        "rgb-rpp-path": (picture(59, 71, 3), {"psnr": 41.0, "transform": "rpp", "seed": 13}),
        "gray-rpp-path": (picture(61, 53, 1), {"psnr": 41.0, "transform": "rpp", "seed": 14}),
        "gray16-sympower+rpp": (picture(24, 20, 1, 16), {"psnr": 55.0, "transform": "sympower+rpp"}),
        "1x1": (picture(1, 1, 3), {"psnr": 40.0}),
    }
    return {f"table-{name}": (image, {"field": Table(), **options}) for name, (image, options) in found.items()}


def pyramid_cases() -> dict[str, Case]:
    """Sizes and depths again, and all value maps."""
    five = {"field": Pyramid(4)}
    found: dict[str, Case] = {
        "rgb": (RGB, {"psnr": 40.0, **five}),
        "gray-alpha": (picture(17, 23, 2), {"psnr": 38.0, **five}),
        "rgba16": (picture(13, 19, 4, 16), {"psnr": 60.0, "field": Pyramid(3)}),
        "1x1": (picture(1, 1, 3), {"psnr": 40.0, "field": Pyramid(0)}),
        "29x1": (picture(29, 1, 1), {"psnr": 40.0, "field": Pyramid(7)}),
        "primes": (picture(31, 37, 3), {"psnr": 36.0, **five}),
        "hidden": (picture(64, 64, 3), {"psnr": 38.0, "field": Pyramid(5, 16), "effort": 2}),
        "120dB": (picture(16, 16, 3), {"psnr": 120.0, "field": Pyramid(3)}),
        "rgb-zigzag": (RGB, {"psnr": 40.0, "transform": "zigzag", **five}),
        "gray16-gamma2.2": (picture(24, 20, 1, 16), {"psnr": 60.0, "transform": "gamma:2.2", **five}),
    }
    for chain in ("inversion", "scale:0.5", "sympower"):
        found[f"rgb-{chain.replace(':', '')}"] = RGB, {"psnr": 40.0, "transform": chain, **five}
    for chain in ("center:1+gamma:2", "gamma:2+gamma:0.5", "standardize+gamma:3"):
        options = {"psnr": 36.0, "transform": chain, **five}
        found[f"gray-{chain.replace(':', '')}"] = picture(19, 21, 1, seed=2), options
    return {f"pyramid-{name}": case for name, case in found.items()}


def network_cases() -> dict[str, Case]:
    """SIRENs, with frequencies and in tiles, and Instant-NGP's fields."""
    tiny, encoded = {"field": Siren(24, 2), "psnr": 28.0, "max_steps": 400}, {"psnr": 26.0, "max_steps": 400}
    found: dict[str, Case] = {
        "siren-rgb": (RGB, tiny),
        "siren-gray": (GRAY, tiny),
        "siren-1x1": (picture(1, 1, 3), {**tiny, "field": Siren(8, 0)}),
        "siren-1x31": (picture(1, 31, 1), tiny),
        "siren-rgba16": (picture(11, 13, 4, 16), tiny),
        "siren-gray-inversion+sympower": (GRAY, {**tiny, "psnr": 24.0, "transform": "inversion+sympower"}),
        "siren-gray-gamma2.2+inversion+rpp": (
            GRAY, {**tiny, "psnr": 24.0, "transform": "gamma:2.2+inversion+rpp", "seed": 7},
        ),
        "siren-frequencies": (RGB, {"field": Siren(14, 2, frequencies=5), **encoded}),
        "siren-frequencies-1x1": (picture(1, 1, 3), {"field": Siren(8, 0, frequencies=16), **encoded}),
        "siren-frequencies-1x31": (
            picture(1, 31, 1), {"field": Siren(1, 3, frequencies=1), **encoded, "psnr": 5.0},
        ),
        "tiled-frequencies": (picture(37, 41, 3), {"field": TiledSiren(2, 2, (8, 12, 16, 9), 3, 8), **encoded}),
        "tiled-inversion": (
            RGB, {"field": TiledSiren(1, 2, (9, 7), 0), "psnr": 20.0, "effort": 1, "transform": "inversion"},
        ),
    }  # fmt: skip
    for rows, cols, size in ((1, 1, (24, 20)), (2, 3, (37, 41)), (5, 4, (5, 4))):
        tiled = TiledSiren(rows, cols, tuple(8 + i % 5 for i in range(rows * cols)), hidden_layers=2)
        options = {"field": tiled, "psnr": 26.0, "effort": 1}
        found[f"tiled-{rows}x{cols}"] = picture(*size, 3 if cols > 1 else 1), options
    hashed = {"field": Ngp(hash_levels(4, 2, 8, 4, 1.6), hidden=(16, 16)), "psnr": 28.0, "max_steps": 600}
    features = tuple(HashLevel(3.25 * n, int(np.ceil(3.25 * n)) + 1, 32, n) for n in (1, 4, 8))
    found["ngp-rgb"] = RGB, hashed
    found["ngp-features"] = RGB, {**hashed, "field": Ngp(features, hidden=(8,))}
    found["ngp-gray-rpp"] = GRAY, {**hashed, "psnr": 24.0, "transform": "rpp"}
    found["ngp-sized-rgb"] = picture(27, 34, 3), {"field": "ngp", "psnr": 34.0, "effort": 1}
    found["ngp-sized-1x31"] = picture(1, 31, 1), {"field": "ngp", "psnr": 36.0, "effort": 1}
    return found


def residual_cases() -> dict[str, Case]:
    """Without loss, over all kinds of fields."""
    edges = (np.indices((17, 15, 3)).sum(axis=0) % 7 > 3).astype(np.uint8) * 255  # black and white, where samples end
    found: dict[str, Case] = {
        "rgb": (RGB, {}),
        "gray": (GRAY, {"transform": "inversion+gamma:2"}),
        "rgba16": (picture(11, 14, 4, 16), {}),
        "1x31": (picture(1, 31, 3), {}),
        "29x1": (picture(29, 1, 1), {}),
        "rpp": (picture(19, 23, 3), {"transform": "rpp", "seed": 9}),
        "siren": (picture(23, 19, 1), {"field": Siren(24, 2), "max_steps": 50}),
        "coarse": (edges, {"field": Siren(24, 2), "max_steps": 3}),
    }
    return {f"residual-{name}": (image, {"lossless": True, **options}) for name, (image, options) in found.items()}


def samples_cases() -> dict[str, Case]:
    """Numbers of one and of two bytes, all axes and layouts of differences, bodies with and without a frame."""
    noise = np.random.default_rng(3)
    steep = np.add.outer(np.arange(21) * 700, np.arange(24) * 1300)  # differences wrap
    tones = np.stack([steep % 977, (steep + 40) % 977, steep % 601], axis=2)
    bars = np.tile((np.arange(30) // 7 % 2 * 255).astype(np.uint8), (26, 1))
    found: dict[str, Case] = {
        "gray": (bars, {}),
        "rgb": (np.repeat(RGB[:, :, :1] // 64 * 64 + 9, 3, axis=2), {}),
        "rgb16": ((tones * 67).astype(np.uint16), {}),
        "gray16": (np.cumsum(np.cumsum(np.full((18, 25), 3), axis=0), axis=1).astype(np.uint16), {}),
        "noise": (noise.integers(0, 256, (13, 11, 3)).astype(np.uint8), {"transform": "rpp", "seed": 3}),
        "noise16": (noise.integers(0, 1 << 16, (12, 7)).astype(np.uint16), {"transform": "inversion+gamma:2"}),
        "rgba": (np.dstack([picture(14, 17, 3) // 9 * 9, noise.integers(0, 256, (14, 17))]).astype(np.uint8), {}),
        "rgb-zigzag+zigzag": (noise.integers(0, 2, (15, 12, 3)).astype(np.uint8) * 200, {"transform": "zigzag+zigzag"}),
        "1x1": (picture(1, 1, 3), {}),
        "1x31": (picture(1, 31, 1), {"transform": "standardize"}),
    }
    return {f"samples-{name}": (image, {"field": "samples", **options}) for name, (image, options) in found.items()}


@dataclass(frozen=True)
class Crafted:
    """A file with random symbols, in each order that the field has: what no fit has.

    Attributes:
        size: of the symbols of tables; of some of a network's symbols over that of the others.
        regime: of wavelet coefficients.
        gain: what such a symbol of a table amounts to.
        transform: the chain; without parameters that come from a picture.
    """

    field: Field
    geometry: Geometry
    size: float = 1.0
    regime: int = 0
    gain: float = 0.125
    depth: int = 8
    alpha: bool = False
    transform: str = "none"


def crafted_cases() -> dict[str, Crafted]:
    """By name."""
    levels = (  # on the lattice but for the third, which wraps, and the last, which is hashed; the fifth has gaps
        HashLevel(0.375, 2, 8, 4), HashLevel(2.5, 4, 16, 1), HashLevel(3.0, 4, 16, 2), HashLevel(6.5, 8, 64, 8),
        HashLevel(40.5, 42, 1768, 2), HashLevel(40.0, 41, 64, 8),
    )  # fmt: skip
    return {
        "siren": Crafted(Siren(9, 2, frequencies=3), Geometry(11, 14, 3)),
        "siren-escapes": Crafted(Siren(5, 1), Geometry(6, 7, 3), 2.0**12),
        "tiled": Crafted(TiledSiren(2, 1, (12, 7), 2, 2), Geometry(13, 9, 1)),
        "ngp-levels": Crafted(Ngp(levels, hidden=(6, 5, 4)), Geometry(9, 13, 3), 20.0, gain=8.0),
        "ngp-levels-7x1": Crafted(Ngp(levels[:4], hidden=(3,)), Geometry(7, 1, 1), 900.0, gain=8.0),
        "pyramid-random": Crafted(Pyramid(2, 5), Geometry(37, 31, 3), 20.0),
        "samples-wide": Crafted(Samples(), Geometry(12, 13, 3), 2.0**16, gain=2.0**-12),
        "table-wide": Crafted(Table(), Geometry(14, 11, 3), 900.0),
        "wavelet-shifts": Crafted(Wavelet(2), Geometry(19, 18, 1), 3000.0, 255),
        "wavelet-escapes": Crafted(Wavelet(2), Geometry(10, 9, 3), 2.0**19, 255),
        "wavelet-filters-rgb": Crafted(Wavelet(4, 20), Geometry(17, 13, 3), 8.0, 60),
        "wavelet-filters-gray": Crafted(Wavelet(3, 128), Geometry(13, 18, 1), 8.0, 88),
        "wavelet-filters-1x9": Crafted(Wavelet(1, 16), Geometry(1, 9, 1), 9.0, 0),
        "wavelet-filters-3x1": Crafted(Wavelet(0, 5), Geometry(3, 1, 3), 9.0, 100),
        "grid": Crafted(Grid(), Geometry(37, 29, 3)),
        "grid-gray": Crafted(Grid(5, 2, 10, 4, 16), Geometry(26, 33, 1), 0.4),
        "grid-1x1": Crafted(Grid(7, 3, 6, 2, 8), Geometry(1, 1, 3), 3.0),
        "grid-1x31": Crafted(Grid(4, 1, 14, 3, 9), Geometry(1, 31, 1), 2.0),
        "grid-29x1": Crafted(Grid(6, 2, 9, 1, 5), Geometry(29, 1, 3), 2.0),
        "grid-1-level": Crafted(Grid(1, 0, 1, 0, 1), Geometry(7, 9, 3), 2.0),
        "grid-2-levels": Crafted(Grid(2, 0, 12, 16, 3), Geometry(13, 8, 1), 2.0),
        "grid-12-levels": Crafted(Grid(12, 9, 14, 0, 4), Geometry(5, 6, 3), 0.7),
        "grid-escapes": Crafted(Grid(4, 1, 2, 1, 4), Geometry(16, 17, 3), 40.0),
        "grid-far-escapes": Crafted(Grid(1, 0, 1, 0, 1), Geometry(9, 11, 1), 3000.0),
        "grid-rgba16": Crafted(Grid(5, 1, 14, 6, 12), Geometry(15, 18, 3), depth=16, alpha=True),
        "grid-inversion+gamma2": Crafted(Grid(4, 1), Geometry(14, 19, 3), transform="inversion+gamma:2"),
    }


def crafted_files() -> Iterable[tuple[str, Crafted, int]]:
    """The name, the case and the order of each file."""
    for name, case in crafted_cases().items():
        orders = case.field.orders(case.geometry)
        for order in orders:
            yield f"{name}-order{order}" if len(orders) > 1 else name, case, order


def crafted(case: Crafted, order: int) -> bytes:
    """Symbols are Laplace-distributed ones in tables, some of them far out; steps make outputs of the order of 1."""
    rng, layout, geometry = np.random.default_rng(0), case.field.layout(case.geometry), case.geometry
    symbols, steps = {}, []
    for i, tensor in enumerate(layout):
        if tensor.role is Role.TABLE:
            values = rng.laplace(0, case.size, tensor.shape) * rng.choice([1, 1, 1, 9], tensor.shape)
            values, step = np.clip(values, -MAX_SYMBOL, MAX_SYMBOL), case.size / case.gain
        else:
            values, step = rng.normal(0, 60, tensor.shape), 60 * np.sqrt(max(1, math.prod(tensor.shape[1:])))
            if isinstance(case.field, Siren):
                values *= rng.choice([1] * 15 + [case.size], tensor.shape)
            if isinstance(case.field, TiledSiren) and tensor.role is Role.BIAS and i % 4 == 1:
                values = np.sort(np.abs(values))  # whose differences rise
        symbols[tensor.name] = with_parities(np.round(values).astype(np.int64), tensor, order, rng)
        steps.append(UNIT_STEP if tensor.name == "latents" else Step(128 + 2 * i, -8 - round(np.log2(step))))
    for name in ("bias_out", "offset"):
        if name in symbols:
            symbols[name][:] = 60
    field, regime = case.field, [case.regime] if isinstance(case.field, Wavelet) else []
    named = {tensor.name: step for tensor, step in zip(layout, steps, strict=True)}
    chunks = {WEIGHTS: encode_payload(order, field.parts(geometry, order, *regime), symbols, named)}
    if case.alpha:
        alpha = rng.integers(0, 1 << case.depth, (geometry.height, geometry.width))
        chunks[ALPHA] = encode_planes([alpha], case.depth)
    header = Header(
        encoder_version=(0, 0, 0), width=geometry.width, height=geometry.height, channels=geometry.channels,
        depth=case.depth, alpha=case.alpha, metadata=0, stepped=False, target_psnr_db=0.0, psnr_db=0.0,
        digest=bytes(8), field_id=field.wire_id, field=field.pack(),
        chain=Chain.prepare(parse_chain(case.transform), np.zeros((1, 1, 1), np.uint8), 0).pack(), steps=steps,
    )  # fmt: skip
    digest = verify(write_chunks({HEADER: header.pack(), **chunks})).digest
    return write_chunks({HEADER: replace(header, digest=bytes.fromhex(digest)).pack(), **chunks})


def with_parities(symbols: np.ndarray, tensor: Tensor, order: int, rng: np.random.Generator) -> np.ndarray:
    """The same symbols, or ones next to them with the parities of a random path if the order is of such ones."""
    if order == CODED and tensor.role is Role.TABLE:
        path = rng.integers(0, 2, -(-symbols.size // 3)).astype(np.uint8)
        parity = parities(path, int(rng.integers(2))).reshape(-1)[: symbols.size].reshape(symbols.shape)
    elif order == CODED and tensor.role is Role.MATRIX:  # column after column
        n_rows, n_cols = symbols.shape
        path = rng.integers(0, 2, n_cols * -(-n_rows // 3)).astype(np.uint8)
        parity = parities(path, COLUMN_CODE, len(path)).reshape(n_cols, -1)[:, :n_rows].T
    else:
        return symbols
    return 2 * (symbols >> 1) + parity


def digest_of_all() -> str:
    """The SHA-256 of the names and bytes of all golden files."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.nfc")):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    if "--anew" in sys.argv[1:]:
        for path in [*FOLDER.glob("*.nfc"), *FOLDER.glob("*.npy")]:
            path.unlink()
    fits = {**wavelet_cases(), **table_cases(), **pyramid_cases(), **network_cases(), **residual_cases()}
    fits |= samples_cases()
    makers = {
        name: lambda image=image, options=options: nfcodec.encode(image, best_effort=True, **options)
        for name, (image, options) in fits.items()
    }
    for name, case, order in crafted_files():
        makers[name] = lambda case=case, order=order: crafted(case, order)
    for name, make in makers.items():
        path = FOLDER / f"{name}.nfc"
        if not path.exists():
            data = make()
            path.write_bytes(data)
            np.save(path.with_suffix(".npy"), nfcodec.decode_array(data))
            print(f"{name}: {len(data)} bytes, {nfcodec.open(path).info.psnr_db:.2f} dB", flush=True)
    DIGEST.write_text(digest_of_all() + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
