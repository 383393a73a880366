from __future__ import annotations

import itertools

import numpy as np
import pytest

from nfcodec.fields.siren import sampled_fit as module
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.muon import Muon
from nfcodec.fitting.goals import Psnr
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
    (sound,) = module.fit_networks(problem, Request(Psnr(30.0), 5, 0), 300)
    update, steps = Muon.update, itertools.count()

    def ruin(muon, engine, rates, stats):
        update(muon, engine, rates, stats)
        if next(steps) == 200:
            engine._network["weight1"][:] = value

    monkeypatch.setattr(Muon, "update", ruin)
    (ruined,) = module.fit_networks(problem, Request(Psnr(30.0), 5, 0), 300)
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
    (fit,) = module.fit_networks(problem, Request(Psnr(30.0), 5, 0), 300)
    assert fit.engine.evaluate() == fit.stats
    assert problem.psnr_db(fit.stats.squared_error) > 20


def test_the_price_of_bits_pulls_weights_together(make_problem, quick, monkeypatch):
    """The same fit without it has larger weights."""
    problem, sizes = make_problem(SMALL, 60, 50), []
    for first in (0.0, 1.0):
        monkeypatch.setattr(module, "PRICED_FROM", first)
        (fit,) = module.fit_networks(problem, Request(Psnr(30.0), 5, 0), 600)
        parameters = fit.engine.parameters()
        sizes.append([float(np.square(parameters[f"weight{i}"]).mean()) for i in (1, 2)])
    assert all(small < large for small, large in zip(*sizes, strict=True))
