"""What curvatures say of the loss, and how weights make up for others that are rounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nfcodec.errors import FormatError
from nfcodec.fields.grid import curvature
from nfcodec.fields.grid.curvature import Curvature, bits_slopes, curvatures
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.rounding import as_entries
from nfcodec.fitting.problem import quantized

SMALL = Grid(n_levels=4, n_hyper=1, n_neighbours=6, n_mapped=2, n_hidden=8)
FINE = 2.0**-14


@pytest.fixture
def fitted(noisy_fit):
    """A program, the weights of a file and real networks, whose samples are the targets but for noise."""

    def make(field=SMALL, channels=3):
        program, latents, networks, _ = noisy_fit(field, 40, 50, channels)
        weights = {LATENTS: as_entries(latents), **{name: quantized(each, FINE) for name, each in networks.items()}}
        return program, weights, networks

    return make


@pytest.mark.parametrize("channels", [1, 3])
def test_the_error_of_samples_grows_as_the_curvature_says(fitted, channels):
    program, weights, networks = fitted(channels=channels)
    _, of_synthesis = curvatures(SMALL, program.geometry, weights, networks)
    before, n_samples = program.measure(networks).error, channels * program.n_pixels
    rng, said, found = np.random.default_rng(2), [], []
    for name, first in zip(of_synthesis.names, firsts(of_synthesis, networks), strict=True):
        for _ in range(8):
            move = rng.normal(0, 1e-3, networks[name].shape).astype(np.float32)
            end = first + move.size
            said.append(move.reshape(-1) @ of_synthesis.matrix[first:end, first:end] @ move.reshape(-1) / n_samples)
            both = [program.measure({**networks, name: networks[name] + sign * move}).error for sign in (-1, 1)]
            found.append(np.mean(both) - before)
    assert np.corrcoef(np.log(said), np.log(np.maximum(found, 1e-12)))[0, 1] > 0.9
    assert np.sum(said) / np.sum(found) == pytest.approx(1, abs=0.5)


def test_slopes_of_bits_are_those_of_torch():
    torch = pytest.importorskip("torch")
    from nfcodec.fields.grid.torch import laplace_bits

    rng = np.random.default_rng(0)
    values = rng.integers(-3, 4, 200).astype(np.float32)
    locations, log_scales = (rng.normal(0, 1.5, 200).astype(np.float32) for _ in range(2))
    log_scales[:6] = (-200, -40, -7.5, 7.5, 40, 200)  # beyond the limits scales have no slope
    leaves = [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in (locations, log_scales)]
    laplace_bits(torch.tensor(values, dtype=torch.float64), *leaves).sum().backward()
    found = bits_slopes(values, locations, log_scales)
    assert found == pytest.approx(np.stack([each.grad.numpy() for each in leaves]), rel=1e-3, abs=1e-4)


def test_the_network_that_predicts_loses_least_along_its_flattest_direction(fitted):
    """Random entries are not what the network predicts, so that only the order of growths is compared."""
    program, weights, networks = fitted()
    of_entropy, _ = curvatures(SMALL, program.geometry, weights, networks)
    first, *_ = firsts(of_entropy, networks)
    matrix = of_entropy.matrix[first:, first:][: networks["entropy"].size, : networks["entropy"].size]
    values, vectors = np.linalg.eigh(matrix)
    before, grown = program.measure(networks).bits, []
    for i in (len(values) // 2, -1):
        move = (1e-2 * vectors[:, i]).reshape(networks["entropy"].shape).astype(np.float32)
        both = [program.measure({**networks, "entropy": networks["entropy"] + sign * move}).bits for sign in (-1, 1)]
        grown.append(abs(np.mean(both) - before))
    assert grown[1] > 10 * grown[0]


def test_weights_make_up_for_those_that_are_rounded():
    """A least squares problem with inputs that resemble each other."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(500, 12)) @ rng.normal(size=(12, 12))).astype(np.float32)
    real = {"first": rng.normal(size=(2, 4)).astype(np.float32), "second": rng.normal(size=4).astype(np.float32)}
    found = Curvature(("first", "second"), np.asarray(x.T @ x, np.float64))
    symbols, moved = found.behind(real, "first").rounded(real, 0.25)
    assert symbols.shape == (2, 4)
    assert moved["second"].shape == (4,)

    def error(first, second):
        move = np.concatenate([(first - real["first"]).reshape(-1), second - real["second"]])
        return float(np.square(x @ move).sum())

    plain = error(np.round(real["first"] / 0.25) * 0.25, real["second"])
    assert error(symbols * 0.25, moved["second"]) < 0.5 * plain
    assert np.abs(symbols * 0.25 - real["first"]).max() > 0.125  # some go to another multiple than the nearest


