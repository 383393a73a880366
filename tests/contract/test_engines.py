"""The contract of nfcodec.fitting.engines, for every engine and every field that has a counterpart in it.

Engines for GPUs take the same steps on the CPU here, tiny-cuda-nn's on a stand-in for the library.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from nfcodec.errors import EngineError
from nfcodec.exact.arithmetic import OUTPUT_UNIT
from nfcodec.exact.field import Role
from nfcodec.fields import Ngp, Pyramid, Siren, Wavelet, hash_levels
from nfcodec.fields.siren.plan import initial
from nfcodec.fields.wavelet.rate import Priors
from nfcodec.fitting.engines import Halt, Objective, Rates, engine_names
from nfcodec.fitting.engines.registry import ENGINES
from nfcodec.fitting.problem import quantize
from nfcodec.fitting.starts import rough_start
from nfcodec.lazy import load

FIELDS = [
    Siren(8, 2), Siren(6, 2, frequencies=3), Ngp(hash_levels(3, 2, 8, 4, 2.0), (16, 16)), Pyramid(1), Pyramid(2, 6),
    Wavelet(2),
]  # fmt: skip
CASES = [(field, name) for field in FIELDS for name in sorted(field.counterparts)]
each_case = pytest.mark.parametrize(("field", "name"), CASES, ids=[f"{field!r}-{name}" for field, name in CASES])
SHAPE = (13, 11)


def start(field, geometry):
    return initial(field, geometry, 0) if isinstance(field, Siren) else rough_start(field.layout(geometry), 0)


@pytest.fixture
def make_engine(monkeypatch):
    """Make an engine on the CPU."""

    def make(name, problem, objective=None):
        if name != "numba":
            pytest.importorskip("torch")
        if name == "cuda" and isinstance(problem.field, Ngp):
            pytest.importorskip("triton")
        if name == "tinycudann":
            from tests.fitting.engines import fake_tinycudann

            monkeypatch.setitem(sys.modules, "tinycudann", fake_tinycudann)
        return load(ENGINES[name])(problem, start(problem.field, problem.geometry), objective or Objective(), 0, "cpu")

    return make


def test_every_engine_is_here():
    assert {name for _, name in CASES} == set(engine_names())


@each_case
def test_engines_compute_what_decoders_do(make_problem, make_engine, field, name):
    problem = make_problem(field, *SHAPE)
    engine = make_engine(name, problem)
    assert engine.name == name
    steps = {tensor.name: tensor.unit * 2.0**-14 for tensor in field.layout(problem.geometry)}
    exact = field.evaluate(problem.geometry, quantize(problem, engine.parameters(), steps)) * OUTPUT_UNIT
    assert np.abs(engine.outputs() - exact).max() < 5e-3
    stats = engine.evaluate()
    assert stats.mse == pytest.approx(float(((engine.outputs() - problem.targets) ** 2).mean()), rel=1e-4)
    assert stats.bits_per_pixel == 0


@each_case
def test_gradients_are_those_of_the_error(make_problem, make_engine, field, name):
    problem = make_problem(field, *SHAPE)
    engine = make_engine(name, problem)
    parameters, before = engine.parameters(), engine.gradient()
    gradients = engine.gradients()
    assert {each: value.shape for each, value in gradients.items()} == {
        tensor.name: tensor.shape for tensor in field.layout(problem.geometry)
    }
    squared = sum(float((value.astype("f8") ** 2).sum()) for value in gradients.values())
    size = 0.01 * before.mse / squared
    engine.restore({each: value - np.float32(size) * gradients[each] for each, value in parameters.items()})
    assert (before.mse - engine.evaluate().mse) / (size * squared) == pytest.approx(1, abs=0.15)


@each_case
def test_parameters_come_back(make_problem, make_engine, field, name):
    problem = make_problem(field, *SHAPE)
    engine, parameters = make_engine(name, problem), start(field, problem.geometry)
    before = engine.gradient()
    engine.update(Rates(1e-3, 1e-3))
    assert engine.evaluate() != before
    engine.restore(parameters)
    assert {each: value.tolist() for each, value in engine.parameters().items()} == {
        each: value.tolist() for each, value in parameters.items()
    }
    assert engine.evaluate().mse == pytest.approx(before.mse, rel=1e-6)


@each_case
def test_tables_and_the_rest_have_their_own_rates(make_problem, make_engine, field, name):
    problem = make_problem(field, *SHAPE)
    tables = {tensor.name for tensor in field.layout(problem.geometry) if tensor.role is Role.TABLE}
    for rates, moves_tables in ((Rates(1e-2, 0.0), True), (Rates(0.0, 1e-2), False)):
        engine = make_engine(name, problem)
        before, _ = engine.parameters(), engine.gradient()
        engine.update(rates)
        for each, value in engine.parameters().items():
            assert np.array_equal(value, before[each]) == ((each in tables) != moves_tables), each


@each_case
def test_steps_go_downhill_and_halt(make_problem, make_engine, field, name):
    problem = make_problem(field, *SHAPE)
    engine = make_engine(name, problem)
    first = engine.gradient()
    seen = engine.advance([Rates(1e-3, 1e-4)] * 6, Halt())
    assert len(seen) == 6
    assert seen[-1].mse < first.mse
    assert len(engine.advance([Rates(1e-3, 1e-4)] * 6, Halt(mse=0.0))) == 1
    assert engine.block >= 1


@each_case
def test_samples_add_up_or_are_refused(make_problem, make_engine, field, name):
    problem = make_problem(field, *SHAPE)
    engine = make_engine(name, problem)
    if not isinstance(field, Siren):
        with pytest.raises(EngineError, match="no gradients of some pixels"):
            engine.sampled_gradient(np.arange(3), np.arange(4))
        return
    full, gradients = engine.gradient(), engine.gradients()
    found = engine.sampled_gradient(np.arange(SHAPE[0]), np.arange(SHAPE[1]))
    assert found.mse == pytest.approx(full.mse, rel=1e-4)
    assert all(np.allclose(value, gradients[each], rtol=1e-3, atol=1e-5) for each, value in engine.gradients().items())
    assert engine.sampled_gradient(np.arange(3), np.arange(4)).mse != found.mse


@each_case
def test_rates_count_or_are_refused(make_problem, make_engine, field, name):
    problem = make_problem(field, *SHAPE)
    layout = field.layout(problem.geometry)
    ones = np.ones((*SHAPE, 3), np.float32)
    model = Priors(0 * ones, ones) if isinstance(field, Wavelet) else None
    objective = Objective({tensor.name: 2.0**-6 for tensor in layout}, 1e-3, rate_model=model)
    engine = make_engine(name, problem)
    if not any(tensor.role is Role.TABLE for tensor in layout) or name not in ("numba", "torch"):
        with pytest.raises(EngineError, match="no rate"):
            engine.set_objective(objective)
        return
    engine.set_objective(objective)
    fine = engine.evaluate().bits_per_pixel
    assert fine == pytest.approx(engine.gradient().bits_per_pixel, rel=1e-6)
    engine.set_objective(Objective({tensor.name: 2.0**-2 for tensor in layout}, 1e-3, rate_model=model))
    assert 0 < engine.evaluate().bits_per_pixel < fine
