from __future__ import annotations

import json
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.levels import HashLevel, hash_levels, safe_scale

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "hashgrid_golden.json").read_text())
COORDS = np.array([coord["xy_bits"] for coord in GOLDEN["coords"]], np.uint32).view(np.float32)
HASH_CASES = [
    case
    for case in GOLDEN["cases"]
    if (case["encoding_config"]["type"], case["encoding_config"]["interpolation"]) == ("Hash", "Linear")
]
each_case = pytest.mark.parametrize("case", HASH_CASES, ids=lambda case: case["name"])


def levels_of(case) -> tuple[HashLevel, ...]:
    config = case["encoding_config"]
    return hash_levels(
        config["n_levels"],
        config["n_features_per_level"],
        config["log2_hashmap_size"],
        config["base_resolution"],
        config["per_level_scale"],
    )


def table_symbols(level: HashLevel, offset: int) -> np.ndarray:
    """The golden table fill, in units of 1 / 1024."""
    k = np.arange(offset * level.features, (offset + level.size) * level.features, dtype=np.int64)
    return ((k * 2_654_435_761 % 2**32 >> 8) % 2001 - 1000).reshape(level.size, level.features)


def cells(level: HashLevel, coords: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """floor and fraction of fma(scale, x, 1/2); the float64 product of two float32 is exact."""
    position = (level.scale * coords.astype(np.float64) + 0.5).astype(np.float32)
    cell = np.floor(position)
    return cell.astype(np.int64), position - cell


def corners(level: HashLevel, cell: np.ndarray) -> np.ndarray:
    return np.stack([level.index(cell[:, 0] + (i & 1), cell[:, 1] + (i >> 1)) for i in range(4)], axis=1)


def interpolate(level: HashLevel, table: np.ndarray, coords: np.ndarray) -> np.ndarray:
    """One level in float32, fused multiply-adds through float64."""
    cell, t = cells(level, coords)
    index, out = corners(level, cell), np.zeros((len(coords), level.features), np.float32)
    for i in range(4):
        weight = (t[:, 0] if i & 1 else 1 - t[:, 0]) * (t[:, 1] if i >> 1 else 1 - t[:, 1])
        out = (weight[:, None].astype(np.float64) * table[index[:, i]] + out).astype(np.float32)
    return out


def test_there_are_golden_cases():
    assert len(HASH_CASES) == 3
    assert len(COORDS) == 24


@each_case
def test_geometry_equals_the_golden_vectors(case):
    offset = 0
    for level, golden in zip(levels_of(case), case["levels"], strict=True):
        assert np.float32(level.scale).view(np.uint32) == golden["scale_bits"]
        assert (level.resolution, level.size, offset) == (golden["resolution"], golden["n_entries"], golden["offset"])
        assert (level.resolution**2 > level.size) == golden["hashed"]
        offset += level.size
    assert offset == case["n_grid_entries"]


@each_case
def test_corners_and_interpolation_equal_the_golden_vectors(case):
    offset, outputs = 0, []
    for i, level in enumerate(levels_of(case)):
        cell, t = cells(level, COORDS)
        golden = np.array([result["g_and_t"][i] for result in case["results"]])
        assert np.array_equal(cell, golden[:, :2])
        assert np.abs(t - golden[:, 2:]).max() < 1e-6
        assert corners(level, cell).tolist() == [result["corner_index"][i] for result in case["results"]]
        outputs.append(interpolate(level, (table_symbols(level, offset) / 1024).astype(np.float32), COORDS))
        offset += level.size
    golden = np.array([result["out_f32"] for result in case["results"]])
    assert np.abs(np.concatenate(outputs, axis=1) - golden).max() < 1e-6


@each_case
@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (1, 40), (33, 2)])
def test_exact_levels_follow_the_reference_on_the_lattice(case, shape):
    """Positions are rounded down to 2^-12 of a cell, so values are within 2^-11 of the range of a cell's corners."""
    height, width = shape
    geometry = Geometry(height, width, 1)
    y, x = np.divmod(np.arange(height * width), width)
    coords = (np.stack([x + 0.5, y + 0.5], axis=1) / max(shape)).astype(np.float32)
    offset = 0
    for level in levels_of(case):
        down, across = level.axes(geometry)
        position = level.scale * (np.arange(width) + 0.5) / max(shape) + 0.5
        assert np.abs(across.low + across.fraction / (1 << across.bits) - position).max() < 1e-3
        assert np.array_equal(across.high, across.low + 1)
        assert np.array_equal(down.low, np.floor(level.scale * (np.arange(height) + 0.5) / max(shape) + 0.5))
        symbols = table_symbols(level, offset)
        rows, bound = level.evaluator(geometry, Quantized(symbols, Step(128, -17)))
        exact = rows(0, height).T / 2.0**16
        reference = interpolate(level, (symbols / 1024).astype(np.float32), coords)
        assert np.abs(exact - reference).max() < 2 * 2.0**-11
        assert np.abs(exact).max() * 2**16 <= bound
        offset += level.size


def test_axis_is_exact():
    level = levels_of(HASH_CASES[0])[5]
    for n, longer_side in ((1, 1), (3, 3), (50, 50), (511, 511), (20, 33), (1, 700)):
        axis = level.axis(n, longer_side)
        for j in range(n):
            exact = Fraction(level.scale) * Fraction(2 * j + 1, 2 * longer_side)
            assert axis.low[j] * 4096 + axis.fraction[j] == floor(exact * 4096) + 2048


