"""Small encodes whose files must not change by a change of structure: their digests stand in encodes.json.

    python tests/conformance/encodes.py --record   # writes encodes.json anew, after a change meant to change files
    python tests/conformance/encodes.py NAME ...   # prints digests

A digest covers the whole content of a file but for the field's id and description, which say nothing about how it was
fitted. Fits are repeatable on one kind of processor with one version of each library that computes, so the digests are
compared only where those are the recorded ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy as np

import nfcodec
from nfcodec.fields import Ngp, hash_levels
from nfcodec.format import HEADER, Header, read_chunks
from nfcodec.limits import DEFAULT_LIMITS

RECORD = Path(__file__).with_name("encodes.json")
ROOT = Path(__file__).parents[2]


def picture(height: int, width: int, channels: int, depth: int = 8) -> np.ndarray:
    """Smooth shading, stripes, an edge and noise: (H, W) or (H, W, C) samples."""
    rng = np.random.default_rng(height * width + channels)
    y, x = np.mgrid[:height, :width]
    planes = [
        0.5 + 0.25 * np.sin(0.2 * x + c) * np.cos(0.13 * y - c) + 0.15 * (x > y + 5) + 0.06 * np.sin(0.9 * (x + y))
        for c in range(channels)
    ]
    image = np.stack(planes, axis=2) + rng.normal(0, 0.015, (height, width, channels))
    samples = np.clip(np.round(image * (2**depth - 1)), 0, 2**depth - 1).astype(np.uint16 if depth == 16 else np.uint8)
    return samples[:, :, 0] if channels == 1 else samples


def cases() -> dict[str, tuple[np.ndarray, dict[str, Any]]]:
    """Name to (image, options of nfcodec.encode): each family, goal and kind of chain."""
    gray, rgb = picture(48, 64, 1), picture(64, 72, 3)
    hashed = Ngp(hash_levels(4, 2, 8, 4, 1.6), hidden=(16, 16))
    return {
        "wavelet-psnr": (picture(96, 112, 3), {"psnr": 36.0, "effort": 2}),
        "wavelet-psnr-standardize": (gray, {"psnr": 40.0, "effort": 4, "transform": "standardize"}),
        "wavelet-psnr-many-fits": (picture(40, 48, 3), {"psnr": 38.0, "effort": 6, "max_steps": 400}),
        "wavelet-size": (rgb, {"size": 2200, "effort": 2}),
        "wavelet-lossless": (picture(40, 48, 3), {"lossless": True, "field": "wavelet", "effort": 2}),
        "wavelet-psnr-16-bits": (picture(32, 40, 1, 16), {"psnr": 60.0, "effort": 2}),
        "table-psnr-rpp": (rgb, {"psnr": 38.0, "transform": "rpp"}),
        "table-psnr-rpp-gray": (gray, {"psnr": 42.0, "transform": "gamma:2+rpp", "effort": 7}),
        "table-size-rpp": (rgb, {"size": 9000, "transform": "rpp", "effort": 3}),
        "table-lossless-rpp": (picture(30, 40, 3), {"lossless": True, "transform": "rpp"}),
        "pyramid-psnr-zigzag": (rgb, {"psnr": 38.0, "transform": "zigzag", "effort": 2}),
        "siren-psnr": (gray, {"psnr": 36.0, "field": "siren", "effort": 3}),
        "siren-psnr-rpp": (picture(40, 40, 1), {"psnr": 34.0, "field": "siren", "transform": "rpp", "effort": 2}),
        "siren-lossless": (picture(24, 32, 3), {"lossless": True, "field": "siren", "effort": 1}),
        "siren-tiles": (picture(128, 144, 3), {"psnr": 24.0, "field": "siren", "effort": 1}),
        "siren-tiles-size": (picture(96, 96, 1), {"size": 700, "field": "siren", "effort": 1}),
        "ngp-psnr": (picture(32, 32, 3), {"psnr": 30.0, "field": hashed, "max_steps": 600, "effort": 3}),
        "ngp-psnr-rpp": (
            picture(32, 32, 1),
            {"psnr": 24.0, "field": hashed, "transform": "rpp", "max_steps": 3000, "effort": 1},
        ),
        "ngp-sized-psnr": (picture(40, 48, 3), {"psnr": 36.0, "field": "ngp", "effort": 1}),
        "ngp-sized-psnr-rpp": (picture(40, 48, 1), {"psnr": 40.0, "field": "ngp", "transform": "rpp", "effort": 1}),
    }


def digest_of(name: str) -> str:
    """The SHA-256 of what a case's file says, without the field's id and description."""
    image, options = cases()[name]
    chunks = read_chunks(nfcodec.encode(image, **options))
    header = Header.unpack(chunks[HEADER], DEFAULT_LIMITS)
    steps = [(step.mantissa, step.exponent) for step in header.steps]
    facts = (
        header.width, header.height, header.channels, header.depth, header.alpha, header.metadata,
        header.target_psnr_db, header.psnr_db, header.digest.hex(), header.chain.hex(), steps,
    )  # fmt: skip
    digest = hashlib.sha256(repr(facts).encode())
    for kind, payload in chunks.items():
        if kind != HEADER:
            digest.update(kind + len(payload).to_bytes(4, "little") + payload)
    return digest.hexdigest()


def machine() -> dict[str, str]:
    """What fits depend on: the processor's instructions, and who computes with them."""
    features = sorted(name for name, there in llvmlite.binding.get_host_cpu_features().items() if there)
    return {
        "processor": hashlib.sha256(" ".join(features).encode()).hexdigest()[:16],
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


def digests(names: Sequence[str]) -> dict[str, str]:
    """Of some cases, in a process of its own that has compiled nothing itself.

    Kernels that a process has just compiled can give other last bits than the same ones from numba's cache, so the
    cases are encoded by a second process that finds them there.
    """
    command = [sys.executable, __file__, *names]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        record = {"machine": machine(), "digests": digests(list(cases()))}
        RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="ascii")
    else:
        print(json.dumps({name: digest_of(name) for name in sys.argv[1:]}))
