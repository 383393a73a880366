from __future__ import annotations

import numpy as np
import pytest

from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.field import Role
from nfcodec.exact.geometry import Geometry, part_of, places
from nfcodec.fields.registry import unpack_field
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.tiled import TiledSiren

GEOMETRY = Geometry(11, 17, 3)
FIELD = TiledSiren(2, 3, (4, 5, 6, 7, 8, 9), hidden_layers=1)


def random_weights(field, geometry, seed=0):
    rng = np.random.default_rng(seed)
    return {
        tensor.name: Quantized(rng.integers(-40, 41, tensor.shape), Step(128 + i, -13))
        for i, tensor in enumerate(field.layout(geometry))
    }


def test_tiles_cover_every_pixel_once():
    for geometry, rows, cols in ((GEOMETRY, 2, 3), (GEOMETRY, 11, 17), (Geometry(7, 1, 1), 3, 1)):
        seen = np.zeros((geometry.height, geometry.width), int)
        for place in places(geometry, rows, cols):
            seen[place] += 1
            assert part_of(geometry, place).n_pixels == seen[place].size > 0
        assert np.all(seen == 1)


def test_a_tile_is_a_picture_of_its_own():
    weights = random_weights(FIELD, GEOMETRY)
    whole = FIELD.evaluate(GEOMETRY, weights).reshape(11, 17, 3)
    for i, place in enumerate(places(GEOMETRY, 2, 3)):
        siren, part = Siren(FIELD.widths[i], 1), part_of(GEOMETRY, place)
        own = {name.removeprefix(f"tile{i}."): w for name, w in weights.items() if name.startswith(f"tile{i}.")}
        assert np.array_equal(whole[place], siren.evaluate(part, own).reshape(part.height, part.width, 3))


@pytest.mark.parametrize("tile_pixels", [1, 17, 60, 10_000])
def test_rows_may_be_evaluated_in_any_groups(tile_pixels):
    weights = random_weights(FIELD, GEOMETRY)
    assert np.array_equal(FIELD.evaluate(GEOMETRY, weights, tile_pixels), FIELD.evaluate(GEOMETRY, weights))


def test_costs_add_up():
    layout = FIELD.layout(GEOMETRY)
    assert len({tensor.name for tensor in layout}) == len(layout) == 6 * 6
    assert [t.name for t in layout if t.role is Role.BIAS] == [t.name for t in layout if ".bias" in t.name]
    sirens = [Siren(width, 1) for width in FIELD.widths]
    assert FIELD.n_parameters(GEOMETRY) == sum(siren.n_parameters(GEOMETRY) for siren in sirens)
    parts = [part_of(GEOMETRY, place) for place in places(GEOMETRY, 2, 3)]
    macs = sum(s.macs_per_pixel(p) * p.n_pixels for s, p in zip(sirens, parts, strict=True))
    assert 0 <= FIELD.macs_per_pixel(GEOMETRY) * GEOMETRY.n_pixels - macs < GEOMETRY.n_pixels
    own = [tensor for tile in FIELD.tiles(GEOMETRY) for tensor in tile.siren.layout(tile.geometry)]
    assert [(t.shape, t.unit) for t in layout] == [(t.shape, t.unit) for t in own]


def test_bytes_round_trip():
    assert unpack_field(TiledSiren.wire_id, FIELD.pack()) == FIELD
    assert len(FIELD.pack()) == 4 + 2 * 6
    encoded = TiledSiren(2, 3, FIELD.widths, 1, 8)
    assert unpack_field(TiledSiren.wire_id, encoded.pack()) == encoded
    assert {tile.siren.frequencies for tile in encoded.tiles(GEOMETRY)} == {8}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1\1\1\0",
        b"\0\1\1\0",
        b"\1\0\1\0\4\0",
        b"\1\1\1\0\0\0",
        b"\1\1\1\0\4",
        b"\1\1\1\0\4\0\0",
        b"\1\1\1\x11\4\0",
        b"\1\1\x40\0\4\0",
    ],
)
def test_bad_bytes(data):
    with pytest.raises(FormatError):
        unpack_field(TiledSiren.wire_id, data)


@pytest.mark.parametrize("arguments", [(0, 1, ()), (1, 1, ()), (1, 2, (4,)), (256, 1, (4,) * 256), (1, 1, (0,))])
def test_bad_arguments(arguments):
    with pytest.raises(UsageError):
        TiledSiren(*arguments)


def test_no_more_tiles_than_pixels():
    FIELD.cost(Geometry(2, 3, 1))
    for height, width in ((1, 3), (2, 2)):
        with pytest.raises(FormatError, match="more tiles than pixels"):
            FIELD.cost(Geometry(height, width, 1))


def test_tensors_are_counted_without_listing_them():
    field = TiledSiren(100, 100, (1,) * 10_000, hidden_layers=63)
    assert field.n_tensors(Geometry(100, 100, 3)) == 10_000 * 2 * 65
