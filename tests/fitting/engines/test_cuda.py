"""The cuda engine: its steps run on the CPU here, one by one; graphs and TF32 need a GPU."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from nfcodec.errors import EngineError
from nfcodec.fields.ngp import cuda as flat_ngp
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fields.siren.cuda import FlatSiren
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.table.field import Pyramid
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Adam, Halt, Objective, Rates
from nfcodec.fitting.engines.cuda.engine import BLOCK, CudaEngine
from nfcodec.fitting.engines.self_check import check_against_reference
from nfcodec.fitting.engines.torch import TorchEngine
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.request import Clock
from tests.fitting.engines.starts import first as start

SIREN = Siren(width=16, hidden_layers=2)
HASHED = Ngp((HashLevel(7.25, 9, 88, 2), HashLevel(20.5, 22, 128, 2)), hidden=(16, 16))
RATES = Rates(2.0**-6, 2.0**-8)
NEVER = Halt()

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
each_field = pytest.mark.parametrize("field", [SIREN, HASHED], ids=["siren", "hashed"])


def rough(field) -> float:
    """Factor on tolerances: a GPU adds up the gradients of hash tables in any order, and Adam makes more of that."""
    return 20.0 if field is HASHED and DEVICE == "cuda" else 1.0


@pytest.fixture
def make_engine(monkeypatch):
    if DEVICE == "cpu":
        for name in ("ENCODE_PIXELS", "NETWORK_PIXELS"):  # the interpreter takes as long for few pixels as for many
            monkeypatch.setattr(flat_ngp, name, 512)

    def make(problem, objective=None, device: str = DEVICE) -> CudaEngine:
        if isinstance(problem.field, Ngp):
            pytest.importorskip("triton")
        return CudaEngine(problem, start(problem), objective or Objective(), 0, device)

    return make


def step_by_step(problem, rates, halt=NEVER, objective=None):
    """The reference's statistics after each update, and itself."""
    engine = TorchEngine(problem, start(problem), objective or Objective(), 0)
    engine.gradient()
    return engine.advance(rates, halt), engine


@each_field
def test_a_block_is_as_many_steps(make_problem, make_engine, field):
    problem = make_problem(field)
    rates = [Rates(RATES.grid / (1 + i), RATES.network / (1 + i)) for i in range(12)]
    expected, reference = step_by_step(problem, rates)
    engine = make_engine(problem)
    engine.gradient()
    found = engine.advance(rates, NEVER)
    assert [each.mse for each in found] == pytest.approx([each.mse for each in expected], rel=2e-3)
    assert [each.squared_error for each in found] == pytest.approx([each.squared_error for each in expected], rel=1e-2)
    for name, value in reference.parameters().items():
        assert np.abs(engine.parameters()[name] - value).max() < 0.02 * rough(field) ** 0.5 * np.abs(value).max(), name
    for name, value in reference.gradients().items():
        assert np.abs(engine.gradients()[name] - value).max() < 0.05 * np.abs(value).max(), name


def test_more_rates_than_a_block_has_steps(make_problem, make_engine):
    problem = make_problem(SIREN, 6, 6)
    expected, _ = step_by_step(problem, [RATES] * (2 * BLOCK + 3))
    engine = make_engine(problem)
    engine.gradient()
    found = engine.advance([RATES] * (2 * BLOCK + 3), NEVER)
    assert len(found) == 2 * BLOCK + 3
    assert found[-1].mse == pytest.approx(expected[-1].mse, rel=0.05)


