"""The exact field of grids: what it may be, and that it computes what the reference in PyTorch does."""

import numpy as np
import pytest

from nfcodec.errors import FormatError, UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.payload import latent_bits
from nfcodec.fields.grid.tables import bits_of
from tests.fields.grid.crafted import crafted, model_of

GEOMETRIES = [Geometry(37, 53, 3), Geometry(64, 64, 1), Geometry(1, 31, 3), Geometry(29, 1, 1), Geometry(1, 1, 3)]
FIELDS = [Grid(), Grid(7, 3, 10, 4, 16), Grid(5, 2, 6, 2, 8), Grid(2, 0, 3, 1, 5), Grid(1, 0, 4, 2, 3)]
each_field = pytest.mark.parametrize("field", FIELDS, ids=repr)
each_geometry = pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_levels": 0}, {"n_levels": 13}, {"n_levels": 2, "n_hyper": 1}, {"n_hyper": 5}, {"n_neighbours": 0},
        {"n_neighbours": 15}, {"n_mapped": 17}, {"n_mapped": -1}, {"n_hidden": 0}, {"n_hidden": 257},
    ],
    ids=str,
)  # fmt: skip
def test_no_field_is_larger_than_a_file_can_say(wrong):
    with pytest.raises(UsageError):
        Grid(**{"n_hyper": 0, **wrong} if "n_levels" in wrong else wrong)


def test_descriptions_of_no_field_are_refused():
    good = Grid(7, 3, 14, 6, 256).pack()
    assert Grid.unpack(good) == Grid(7, 3, 14, 6, 256)
    for at, value in ((0, 0), (0, 13), (1, 5), (2, 0), (2, 15), (3, 17)):
        with pytest.raises(FormatError):
            Grid.unpack(good[:at] + bytes([value]) + good[at + 1 :])


def test_entries_have_a_step_of_1():
    geometry = GEOMETRIES[0]
    weights = crafted(Grid(), geometry)
    weights["latents"] = Quantized(weights["latents"].symbols, Step(128, -8))
    with pytest.raises(FormatError, match="step of 1"):
        Grid().evaluate(geometry, weights)


@pytest.mark.parametrize("name", ["filters", "synthesis", "out", "near", "synthesis_bias", "scale", "offset"])
def test_weights_that_would_overflow_are_refused(name):
    geometry = GEOMETRIES[0]
    weights = crafted(Grid(), geometry)
    weights[name] = Quantized(weights[name].symbols, Step(255, 40))
    with pytest.raises(FormatError, match="too large"):
        Grid().evaluate(geometry, weights)


def test_pieces_of_any_size_and_threads_make_the_same_outputs(monkeypatch):
    geometry = Geometry(70, 41, 3)
    weights = crafted(Grid(), geometry)
    whole = Grid().evaluate(geometry, weights)
    monkeypatch.setattr("nfcodec.exact.field.n_threads", lambda: 2)
    for rows in (1, 2, 3, 7, 16, 64):
        assert np.array_equal(Grid().evaluate(geometry, weights, tile_pixels=rows * geometry.width), whole)


def reference(field, geometry, weights):
    """The picture and the bits of entries in PyTorch, in float64."""
    torch = pytest.importorskip("torch")
    from nfcodec.fields.grid.torch import TorchGrid

    tensors = {name: torch.from_numpy(weight.values) for name, weight in weights.items()}
    picture, bits = TorchGrid(field, geometry)(tensors)
    return picture.numpy(), bits.numpy()


def most_by_rounding(field, weights):
    """How far the exact outputs may be from real arithmetic: each result is rounded, by half of 2^-16 at most."""

    def largest_row(name, rows=slice(None)):
        return abs(weights[name].values[rows]).sum(axis=1).max(initial=0)

    half, n_hidden, error = 2.0**-17, field.n_hidden, 0.0
    channels, n_steps = len(weights["scale"].symbols), field.n_levels - 1
    taps = abs(weights["filters"].values)
    for level in reversed(range(n_steps)):
        a, b, c, d = taps[n_steps + level]
        error = taps[level].sum() * (taps[level].sum() * error + half) + half
        error = max(error, (2 * (a + b + c) + d) * half + half)
    hidden = largest_row("synthesis", slice(n_hidden)) * error + 2 * half
    y = largest_row("out") * hidden + 2 * half
    for i in range(2):
        y += largest_row("near", slice(i * channels, (i + 1) * channels)) * y + 2 * half
    y += largest_row("synthesis", slice(n_hidden, None)) * error + half
    return abs(weights["scale"].values).max() * y + 2.0**-24


@each_field
@each_geometry
def test_outputs_differ_from_the_reference_by_rounding_alone(field, geometry):
    weights = crafted(field, geometry, 2.0)
    picture, _ = reference(field, geometry, weights)
    exact = field.evaluate(geometry, weights).T.reshape(picture.shape) * 2.0**-24
    most = most_by_rounding(field, weights)
    assert np.abs(exact - picture).max() < min(most, 2.0**-12)  # roundings add up to far less than they could
    assert most < 0.05 * max(1.0, np.abs(picture).max())


@each_field
@each_geometry
def test_bits_differ_from_the_reference_by_rounding_alone(field, geometry):
    """Locations are in 1/32 and scales in eighths of an octave, so bits of an entry are off by some percent."""
    weights = crafted(field, geometry, 1.5)
    weights["entropy_bias"].symbols[-1] = 0  # scales around 1, where the units of locations are fine enough
    _, bits = reference(field, geometry, weights)
    found, latents = model_of(field, geometry, weights), weights["latents"].symbols
    values = [latents[each.entries, 0].reshape(each.rows, each.cols) for each in found.lattices]
    mine = np.concatenate(
        [
            [bits_of(*(np.array([number]) for number in entry)) for entry in zip(*map(np.ravel, each), strict=True)]
            for each in ((value, *found.predictions(i, values)) for i, value in enumerate(values))
        ]
    )
    assert np.isclose(mine.sum(), sum(latent_bits(found, latents)), rtol=1e-5)
    likely = bits < 12  # the reference bounds the bits of unlikely ones, and tables let them escape
    assert (np.abs(mine - bits)[likely] <= 0.05 + 0.06 * bits[likely]).mean() > 0.9
    assert abs(mine[likely].sum() - bits[likely].sum()) <= 0.01 * bits[likely].sum() + 0.5
