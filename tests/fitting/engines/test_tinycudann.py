"""The tinycudann engine, on a stand-in for tiny-cuda-nn where there is no GPU, and on the real one where there is."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from importlib.abc import Loader
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from nfcodec.errors import EngineError
from nfcodec.fields.ngp import tinycudann as tcnn_field
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import hash_levels
from nfcodec.fields.siren.field import Siren
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Objective, Rates
from nfcodec.fitting.engines.tinycudann import TcnnEngine
from nfcodec.fitting.engines.torch import TorchEngine
from tests.fitting.engines import fake_tinycudann
from tests.fitting.engines.starts import first, rough, tables_of

FIELD = Ngp(hash_levels(3, 2, 8, 8, 2.0), hidden=(16, 16))


def start(problem, seed: int = 0):
    return rough(problem, seed, shift=0.0)


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "tinycudann", fake_tinycudann)


@pytest.fixture
def engine_for(stand_in):
    return lambda problem, parameters, objective=None: TcnnEngine(
        problem, parameters, objective or Objective(), 0, "cpu"
    )


def half(parameters):
    return {name: value.astype(np.float16).astype(np.float32) for name, value in parameters.items()}


def test_gradients_and_outputs_are_the_reference_s(make_problem, engine_for, monkeypatch):
    problem = make_problem(FIELD)
    parameters = half(start(problem, seed=1))  # no neuron is so near 0 that 16 bits tell on which side
    reference = TorchEngine(problem, parameters, Objective(), 0)
    for band in (1 << 20, 100):
        monkeypatch.setattr(tcnn_field, "BAND_PIXELS", band)
        engine = engine_for(problem, parameters)
        ours, theirs = engine.gradient(), reference.gradient()
        assert ours.mse == pytest.approx(theirs.mse, rel=2e-3)
        assert ours.squared_error == pytest.approx(theirs.squared_error, rel=2e-2)
        assert engine.evaluate().mse == pytest.approx(ours.mse, rel=1e-6)
        assert np.abs(engine.outputs() - reference.outputs()).max() < 3e-3
        for name, gradient in reference.gradients().items():
            assert np.abs(engine.gradients()[name] - gradient).max() < 0.005 * np.abs(gradient).max(), name


def test_a_fit_gets_as_far_as_the_reference_s(make_problem, engine_for):
    problem = make_problem(FIELD)
    parameters = first(problem)
    mses = []
    for engine in (engine_for(problem, parameters), TorchEngine(problem, parameters, Objective(), 0)):
        for _ in range(60):
            mse = engine.gradient().mse
            engine.update(Rates(2.0**-6, 2.0**-7))
        mses.append(mse)
    assert mses[0] == pytest.approx(mses[1], rel=0.3)


def test_parameters_come_and_go(make_problem, engine_for):
    problem = make_problem(FIELD)
    parameters = start(problem)
    engine = engine_for(problem, parameters)
    for name, value in engine.parameters().items():
        assert np.array_equal(value, parameters[name])
    before = engine.evaluate().mse
    engine.gradient()
    engine.update(Rates(0.01, 0.01))
    assert engine.evaluate().mse != before
    engine.restore(parameters)
    assert engine.evaluate().mse == before


def test_grid_and_network_have_their_own_rates(make_problem, engine_for):
    problem = make_problem(FIELD)
    parameters = start(problem)
    for rates, moves_tables in ((Rates(0.01, 0.0), True), (Rates(0.0, 0.01), False)):
        engine = engine_for(problem, parameters)
        engine.gradient()
        engine.update(rates)
        for name, value in engine.parameters().items():
            assert np.array_equal(value, parameters[name]) == ((name in tables_of(problem)) != moves_tables), name


def test_objective_rounds_parameters(make_problem, engine_for):
    problem = make_problem(FIELD)
    parameters = start(problem)
    steps = {"level1": 0.25, "weight0": 0.125}
    rounded = {
        name: (np.round(value / steps[name]) * steps[name] if name in steps else value).astype(np.float32)
        for name, value in parameters.items()
    }
    through, direct = engine_for(problem, parameters, Objective(steps)), engine_for(problem, rounded)
    assert through.gradient().mse == pytest.approx(direct.gradient().mse, rel=1e-6)
    assert through.evaluate().mse != engine_for(problem, parameters).evaluate().mse
    with pytest.raises(EngineError, match="rate model"):
        through.set_objective(Objective(rate_weight=1.0))


def test_scales_that_overflow_are_lowered(make_problem, engine_for):
    problem = make_problem(FIELD)
    engine = engine_for(problem, start(problem))
    engine.gradient()
    expected = engine.gradients()
    engine._field.scale *= 2.0**24
    engine.gradient()
    for name, gradient in engine.gradients().items():
        assert np.abs(gradient - expected[name]).max() < 0.02 * np.abs(expected[name]).max()


def test_an_encoding_that_is_not_ours_is_noticed(make_problem, engine_for, monkeypatch):
    problem = make_problem(FIELD)
    engine_for(problem, start(problem)).get_ready(print)

    class Off(fake_tinycudann.NetworkWithInputEncoding):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            self.levels = (
                tuple(replace(level, scale=level.scale - 0.125) for level in self.levels[:1]) + self.levels[1:]
            )

    monkeypatch.setattr(fake_tinycudann, "NetworkWithInputEncoding", Off)
    with pytest.raises(EngineError, match="outputs differ from the reference"):
        engine_for(problem, start(problem)).get_ready(print)


def test_gradients_that_are_not_ours_are_noticed(make_problem, engine_for, monkeypatch):
    problem = make_problem(FIELD)
    monkeypatch.setattr(fake_tinycudann, "LOSS_SCALE", 32.0)
    monkeypatch.setattr(fake_tinycudann._Rounded, "backward", lambda context, gradient: gradient / 2)
    with pytest.raises(EngineError, match="gradient of level0 differs from the reference"):
        engine_for(problem, start(problem)).get_ready(print)


def test_kernels_are_fused_where_they_can_be(make_problem, engine_for, monkeypatch):
    problem = make_problem(FIELD)
    assert not engine_for(problem, start(problem))._field.jit_fusion
    monkeypatch.setattr(fake_tinycudann, "supports_jit_fusion", lambda: True, raising=False)
    field = engine_for(problem, start(problem))._field
    assert field.jit_fusion
    field._model.jit_fusion = False  # what the binding does when compiling fails
    assert not field.jit_fusion


def test_scratch_memory_is_freed(make_problem, engine_for, monkeypatch):
    freed = []
    monkeypatch.setattr(fake_tinycudann, "free_temporary_memory", lambda: freed.append(True), raising=False)
    problem = make_problem(FIELD)
    engine = engine_for(problem, start(problem))
    assert freed == []
    del engine
    gc.collect()
    assert freed == [True]


@pytest.mark.parametrize(
    "failure", [ImportError("no module"), OSError("Could not find compatible tinycudann"), RuntimeError("x")]
)
def test_imports_that_fail_are_explained(monkeypatch, failure, make_problem):
    class Broken(Loader):
        def find_spec(self, name, path=None, target=None):
            return ModuleSpec(name, self) if name == "tinycudann" else None

        def exec_module(self, module):
            raise failure

    monkeypatch.delitem(sys.modules, "tinycudann", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(EngineError, match=f"cannot be imported: {failure}"):
        TcnnEngine.describe()
    assert dict(engines.report())["tinycudann"] == f"not available: tinycudann cannot be imported: {failure}"
    problem = make_problem(FIELD)
    with pytest.raises(EngineError, match="cannot be imported"):
        TcnnEngine(problem, start(problem), Objective(), 0, "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(EngineError, match="cannot be imported"):
        engines.create("tinycudann", "auto", problem, start(problem), Objective(), 0)


def test_what_it_has_not_is_refused(make_problem, stand_in):
    siren, problem = make_problem(Siren(8)), make_problem(FIELD)
    with pytest.raises(EngineError, match="'tinycudann' cannot fit a Siren; engines that can: cuda, numba, torch"):
        TcnnEngine(siren, first(siren), Objective(), 0, "cpu")
    with pytest.raises(EngineError, match="CUDA devices only"):
        engines.create("tinycudann", "cpu", problem, start(problem), Objective(), 0)
    with pytest.raises(EngineError, match="no gradients of some pixels of a Ngp"):
        TcnnEngine(problem, start(problem), Objective(), 0, "cpu").sampled_gradient(np.arange(2), np.arange(2))


def test_getting_ready_says_where_kernels_could_not_be_fused(make_problem, engine_for, monkeypatch):
    problem, messages = make_problem(FIELD), []
    monkeypatch.setattr(fake_tinycudann, "supports_jit_fusion", lambda: True, raising=False)
    engine = engine_for(problem, start(problem))
    engine.get_ready(messages.append)
    assert messages == []
    engine._field._model.jit_fusion = False
    engine.get_ready(messages.append)
    assert messages == ["tinycudann could not fuse its kernels for this field and takes the slower ones"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_real_one(make_problem):
    pytest.importorskip("tinycudann")
    problem = make_problem(FIELD)
    parameters = half(start(problem))
    engine = engines.create("tinycudann", "cuda", problem, parameters, Objective(), 0)
    reference = TorchEngine(problem, parameters, Objective(), 0)
    assert engine.gradient().mse == pytest.approx(reference.gradient().mse, rel=1e-2)
    for name, gradient in reference.gradients().items():
        assert np.abs(engine.gradients()[name] - gradient).max() < 0.05 * np.abs(gradient).max(), name