@each_field
def test_a_block_stops_where_it_must(make_problem, make_engine, field):
    problem = make_problem(field)
    engine = make_engine(problem)
    engine.gradient()
    seen = engine.advance([RATES] * 20, NEVER)
    middle = next(i for i in range(8, 20) if seen[i].squared_error < min(each.squared_error for each in seen[:i]))
    halt = Halt(squared_error=(seen[middle].squared_error + min(each.squared_error for each in seen[:middle])) / 2)
    again = make_engine(problem)
    again.gradient()
    stopped = again.advance([RATES] * 20, halt)
    assert [each.mse for each in stopped] == pytest.approx(
        [each.mse for each in seen[: middle + 1]], rel=1e-4 * rough(field)
    )
    assert again.evaluate().mse == pytest.approx(stopped[-1].mse, rel=1e-5)  # the steps after it changed nothing
    one_by_one = make_engine(problem)
    one_by_one.gradient()
    one_by_one.advance([RATES] * (middle + 1), NEVER)
    for name, value in one_by_one.parameters().items():
        assert np.allclose(again.parameters()[name], value, rtol=1e-3, atol=1e-5 * rough(field) ** 2), name
    on = [each.mse for each in again.advance([RATES] * 2, NEVER)]  # and the fit goes on from there
    assert on == pytest.approx([each.mse for each in one_by_one.advance([RATES] * 2, NEVER)], rel=1e-3 * rough(field))


@pytest.mark.parametrize("bad", [math.inf, 1e6])
def test_spikes_stop_a_block(make_problem, make_engine, bad):
    problem = make_problem(SIREN)
    engine = make_engine(problem)
    before = engine.gradient()
    rates = [RATES, RATES, Rates(0.0, bad), RATES, RATES]
    seen = engine.advance(rates, Halt(mse=10 * before.mse))
    assert len(seen) == 3
    assert not seen[-1].mse < 10 * before.mse
    engine.restore(start(problem))
    assert engine.gradient().mse == pytest.approx(before.mse, rel=1e-6)
    assert engine.advance([RATES], NEVER)[0].mse < before.mse  # Adam has forgotten as well


def test_adam_has_the_constants_it_was_given(make_problem, make_engine):
    problem = make_problem(SIREN)
    reference, engine = TorchEngine(problem, start(problem), Objective(), 0), make_engine(problem)
    for each in (reference, engine):
        each.adam = Adam(0.5, 0.9, 1e-3)
        each.gradient()
    expected, found = reference.advance([RATES] * 3, NEVER), engine.advance([RATES] * 3, NEVER)
    assert [each.mse for each in found] == pytest.approx([each.mse for each in expected], rel=1e-4)


@pytest.mark.parametrize(
    "objective", [Objective({"weight1": 0.01, "bias0": 0.05}), Objective(half=True), Objective(error_quantum=0.02)]
)
def test_objectives(make_problem, make_engine, objective):
    problem = make_problem(SIREN)
    expected, reference = step_by_step(problem, [RATES] * 3, objective=objective)
    engine = make_engine(problem)
    engine.gradient()
    engine.set_objective(objective)
    engine.gradient()
    found = engine.advance([RATES] * 3, NEVER)
    assert [each.mse for each in found] == pytest.approx([each.mse for each in expected], rel=2e-3)
    assert np.abs(engine.outputs() - reference.outputs()).max() < 5e-3


class Coarse(FlatSiren):
    """Its outputs are off while matrix products are fast, by a pattern of a given size."""

    shift = 0.0

    def forward(self, flat, band, *, keep):
        out = super().forward(flat, band, keep=keep)
        if torch.get_float32_matmul_precision() == "high":
            pattern = torch.arange(band.start, band.stop, device=out.device) % 2 * 2.0 - 1
            return out + self.shift * pattern[:, None]
        return out


def test_fast_products_are_left_when_they_make_a_difference(make_problem, monkeypatch):
    problem = make_problem(SIREN)
    monkeypatch.setitem(Siren.counterparts, "cuda", f"{__name__}:Coarse")
    for shift, stays in ((1e-4, True), (0.2, False)):
        monkeypatch.setattr(Coarse, "shift", shift)
        engine = CudaEngine(problem, start(problem), Objective(), 0, DEVICE)
        engine.gradient()
        seen = engine.advance([RATES] * 5, NEVER)
        assert engine._fast == stays
        assert seen[-1].mse == pytest.approx(engine.evaluate().mse, rel=1e-6)  # in 32 bits either way
    assert torch.get_float32_matmul_precision() == "highest"


