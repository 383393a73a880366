from __future__ import annotations

import numpy as np
from PIL import Image

from benchmarks.data.make_sample import SAMPLE, draw


def test_the_sample_can_be_drawn_again() -> None:
    with Image.open(SAMPLE) as image:
        np.testing.assert_allclose(draw().astype(int), np.asarray(image).astype(int), atol=1)
