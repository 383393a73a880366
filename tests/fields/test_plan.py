from __future__ import annotations

import itertools

import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.plan import candidates, default_siren, is_small, tiled_siren


def flat(n_bytes):
    """Wavelet bytes of a picture that is the same everywhere."""
    return lambda rows, cols: [n_bytes / (rows * cols)] * (rows * cols)


def test_the_size_follows_the_picture():
    geometry = Geometry(512, 768, 3)
    specs = [tiled_siren(geometry, flat(n_bytes)) for n_bytes in (10, 3_000, 10_000, 100_000)]
    sizes = [spec.n_parameters(geometry) for spec in specs]
    assert sizes == sorted(set(sizes))
    assert (specs[0].rows, specs[0].cols) == (1, 1)
    assert specs[-1].rows < specs[-1].cols < 12
    assert all(spec.n_parameters(geometry) / len(spec.widths) < 5000 for spec in specs)
    assert tiled_siren(geometry, flat(float("inf"))) is None
    assert is_small(specs[2], geometry)
    tiny = Geometry(24, 20, 3)
    assert candidates("siren", tiny, False, 30.0, True, flat(900.0)) == [default_siren(tiny, False, 30.0)]
    small, large = candidates("siren", geometry, False, 30.0, True, flat(7000.0))
    assert small.n_parameters(geometry) * 10 < large.n_parameters(geometry)
    assert candidates("siren", geometry, False, 30.0) == [large]
    (permuted,) = candidates("siren", geometry, True, 30.0, True, flat(7000.0))
    assert permuted.width > large.width


def test_tiles_with_more_detail_are_wider():
    def busy_left(rows, cols):
        tiles = itertools.product(range(rows), range(cols))
        return [10_000.0 * (1 if rows * cols == 1 else 3 - 2 * (2 * j >= cols)) for _, j in tiles]

    spec = tiled_siren(Geometry(512, 768, 3), busy_left)
    widths = np.array(spec.widths).reshape(spec.rows, spec.cols)
    assert np.all(widths[:, 0] > 1.5 * widths[:, -1])
    assert np.all(widths == widths[0])
