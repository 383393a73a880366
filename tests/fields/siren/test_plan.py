from __future__ import annotations

import itertools
import math

import numpy as np

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.plan import (
    PAPER,
    Start,
    default_siren,
    initial,
    initial_for,
    is_small,
    small_start,
    tiled_siren,
    well_started,
    width_for,
)


def flat(n_bytes):
    """Wavelet bytes of a picture that is the same everywhere."""
    return lambda rows, cols: [n_bytes / (rows * cols)] * (rows * cols)


def test_the_size_follows_the_picture():
    geometry = Geometry(512, 768, 3)
    fields = [tiled_siren(geometry, flat(n_bytes)) for n_bytes in (10, 3_000, 10_000, 100_000)]
    sizes = [field.n_parameters(geometry) for field in fields]
    assert sizes == sorted(set(sizes))
    assert (fields[0].rows, fields[0].cols) == (1, 1)
    assert fields[-1].rows < fields[-1].cols < 12
    assert all(field.n_parameters(geometry) / len(field.widths) < 5000 for field in fields)
    assert tiled_siren(geometry, flat(float("inf"))) is None
    assert is_small(fields[2], geometry)


def test_tiles_with_more_detail_are_wider():
    def busy_left(rows, cols):
        tiles = itertools.product(range(rows), range(cols))
        return [10_000.0 * (1 if rows * cols == 1 else 3 - 2 * (2 * j >= cols)) for _, j in tiles]

    field = tiled_siren(Geometry(512, 768, 3), busy_left)
    widths = np.array(field.widths).reshape(field.rows, field.cols)
    assert np.all(widths[:, 0] > 1.5 * widths[:, -1])
    assert np.all(widths == widths[0])


def test_sirens_grow_with_the_target():
    widths = [default_siren(Geometry(128, 128, 1), False, psnr_db).width for psnr_db in (20, 30, 40, 50)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    per_pixel = Siren(widths[-1]).n_parameters(Geometry(128, 128, 1)) / 128**2
    assert 2.7 < per_pixel < 3.4
    permuted = default_siren(Geometry(128, 128, 1), True, 20)
    assert permuted.n_parameters(Geometry(128, 128, 1)) > 1.8 * 128**2


def test_the_width_nearest_to_a_size():
    geometry = Geometry(64, 64, 3)
    for n_parameters in (1, 50, 3000, 12_345, 10**9):
        width = width_for(Siren(9, 2), geometry, n_parameters)
        near = range(max(1, width - 1), min(4096, width + 1) + 1)
        missing = {n: abs(Siren(n, 2).n_parameters(geometry) - n_parameters) for n in near}
        assert missing[width] == min(missing.values())


def test_initial_parameters_are_the_papers():
    field, geometry = Siren(width=64, hidden_layers=3), Geometry(8, 8, 3)
    first, again, other = (initial(field, geometry, seed) for seed in (1, 1, 2))
    assert [(name, value.shape) for name, value in first.items()] == [
        (tensor.name, tensor.shape) for tensor in field.layout(geometry)
    ]
    bounds = dict.fromkeys(("weight1", "weight2", "weight3", "weight_out"), math.sqrt(6 / 64) / 30)
    bounds |= {"weight0": 0.5, "bias0": 1 / math.sqrt(2)} | dict.fromkeys(
        ("bias1", "bias2", "bias3", "bias_out"), 1 / 8
    )
    for name, value in first.items():
        assert value.dtype == np.float32
        assert np.array_equal(value, again[name])
        assert not np.array_equal(value, other[name])
        assert np.abs(value).max() <= bounds[name]
        assert value.size < 100 or np.abs(value).max() > 0.9 * bounds[name]


def test_an_encoding_has_no_initial_parameters():
    assert not {"weight0", "bias0"} & set(initial(Siren(36, 3, 8), Geometry(8, 8, 3), 0))


def test_scales_of_the_initial_weights():
    geometry = Geometry(8, 8, 1)
    plain, scaled = (initial(Siren(16), geometry, 0, start) for start in (PAPER, Start(2.0, 3.0)))
    assert np.allclose(scaled["weight0"], 3 * plain["weight0"])
    assert np.allclose(scaled["weight2"], 2 * plain["weight2"])
    assert np.array_equal(scaled["weight_out"], plain["weight_out"])


def test_starts_follow_the_size():
    small, large = Geometry(64, 64, 1), Geometry(512, 512, 1)
    assert well_started(Siren(64), small) == Start(2.0, 2.0)  # which memorises
    assert well_started(Siren(16), small) == Start(1.5, 1.5)
    assert well_started(Siren(512), large) == Start(2.0, 8.0)
    assert small_start(small) == PAPER
    assert small_start(large) == Start(1.0, 512 / 250)


def test_the_last_layer_follows_the_targets(make_problem):
    plain, scaled = (make_problem(Siren(16, 1), transform=transform) for transform in ("none", "scale:2"))
    first, second = initial_for(plain, 0), initial_for(scaled, 0)
    assert np.allclose(first["bias_out"], plain.targets.mean(axis=0))
    assert np.allclose(second["bias_out"], scaled.targets.mean(axis=0))
    assert np.allclose(second["weight_out"], 2 * first["weight_out"])
    assert np.array_equal(first["weight1"], second["weight1"])