def test_no_memory_is_an_error_with_a_message(make_problem, make_engine, monkeypatch):
    engine = make_engine(make_problem(SIREN))

    def full(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine._field, "forward", full)
    with pytest.raises(EngineError, match="not enough memory"):
        engine.gradient()


def test_fits_stop_when_the_goal_is_reached_in_32_bits(make_problem, monkeypatch):
    problem = make_problem(SIREN, channels=1)
    monkeypatch.setitem(Siren.counterparts, "cuda", f"{__name__}:Coarse")
    monkeypatch.setattr(Coarse, "shift", 2e-4)
    engine = CudaEngine(problem, start(problem), Objective(), 0, DEVICE)
    events = []
    goal = 26.0
    result = fit(problem, engine, Schedule(goal, 400, Rates(0.0, 2.0**-7)), Clock("fit", goal, 0.0, events.append))
    assert result.reached
    assert [event.step for event in events] == list(range(result.steps + 1))
    again = CudaEngine(problem, result.parameters, Objective(), 0, DEVICE)
    assert problem.psnr_db(again.evaluate().squared_error) >= goal
    assert max(event.psnr_db for event in events[:-1]) < goal + 0.05


@each_field
def test_the_check_passes_what_is_right_and_nothing_else(make_problem, make_engine, field, monkeypatch):
    problem = make_problem(field)
    make_engine(problem)

    def make(small, parameters):
        return CudaEngine(small, parameters, Objective(), 0, DEVICE)

    example = make_engine(problem)._field.example
    check_against_reference(make, example, problem, 1e-3)

    def wrong(small, parameters):
        if field is HASHED:
            return make(replace(small, field=replace(field, levels=field.levels[::-1])), parameters)
        return make(small, {**parameters, "bias1": parameters["bias1"] + np.float32(0.002)})

    with pytest.raises(EngineError, match="outputs differ from the reference"):
        check_against_reference(wrong, example, problem, 1e-3)


def test_what_it_has_not_is_refused(make_problem):
    dense = make_problem(Pyramid(0))
    with pytest.raises(EngineError, match="'cuda' cannot fit a Pyramid; engines that can: numba, torch"):
        CudaEngine(dense, start(dense), Objective(), 0, DEVICE)
    problem = make_problem(SIREN)
    with pytest.raises(EngineError, match="no rate model"):
        CudaEngine(problem, start(problem), Objective(rate_weight=1.0), 0, DEVICE)
    with pytest.raises(EngineError, match="CUDA devices only"):
        engines.create("cuda", "cpu", problem, start(problem), Objective(), 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_device_it_says_so(make_problem):
    problem = make_problem(SIREN)
    for device in ("auto", "cuda"):
        with pytest.raises(EngineError, match="no CUDA device"):
            engines.create("cuda", device, problem, start(problem), Objective(), 0)
    assert dict(engines.report())["cuda"] == "not available: no CUDA device is available to torch"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_field
def test_graphs_do_what_single_steps_do(make_problem, make_engine, field, monkeypatch):
    problem = make_problem(field, 64, 64)
    played, stepped = make_engine(problem), make_engine(problem)
    monkeypatch.setattr(stepped, "_recorded", lambda: None)
    for engine in (played, stepped):
        engine.gradient()
    for _ in range(3):
        found, expected = played.advance([RATES] * 10, NEVER), stepped.advance([RATES] * 10, NEVER)
        assert [each.mse for each in found] == pytest.approx([each.mse for each in expected], rel=0.02)
    assert played._recording is not None


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_field
def test_the_device_s_fits_are_the_reference_s(make_problem, field):
    problem = make_problem(field, 64, 64)
    engine = engines.create("cuda", "cuda", problem, start(problem), Objective(), 0)
    engine.gradient()
    found = engine.advance([RATES] * 20, NEVER)
    expected, _ = step_by_step(problem, [RATES] * 20)
    assert found[-1].mse == pytest.approx(expected[-1].mse, rel=0.1)