@given(st.integers(0, 2**24), st.integers(0, 2**24))
def test_hashing_is_32_bit_arithmetic(x: int, y: int):
    level = HashLevel(2000.25, 2002, 1 << 14, 2)
    assert level.index(np.array(x), np.array(y)) == (x ^ (y * 2_654_435_761) % 2**32) % (1 << 14)


def test_the_last_vertex_of_a_dense_level_wraps():
    level = HashLevel(3.0, 4, 16, 1)
    assert level.index(np.array([3, 4]), np.array([3, 4])).tolist() == [15, 4]


SCALES_AND_SIZES = [
    (0.25, 8), (0.5, 8), (2.5, 16), (3.0, 16), (6.5, 64), (12.0, 176), (40.5, 1768), (12.0, 64), (12.0, 256), (7.5, 8),
    (29.5, 24), (2.0**-17, 8),
]  # fmt: skip
USED = [HashLevel(scale, int(np.ceil(scale)) + 1, size, 1) for scale, size in SCALES_AND_SIZES]


@pytest.mark.parametrize("level", USED, ids=lambda level: f"{level.scale}-{level.size}")
@pytest.mark.parametrize("shape", [(1, 1), (1, 12), (9, 1), (5, 8), (12, 12)], ids=str)
def test_used_entries_are_those_with_a_weight_at_some_pixel(level, shape):
    geometry, size = Geometry(*shape, 1), level.size
    y, x = level.axes(geometry)
    expected = set()
    for row in range(geometry.height):
        for col in range(geometry.width):
            rows = [y.low[row]] + [y.high[row]] * bool(y.fraction[row])
            cols = [x.low[col]] + [x.high[col]] * bool(x.fraction[col])
            expected |= {int(level.index(c, r)) for r in rows for c in cols}
    used = level.used(geometry)
    assert set(used.index.reshape(-1).tolist()) == expected
    rows, cols = level.vertices(geometry)
    if used.on_lattice:
        assert level.is_dense
        assert np.array_equal(used.index, cols + rows[:, None] * level.resolution)
    else:
        assert used.index.shape == (1, len(expected))
        assert np.all(np.diff(used.index) > 0)
        assert not level.is_dense or max(rows[-1], cols[-1]) >= level.resolution
    table = np.zeros((size, 1), np.int64)
    table[used.index.reshape(-1)] = 1  # all others make no difference
    evaluate, _ = level.evaluator(geometry, Quantized(table, Step(128, -7)))
    assert np.all(evaluate(0, geometry.height) == 1 << 16)


def test_some_levels_are_on_the_lattice_and_some_are_not():
    found = [level.used(Geometry(12, 12, 1)).on_lattice for level in USED]
    assert found == [True, True, True, False, True, True, True, False, True, False, False, True]


def test_cells_are_squares():
    """The longer side fills the level, and pixels are as far apart along the other."""
    level = HashLevel(7.25, 9, 88, 2)
    for shape in ((20, 33), (33, 20)):
        y, x = level.axes(Geometry(*shape, 3))
        longer = max(y, x, key=lambda axis: len(axis.low))
        for axis in (y, x):
            assert np.array_equal(axis.low, longer.low[: len(axis.low)])
            assert np.array_equal(axis.fraction, longer.fraction[: len(axis.low)])
        assert longer.low[-1] == 7


def test_safe_scales_keep_clear_of_integers():
    for longer_side in (64, 256, 511, 512, 768, 2040):
        scale = safe_scale(16, 16, longer_side / 2)
        scales = 16 * scale ** np.arange(1, 16) - 1
        assert np.abs(scales - np.round(scales)).min() > 0.015
        assert abs(scales[-1] + 1 - longer_side / 2) < 0.02 * longer_side
        hash_levels(16, 2, 15, 16, scale)


@pytest.mark.parametrize("finest", [16 * 1.74**15, 16 * 2.0**15, 1e300])
def test_no_scale_is_safe_where_float32_cannot_tell(finest):
    assert 60_000 < 16 * safe_scale(16, 16, 61_000) ** 15 < 62_500
    with pytest.raises(UsageError, match="more than 62,500"):
        safe_scale(16, 16, finest)


def test_unsafe_scales_are_refused():
    with pytest.raises(UsageError, match="safe_scale"):
        hash_levels(16, 2, 15, 16, (256 / 16) ** (1 / 15))
    assert [level.scale for level in hash_levels(4, 2, 15, 16, 2.0)] == [15.0, 31.0, 63.0, 127.0]


@pytest.mark.parametrize(
    "arguments", [(0, 2, 15, 16, 2.0), (33, 2, 15, 16, 2.0), (4, 2, 25, 16, 2.0), (4, 3, 15, 16, 2.0)]
)
def test_bad_configurations(arguments):
    with pytest.raises(UsageError):
        hash_levels(*arguments)


def test_overflowing_tables_are_refused():
    level = HashLevel(3.0, 4, 16, 1)
    table = Quantized(np.full(level.shape, 1 << 24), Step(255, 10))
    with pytest.raises(FormatError):
        level.evaluator(Geometry(8, 8, 1), table)
