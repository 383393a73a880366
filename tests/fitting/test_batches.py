from __future__ import annotations

import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.batches import sampled_lines

N_PIXELS = 3072


def test_samples_are_spread_over_the_picture():
    rng, geometry = np.random.default_rng(0), Geometry(512, 768, 3)
    seen = [sampled_lines(geometry, N_PIXELS, rng) for _ in range(300)]
    for axis, n in ((0, 512), (1, 768)):
        for places in (each[axis] for each in seen):
            assert np.all(np.diff(places) > 0)
            assert 0 <= places[0] < 12
            assert n - 13 < places[-1] < n
        assert len(np.unique(np.concatenate([each[axis] for each in seen]))) == n
    assert all(0.9 < len(rows) * len(cols) / N_PIXELS < 1.1 for rows, cols in seen)
    for shape in ((1, 1), (1, 90), (70, 1)):
        rows, cols = sampled_lines(Geometry(*shape, 3), N_PIXELS, rng)
        assert (rows.tolist(), cols.tolist()) == (list(range(shape[0])), list(range(shape[1])))
