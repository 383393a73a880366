from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from nfcodec.exact.geometry import Geometry
from nfcodec.fields.siren import sampled_fit as module
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.muon import Muon
from nfcodec.fitting.request import Request

SMALL = Siren(16, 2)


@pytest.fixture
def quick(monkeypatch):
    """Steps on few pixels."""
    monkeypatch.setattr(module, "PIXELS", 600)


@pytest.mark.parametrize("value", [1e3, float("nan")])
def test_steps_that_ruin_a_fit_are_undone(make_problem, quick, monkeypatch, value):
    """Something goes wrong in the middle; what comes after starts from the best weights before."""
    problem = make_problem(SMALL, 60, 50)
    monkeypatch.setattr(module, "CHECK_INTERVAL", 20)
    (sound,) = module.fit_networks(problem, Request(30.0, 5, 0), 300)
    update, steps = Muon.update, itertools.count()

    def ruin(muon, engine, rates, stats):
        update(muon, engine, rates, stats)
        if next(steps) == 200:
            engine._network["weight1"][:] = value

    monkeypatch.setattr(Muon, "update", ruin)
    (ruined,) = module.fit_networks(problem, Request(30.0, 5, 0), 300)
    assert next(steps) > 290
    assert np.isfinite(ruined.engine.parameters()["weight1"]).all()
    assert ruined.stats.mse < 1.5 * sound.stats.mse
    assert ruined.engine.evaluate() == ruined.stats


def test_the_best_weights_are_kept(make_problem, quick, monkeypatch):
    """A fit that gets worse after its last look goes back there."""
    problem = make_problem(SMALL, 60, 50)
    monkeypatch.setattr(module, "CHECK_INTERVAL", 250)
    update, steps = Muon.update, itertools.count()

    def ruin(muon, engine, rates, stats):
        update(muon, engine, rates, stats)
        if next(steps) == 299:
            engine._network["weight1"][:] = 1e3

    monkeypatch.setattr(Muon, "update", ruin)
    (fit,) = module.fit_networks(problem, Request(30.0, 5, 0), 300)
    assert fit.engine.evaluate() == fit.stats
    assert problem.psnr_db(fit.stats.squared_error) > 20


def test_the_price_of_bits_pulls_weights_together(make_problem, quick, monkeypatch):
    """The same fit without it has larger weights."""
    problem, sizes = make_problem(SMALL, 60, 50), []
    for first in (0.0, 1.0):
        monkeypatch.setattr(module, "PRICED_FROM", first)
        (fit,) = module.fit_networks(problem, Request(30.0, 5, 0), 600)
        parameters = fit.engine.parameters()
        sizes.append([float(np.square(parameters[f"weight{i}"]).mean()) for i in (1, 2)])
    assert all(small < large for small, large in zip(*sizes, strict=True))


def test_samples_are_spread_over_the_picture(make_problem):
    rng = np.random.default_rng(0)
    problem = replace(make_problem(SMALL), geometry=Geometry(512, 768, 3))
    seen = [module._sample(problem, rng) for _ in range(300)]
    for axis, n in ((0, 512), (1, 768)):
        for places in (each[axis] for each in seen):
            assert np.all(np.diff(places) > 0)
            assert 0 <= places[0] < 12
            assert n - 13 < places[-1] < n
        assert len(np.unique(np.concatenate([each[axis] for each in seen]))) == n
    assert all(0.9 < len(rows) * len(cols) / module.PIXELS < 1.1 for rows, cols in seen)
    for shape in ((1, 1), (1, 90), (70, 1)):
        rows, cols = module._sample(replace(problem, geometry=Geometry(*shape, 3)), rng)
        assert (rows.tolist(), cols.tolist()) == (list(range(shape[0])), list(range(shape[1])))
