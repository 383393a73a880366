"""Networks are rounded to what is worth its bits."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nfcodec.errors import FormatError
from nfcodec.fields.grid import rounding
from nfcodec.fields.grid.curvature import Compensation, Curvature
from nfcodec.fields.grid.field import Grid
from nfcodec.fields.grid.normalised import Normalised
from nfcodec.fields.grid.payload import LATENTS
from nfcodec.fields.grid.rounding import as_networks, parameter_bits, rounded

SMALL = Grid(n_levels=4, n_hyper=1, n_neighbours=6, n_mapped=2, n_hidden=8)


@pytest.fixture
def fitted(noisy_fit):
    """A program, latents, networks, and targets that the real networks meet up to noise."""
    program, latents, networks, targets = noisy_fit(SMALL, 24, 30, 3)
    return program, latents, networks, Normalised(targets, 0.0, 1.0)


def bits_of(weights):
    return sum(parameter_bits(each) for name, each in weights.items() if name != LATENTS)


def error_of(fitted, weights):
    program, latents, _, normalised = fitted
    program.see(latents)
    return program.measure(as_networks(weights, normalised)).error


def test_the_higher_the_price_the_fewer_bits(fitted):
    found = [rounded(*fitted[:3], price, fitted[3]) for price in (1e-6, 1e-4, 1e-2, 1e2)]
    n_bits = [bits_of(each) for each in found]
    errors = [error_of(fitted, each) for each in found]
    assert n_bits == sorted(n_bits, reverse=True)
    assert errors == sorted(errors)
    assert errors[0] < 1.2e-4
    assert n_bits[-1] < 16


def test_where_bits_cost_most_all_is_0_but_narrow_distributions(fitted):
    weights = rounded(*fitted[:3], 1e4, fitted[3])
    for name in ("synthesis", "out", "near", "synthesis_bias", "filters", "maps", "map_bias", "scale"):
        assert not weights[name].symbols.any(), name


def test_offsets_make_up_for_what_the_others_lose_of_the_mean(fitted):
    weights = rounded(*fitted[:3], 1e-2, fitted[3])
    program, latents, _, normalised = fitted
    picture = np.zeros_like(normalised.targets)
    program.see(latents)
    program.measure(as_networks(weights, normalised), picture)
    step = weights["offset"].step.value
    assert np.abs((picture - normalised.targets).mean(axis=(1, 2))).max() <= 0.51 * step


def test_weights_go_to_the_nearest_where_none_make_up_for_others(fitted, monkeypatch):
    """Whether that shows before they are rounded, or in the middle of it."""

    def refuse(*_):
        raise FormatError("a symbol is too large")

    with monkeypatch.context() as patched:
        patched.setattr(rounding, "curvatures", refuse)
        nearest = rounded(*fitted[:3], 1e-4, fitted[3])
    monkeypatch.setattr(Compensation, "rounded", refuse)
    weights = rounded(*fitted[:3], 1e-4, fitted[3])
    assert all(np.array_equal(weights[name].symbols, nearest[name].symbols) for name in nearest)


def test_results_do_not_depend_on_the_number_of_threads(fitted, monkeypatch):
    """Products on several threads add up in another order."""
    of_numpy = {
        each["filepath"] for each in threadpool_info() if each["user_api"] == "blas" and "numpy" in each["filepath"]
    }
    if not of_numpy:
        pytest.skip("NumPy brings no BLAS of its own")
    seen = []

    def look(self, real, name):
        seen.extend(blas["num_threads"] for blas in threadpool_info() if blas["filepath"] in of_numpy)
        return behind(self, real, name)

    behind = Curvature.behind
    monkeypatch.setattr(Curvature, "behind", look)
    with threadpool_limits(2, "blas"):
        rounded(*fitted[:3], 1e-4, fitted[3])
    assert set(seen) == {1}
