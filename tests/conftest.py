from __future__ import annotations

import os

# The pictures in these tests are so small that threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from nfcodec.fitting.engines import has_cuda_device

if not has_cuda_device():  # Triton's kernels then run in its interpreter; it wants to know before it is imported
    os.environ["TRITON_INTERPRET"] = "1"

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nfcodec.exact.arithmetic import OUTPUT_BITS
from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.problem import Problem
from nfcodec.lazy import load
from nfcodec.transforms import Chain, parse_chain
from tests import browsing


@pytest.fixture
def make_problem():
    """Make the problem of fitting a field to a smooth picture with some noise."""

    def make(field, height: int = 24, width: int = 20, channels: int = 3, transform: str = "none", depth: int = 8):
        rng = np.random.default_rng(0)
        y, x = np.mgrid[0:height, 0:width]
        planes = [120 + 60 * np.sin(x / (4 + c)) * np.cos(y / 6) + 3 * x - 2 * y for c in range(channels)]
        noisy = np.stack(planes, axis=2) + rng.normal(0, 3, (height, width, channels))
        unit = ((1 << depth) - 1) / 255
        samples = (noisy.clip(0, 255) * unit).astype(np.uint8 if depth == 8 else np.uint16)
        chain = Chain.prepare(parse_chain(transform), samples, 0)
        value_map = chain.value_map(depth, channels, OUTPUT_BITS)
        order = chain.order(height, width, chain.planes)
        flat = samples.reshape(-1, channels)
        return Problem(field, Geometry(height, width, channels), flat if order is None else flat[order], value_map)

    return make


@pytest.fixture
def photograph(make_problem):
    """The problem of fitting a field, of as many features as channels, to a square of the sample picture."""
    path = Path(__file__).parents[1] / "benchmarks" / "data" / "sample.png"

    def make(field, channels: int = 3, side: int = 160):
        samples = np.asarray(Image.open(path).convert("RGB" if channels == 3 else "L"))[20 : 20 + side, 40 : 40 + side]
        problem = make_problem(field, side, side, channels)
        return replace(problem, samples=np.ascontiguousarray(samples).reshape(-1, channels))

    return make


@pytest.fixture
def torch_outputs():
    """The values (H * W, C) of a field, given real parameters, in the torch engine; skips where torch is missing."""
    torch = pytest.importorskip("torch")
    from nfcodec.fitting.engines.torch_fields import Band

    def outputs(field, geometry: Geometry, parameters) -> np.ndarray:
        counterpart = load(field.counterparts["torch"])(field, geometry, torch.device("cpu"))
        tensors = {name: torch.from_numpy(value.astype(np.float32)) for name, value in parameters.items()}
        return counterpart(tensors, Band(0, geometry.height)).numpy()

    return outputs


@pytest.fixture
def browser(tmp_path):
    """Headless Chromium, driven by Selenium."""
    yield from browsing.start(tmp_path / "profile")