def test_fine_steps_move_hardly_anything(fitted):
    program, weights, networks = fitted()
    for each in curvatures(SMALL, program.geometry, weights, networks):
        symbols, moved = each.behind(networks, each.names[0]).rounded(networks, FINE)
        assert np.abs(symbols * FINE - networks[each.names[0]]).max() < 100 * FINE
        assert set(moved) == set(each.names[1:])
        assert max(np.abs(moved[name] - networks[name]).max() for name in moved) < 100 * FINE


@pytest.mark.parametrize(
    "field",
    [
        Grid(n_levels=1, n_hyper=0, n_neighbours=1, n_mapped=0, n_hidden=1),
        replace(SMALL, n_mapped=0),
        replace(SMALL, n_levels=2, n_hyper=0),
    ],
    ids=["smallest", "no maps", "two levels"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_small_fields_have_curvatures(fitted, field, channels):
    program, weights, networks = fitted(field, channels)
    for each in curvatures(field, program.geometry, weights, networks):
        for name in each.names:
            symbols, _ = each.behind(networks, name).rounded(networks, FINE)
            assert symbols.shape == networks[name].shape


def test_a_part_of_a_large_picture_tells_of_all_of_it(fitted, monkeypatch):
    program, weights, networks = fitted()
    whole = curvatures(SMALL, program.geometry, weights, networks)
    monkeypatch.setattr(curvature, "MOST_ENTRIES", 1000)
    monkeypatch.setattr(curvature, "MOST_PIXELS", 800)
    for part, each in zip(curvatures(SMALL, program.geometry, weights, networks), whole, strict=True):
        shares = part.matrix.diagonal().sum() / each.matrix.diagonal().sum()
        assert 0.2 < shares < 0.7


def firsts(found, networks):
    """Where each tensor begins."""
    return np.cumsum([0, *(networks[name].size for name in found.names)])[:-1].tolist()


def test_sums_that_are_indefinite_by_rounding_have_a_factor():
    """As sums of products in float32 may be: one direction is bent by far more than all others."""
    matrix = np.zeros((12, 12))
    matrix[0, 0], matrix[5, 5] = 1.0, -1e-4
    real = {"first": np.linspace(-1, 1, 8, dtype=np.float32), "second": np.ones(4, np.float32)}
    symbols, moved = Curvature(("first", "second"), matrix).behind(real, "first").rounded(real, 0.25)
    assert np.abs(symbols * 0.25 - real["first"]).max() < 0.5
    assert np.isfinite(moved["second"]).all()
    nothing = Curvature(("first", "second"), np.full((12, 12), np.nan)).behind(real, "first").rounded(real, 0.25)
    assert np.array_equal(nothing[0], np.round(real["first"] / 0.25))


def test_symbols_that_no_file_holds_are_refused():
    real = {"first": np.array([1.0, np.inf], np.float32), "second": np.ones(1, np.float32)}
    compensation = Curvature(("first", "second"), np.eye(3)).behind(real, "first")
    for step in (0.25, 2.0**-40):
        with pytest.raises(FormatError, match="more quantizer steps than a file can hold"):
            compensation.rounded(real, step)
