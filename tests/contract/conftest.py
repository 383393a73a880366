"""What every family, field, engine and transform must do, tested over their registries and a toy family."""

import numpy as np
import pytest

from nfcodec.fields import registry

TOY = registry.Entry("tests.contract.toy_family:MosaicFamily", {200: "tests.contract.toy_family:Mosaic"}, "tiles")


@pytest.fixture(autouse=True)
def toy_family(monkeypatch):
    monkeypatch.setitem(registry.FAMILIES, "mosaic", TOY)


@pytest.fixture
def picture():
    """Make samples (H, W) or (H, W, C) with shading, an edge and a little noise."""

    def make(height: int, width: int, channels: int, depth: int = 8) -> np.ndarray:
        y, x = np.mgrid[:height, :width]
        planes = [0.5 + 0.3 * np.sin(0.3 * x + c) * np.cos(0.2 * y) + 0.15 * (x > y) for c in range(channels)]
        image = np.stack(planes, axis=2) + np.random.default_rng(0).normal(0, 0.01, (height, width, channels))
        samples = np.round(np.clip(image, 0, 1) * (2**depth - 1)).astype(np.uint16 if depth == 16 else np.uint8)
        return samples[:, :, 0] if channels == 1 else samples

    return make
