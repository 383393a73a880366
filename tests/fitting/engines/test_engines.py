from __future__ import annotations

import math
import time
from dataclasses import replace

import numba
import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.nn import functional

from nfcodec.errors import EngineError
from nfcodec.fields.ngp import numba as ngp_numba
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import HashLevel
from nfcodec.fields.siren import numba as siren_numba
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.table import numba as table_numba
from nfcodec.fields.table.field import Pyramid
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.rate import Priors
from nfcodec.fitting.engines import Engine, Objective, Rates
from nfcodec.fitting.engines import torch as torch_engine
from nfcodec.fitting.engines.cuda.engine import CudaEngine
from nfcodec.fitting.engines.numba import engine as numba_engine
from nfcodec.fitting.engines.numba import grids as numba_grids
from nfcodec.fitting.engines.numba import tables as numba_tables
from nfcodec.fitting.engines.numba.engine import NumbaEngine
from nfcodec.fitting.engines.torch import TorchEngine
from nfcodec.fitting.engines.torch_fields import laplace_bits
from nfcodec.fitting.problem import quantize
from tests.fitting.engines.starts import rough as start
from tests.fitting.engines.starts import tables_of

DENSE = Pyramid(2, hidden=6)
HASHED = Ngp((HashLevel(7.25, 9, 88, 2), HashLevel(20.5, 22, 128, 2)), hidden=(8, 8))
FIELDS = {
    "siren": Siren(width=10, hidden_layers=2),
    "encoded": Siren(width=10, hidden_layers=3, frequencies=3),
    "dense": DENSE,
    "linear": Pyramid(1),
    "hashed": HASHED,
    "fine": Ngp((HashLevel(40.5, 42, 64, 4), HashLevel(3.25, 5, 40, 1)), hidden=(7,)),
}
each_field = pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())
each_table = pytest.mark.parametrize("field", [DENSE, HASHED], ids=["dense", "hashed"])
"""Fields with tables whose entries have bits."""


@pytest.fixture(params=[TorchEngine, NumbaEngine], ids=["torch", "numba"])
def engine_for(request):
    """Make an engine of each kind on the CPU."""

    def make(problem, parameters, objective=None, seed: int = 0) -> Engine:
        return request.param(problem, parameters, objective or Objective(), seed)

    return make


def plain_outputs(field, geometry, p):
    """The whole picture at once, in float64, with none of the engine's code."""
    height, width = geometry.height, geometry.width
    if isinstance(field, Siren):
        y, x = torch.meshgrid(
            torch.linspace(-1, 1, height, dtype=torch.float64),
            torch.linspace(-1, 1, width, dtype=torch.float64),
            indexing="ij",
        )
        z = torch.stack([x.reshape(-1), y.reshape(-1)], 1)
        if field.frequencies:
            turns = torch.tensor([16.0, 26.0, 42.0, 67.0][: field.frequencies], dtype=torch.float64) / 32
            angles = 2 * math.pi * (z[:, :, None] * turns).flatten(1)
            z = torch.cat([torch.sin(angles), torch.cos(angles)], 1)
        for i in range(1 if field.frequencies else 0, 1 + field.hidden_layers):
            z = torch.sin(30 * (z @ p[f"weight{i}"].T + p[f"bias{i}"]))
        return z @ p["weight_out"].T + p["bias_out"]
    features = []
    levels = field.levels(geometry.channels) if isinstance(field, Pyramid) else field.levels
    for i, level in enumerate(levels):
        table = p[f"level{i}"]
        if isinstance(field, Pyramid):
            image = table.permute(2, 0, 1)[None]
            image = functional.interpolate(image, scale_factor=2.0**level.log2_stride, mode="bilinear")
            features.append(image[0, :, :height, :width].permute(1, 2, 0).reshape(-1, level.features))
        else:
            (down, across), out = level.axes(geometry), 0.0
            for row, fy in ((down.low, 1 - down.fraction / 4096), (down.high, down.fraction / 4096)):
                for col, fx in ((across.low, 1 - across.fraction / 4096), (across.high, across.fraction / 4096)):
                    index = torch.from_numpy(level.index(col[None, :], row[:, None]).reshape(-1))
                    out = out + table[index] * torch.from_numpy(np.outer(fy, fx).reshape(-1, 1))
            features.append(out)
    encoding = z = torch.cat(features, 1)
    if isinstance(field, Ngp):
        for i in range(len(field.hidden)):
            z = torch.relu(z @ p[f"weight{i}"].T)
        return z @ p[f"weight{len(field.hidden)}"].T
    out = encoding @ p["skip"].T + p["bias_out"]
    if field.hidden:
        out = out + torch.relu(encoding @ p["weight0"].T + p["bias0"]) @ p["weight1"].T
    return out


def plain_mse(problem, parameters) -> float:
    p = {name: torch.from_numpy(value.astype(np.float64)) for name, value in parameters.items()}
    error = plain_outputs(problem.field, problem.geometry, p) - torch.from_numpy(problem.targets.astype(np.float64))
    return float(error.square().mean())


def cut(monkeypatch, rows: int) -> None:
    """Let engines work on a few rows of a picture of 20 columns at a time."""
    monkeypatch.setattr(torch_engine, "BAND_PIXELS", 20 * rows)
    monkeypatch.setattr(numba_grids, "CHUNK_FLOATS", 20 * rows)
    monkeypatch.setattr(numba_grids, "TASK_ROWS", min(rows, 4))
    monkeypatch.setattr(siren_numba, "TASKS", 24 // rows + 1)
    for module in (numba_tables, table_numba, ngp_numba):
        monkeypatch.setattr(module, "ELEMENTS", 7 * rows)


@each_field
def test_gradient_equals_autograd_on_a_plain_field(make_problem, engine_for, monkeypatch, field):
    cut(monkeypatch, 3)
    problem = make_problem(field)
    parameters = start(problem)
    engine = engine_for(problem, parameters)
    stats = engine.gradient()
    p = {name: torch.from_numpy(value.astype(np.float64)).requires_grad_() for name, value in parameters.items()}
    targets = torch.from_numpy(problem.targets.astype(np.float64))
    loss = (plain_outputs(field, problem.geometry, p) - targets).square().mean()
    loss.backward()
    assert stats.mse == pytest.approx(loss.item(), rel=1e-4)
    assert stats.bits_per_pixel == 0
    for name, gradient in engine.gradients().items():
        reference = p[name].grad.numpy()
        assert np.abs(reference).max() > 0
        assert np.abs(gradient - reference).max() < 2e-3 * np.abs(reference).max(), name


@each_field
def test_gradient_equals_finite_differences(make_problem, engine_for, field):
    problem = make_problem(field)
    parameters = start(problem)
    engine = engine_for(problem, parameters)
    engine.gradient()
    rng = np.random.default_rng(1)
    for name, gradient in engine.gradients().items():
        direction = rng.normal(0, 1, gradient.shape)
        step = 1e-6
        ahead = {**parameters, name: parameters[name] + step * direction}
        behind = {**parameters, name: parameters[name] - step * direction}
        difference = (plain_mse(problem, ahead) - plain_mse(problem, behind)) / (2 * step)
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction) / gradient.size**0.5
        assert abs(float((gradient * direction).sum()) - difference) < 5e-3 * scale, name


@pytest.mark.parametrize(
    ("field", "rate_weight"), [(FIELDS["siren"], 0.0), (HASHED, 0.0), (HASHED, 0.01), (DENSE, 0.0), (DENSE, 0.01)]
)
def test_bands_do_not_matter(make_problem, engine_for, monkeypatch, field, rate_weight):
    problem = make_problem(field)
    parameters = start(problem)
    steps = dict.fromkeys(parameters, 0.01) if rate_weight or field is DENSE else {}
    results = []
    for rows in (1000, 1, 5, 11):
        cut(monkeypatch, rows)
        engine = engine_for(problem, parameters, Objective(steps, rate_weight))
        results.append((engine.gradient(), engine.evaluate(), engine.gradients()))
    (stats, evaluated, whole), *others = results
    rounds_as_read = field is HASHED and rate_weight > 0  # only where nothing is differentiated
    assert evaluated.mse == pytest.approx(stats.mse, rel=1e-7 if rounds_as_read else 0)
    assert replace(evaluated, mse=stats.mse) == stats
    assert (stats.bits_per_pixel > 0) == (rate_weight > 0)
    for other_stats, _, banded in others:
        assert other_stats.mse == pytest.approx(stats.mse, rel=1e-5)
        assert other_stats.bits_per_pixel == pytest.approx(stats.bits_per_pixel, rel=1e-5)
        assert other_stats.squared_error == pytest.approx(stats.squared_error, rel=1e-4)
        for name, gradient in whole.items():
            assert np.abs(banded[name] - gradient).max() < 1e-4 * np.abs(gradient).max(), name


@each_field
@pytest.mark.parametrize("transform", ["none", "inversion", "gamma:2"])
def test_squared_error_is_that_of_the_decoded_samples(make_problem, engine_for, field, transform):
    """The engine counts sample errors as the exact decoder does, up to its float32 outputs."""
    problem = make_problem(field, transform=transform)
    parameters = start(problem)
    steps = {tensor.name: 2.0**-14 * tensor.unit for tensor in field.layout(problem.geometry)}
    stats = engine_for(problem, parameters).evaluate()
    exact_db = problem.exact_psnr_db(quantize(problem, parameters, steps))
    assert problem.psnr_db(stats.squared_error) == pytest.approx(exact_db, abs=0.05)


@each_field
def test_objective_rounds_parameters(make_problem, engine_for, field):
    problem = make_problem(field)
    parameters = start(problem)
    layout = {tensor.name: tensor for tensor in field.layout(problem.geometry)}
    steps = dict.fromkeys(parameters, 0.03)
    rounded = {
        name: value.astype(np.float32)
        for name, value in (
            (name, weight.values / layout[name].unit) for name, weight in quantize(problem, parameters, steps).items()
        )
    }
    steps = {name: weight.step.value for name, weight in quantize(problem, parameters, steps).items()}
    through, direct = engine_for(problem, parameters, Objective(steps)), engine_for(problem, rounded)
    assert through.gradient().mse == pytest.approx(direct.gradient().mse, rel=1e-4)
    assert through.gradient().mse != pytest.approx(engine_for(problem, parameters).gradient().mse, rel=1e-4)
    for name, gradient in direct.gradients().items():  # straight through the rounding
        assert np.abs(through.gradients()[name] - gradient).max() < 1e-3 * np.abs(gradient).max()
    for name, value in through.parameters().items():
        assert np.array_equal(value, parameters[name])


@each_field
def test_outputs_are_the_field_s_values(make_problem, engine_for, monkeypatch, field):
    problem = make_problem(field)
    parameters = start(problem)
    doubles = {name: torch.from_numpy(value.astype(np.float64)) for name, value in parameters.items()}
    expected = plain_outputs(field, problem.geometry, doubles).numpy()
    for rows in (1000, 3):
        cut(monkeypatch, rows)
        outputs = engine_for(problem, parameters).outputs()
        assert outputs.shape == problem.targets.shape
        assert np.abs(outputs - expected).max() < 2e-5


@each_field
def test_half_means_parameters_of_16_bits(make_problem, engine_for, field):
    problem = make_problem(field)
    parameters = start(problem)
    rounded = {name: value.astype(np.float16).astype(np.float32) for name, value in parameters.items()}
    through, direct = engine_for(problem, parameters, Objective(half=True)), engine_for(problem, rounded)
    assert through.gradient().mse == pytest.approx(direct.gradient().mse, rel=1e-6)
    assert through.gradient().mse != engine_for(problem, parameters).gradient().mse
    assert np.array_equal(through.outputs(), direct.outputs())
    for name, gradient in direct.gradients().items():
        assert np.abs(through.gradients()[name] - gradient).max() <= 1e-5 * np.abs(gradient).max()
    for name, value in through.parameters().items():
        assert np.array_equal(value, parameters[name])


@each_field
def test_gradients_of_rounded_errors(make_problem, engine_for, field):
    """With the errors rounded, the gradient is that of the outputs times the rounded errors."""
    problem, quantum = make_problem(field), 0.25
    parameters = start(problem)
    leaves = {name: torch.from_numpy(value.astype(np.float64)).requires_grad_() for name, value in parameters.items()}
    outputs = plain_outputs(field, problem.geometry, leaves)
    errors = torch.round((outputs.detach() - torch.from_numpy(problem.targets.astype(np.float64))) / quantum) * quantum
    assert len(torch.unique(errors)) > 2
    expected = torch.autograd.grad((2 * errors * outputs).sum() / errors.numel(), list(leaves.values()))
    engine = engine_for(problem, parameters, Objective(error_quantum=quantum))
    assert engine.gradient().mse == pytest.approx(engine_for(problem, parameters).gradient().mse, rel=1e-6)
    for name, gradient in zip(leaves, expected, strict=True):
        assert np.abs(engine.gradients()[name] - gradient.numpy()).max() < 2e-3 * gradient.abs().max()


@each_table
def test_soft_rounding_has_noise_in_gradients_only(make_problem, engine_for, field):
    problem = make_problem(field)
    parameters = start(problem)
    steps = dict.fromkeys(parameters, 0.05)
    soft, hard = (engine_for(problem, parameters, Objective(steps, 0.001, softness)) for softness in (0.3, 0.0))
    assert soft.evaluate() == hard.evaluate()
    assert soft.gradient().mse != hard.gradient().mse
    assert soft.gradient() != soft.gradient()
    again = engine_for(problem, parameters, Objective(steps, 0.001, 0.3))
    first = engine_for(problem, parameters, Objective(steps, 0.001, 0.3))
    assert again.gradient() == first.gradient()


@each_table
def test_soft_rounding_is_of_tables_that_have_a_step(make_problem, engine_for, field):
    """What has none, or is no table, keeps its value and its gradient."""
    problem = make_problem(field)
    parameters = start(problem)
    without = engine_for(problem, parameters, Objective({"weight0": 0.05}, 0.0, 0.3))
    plain = engine_for(problem, parameters, Objective({"weight0": 0.05}))
    assert without.gradient() == plain.gradient()
    for name, gradient in plain.gradients().items():
        assert np.array_equal(without.gradients()[name], gradient)
    seen = engine_for(problem, parameters, Objective({"level0": 1e-4}, 0.0, 0.3))
    exact = engine_for(problem, parameters)
    seen.gradient()
    exact.gradient()
    for name, gradient in exact.gradients().items():
        error = np.abs(seen.gradients()[name] - gradient).max() / np.abs(gradient).max()
        assert (error < 1e-2) == (name != "level0"), name


@each_table
@pytest.mark.parametrize("softness", [0.0, 0.3])
def test_real_tables_are_not_rounded(make_problem, engine_for, field, softness):
    """Their steps tell what a symbol is, for the bits; all else is rounded to its own."""
    problem = make_problem(field)
    parameters, tables = start(problem), tables_of(problem)
    steps = dict.fromkeys(parameters, 0.05)
    real = engine_for(problem, parameters, Objective(steps, 1e-3, softness, real=True))
    others = {name: step for name, step in steps.items() if name not in tables}
    expected = engine_for(problem, parameters, Objective(others)).gradient().mse
    assert real.gradient().mse == real.evaluate().mse == pytest.approx(expected, rel=1e-6)
    assert real.gradient() == real.gradient()
    rounded = engine_for(problem, parameters, Objective(steps, 1e-3)).evaluate()
    assert real.evaluate().mse != pytest.approx(rounded.mse, rel=1e-6)
    assert 0 < real.evaluate().bits_per_pixel != rounded.bits_per_pixel
    coarser = engine_for(problem, parameters, Objective(dict.fromkeys(parameters, 0.1), 1e-3, real=True))
    assert coarser.evaluate().bits_per_pixel < real.evaluate().bits_per_pixel
    assert np.array_equal(real.outputs(), engine_for(problem, parameters, Objective(others)).outputs())


@pytest.mark.parametrize(("field", "less"), [(DENSE, 3), (HASHED, 2.5)], ids=["dense", "hashed"])
def test_rate_falls_with_magnitude(make_problem, engine_for, field, less):
    problem = make_problem(field)
    parameters = start(problem)
    steps = dict.fromkeys(parameters, 0.01)
    large = engine_for(problem, parameters, Objective(steps, 1.0)).evaluate().bits_per_pixel
    tables = tables_of(problem)
    small = {name: value * np.float32(0.1 if name in tables else 1) for name, value in parameters.items()}
    assert engine_for(problem, small, Objective(steps, 1.0)).evaluate().bits_per_pixel < large - less
    bits = laplace_bits(torch.arange(-400.0, 401.0), torch.tensor(2.5))
    assert float((2.0**-bits).sum()) == pytest.approx(1.0, abs=1e-4)


@each_field
def test_updates_go_downhill_and_restore_forgets(make_problem, engine_for, field):
    problem = make_problem(field)
    parameters = start(problem)
    engine = engine_for(problem, parameters)
    first = engine.gradient().mse
    for _ in range(10):
        engine.gradient()
        engine.update(Rates(1e-3, 1e-3))
    moved = engine.parameters()
    assert engine.evaluate().mse < first
    assert all(not np.array_equal(moved[name], parameters[name]) for name in parameters)
    engine.restore(parameters)
    assert engine.gradient().mse == pytest.approx(first, rel=1e-6)
    engine.update(Rates(1e-3, 1e-3))
    fresh = engine_for(problem, parameters)
    fresh.gradient()
    fresh.update(Rates(1e-3, 1e-3))
    for name, value in fresh.parameters().items():
        assert np.array_equal(engine.parameters()[name], value)


def test_grid_and_network_have_their_own_rates(make_problem, engine_for):
    problem = make_problem(DENSE)
    parameters = start(problem)
    engine = engine_for(problem, parameters)
    engine.gradient()
    engine.update(Rates(0.0, 1e-3))
    for name, value in engine.parameters().items():
        assert np.array_equal(value, parameters[name]) == (name in tables_of(problem))


def test_compilation_is_announced(make_problem, monkeypatch):
    monkeypatch.setattr(numba_engine, "_compile", lambda program: numba.njit(lambda x: x + 1)(1))
    problem, messages = make_problem(FIELDS["siren"]), []
    NumbaEngine(problem, start(problem), Objective(), 0).get_ready(messages.append)
    assert messages == ["compiling the numba kernels of this kind of field, once after installation"]


def test_kernels_that_only_take_long_to_load_are_not_announced(make_problem, monkeypatch):
    monkeypatch.setattr(numba_engine, "_compile", lambda program: time.sleep(1.2))
    problem, messages = make_problem(FIELDS["siren"]), []
    NumbaEngine(problem, start(problem), Objective(), 0).get_ready(messages.append)
    assert messages == []


@pytest.mark.parametrize("field", [FIELDS["siren"], HASHED, DENSE], ids=["siren", "hashed", "dense"])
def test_the_number_of_threads_does_not_matter(make_problem, monkeypatch, field):
    cut(monkeypatch, 3)
    monkeypatch.setattr(numba_engine, "SMALL_FLOATS", 0)
    problem, results = make_problem(field), []
    for n in (1, 2, 5):
        monkeypatch.setattr(numba_engine, "n_threads", lambda n=n: n)
        has_rate = field in (DENSE, HASHED)
        objective = Objective(dict.fromkeys(start(problem), 0.02), 0.01, 0.3) if has_rate else Objective()
        engine = NumbaEngine(problem, start(problem), objective, 0)
        for _ in range(3):
            engine.gradient()
            engine.update(Rates(1e-2, 1e-3))
        results.append(engine.parameters())
    for other in results[1:]:
        assert all(np.array_equal(other[name], value) for name, value in results[0].items())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_field
def test_cuda_equals_cpu(make_problem, field):
    problem = make_problem(field)
    parameters = start(problem)
    cpu, cuda = (TorchEngine(problem, parameters, Objective(), 0, device) for device in ("cpu", "cuda"))
    assert cuda.gradient().mse == pytest.approx(cpu.gradient().mse, rel=1e-4)
    for name, gradient in cpu.gradients().items():
        assert np.abs(cuda.gradients()[name] - gradient).max() < 1e-3 * np.abs(gradient).max()


def test_a_sample_of_all_pixels_is_the_full_batch(make_problem, engine_for):
    problem = make_problem(FIELDS["siren"])
    engine = engine_for(problem, start(problem))
    full, gradients = engine.gradient(), engine.gradients()
    sampled = engine.sampled_gradient(np.arange(24), np.arange(20))
    assert sampled.mse == pytest.approx(full.mse)
    assert sampled.squared_error == pytest.approx(full.squared_error)
    for name, gradient in engine.gradients().items():
        assert np.allclose(gradient, gradients[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", [NumbaEngine, TorchEngine, CudaEngine])
def test_samples_of_pixels_add_up_to_the_full_batch(make_problem, kind):
    problem = make_problem(FIELDS["siren"])
    on = ("cuda" if torch.cuda.is_available() else "cpu",) if kind is CudaEngine else ()
    engine = kind(problem, start(problem), Objective(), 0, *on)
    full, gradients = engine.gradient(), engine.gradients()
    parts = [(np.arange(y, 24, 3), np.arange(x, 20, 2)) for y in range(3) for x in range(2)]
    stats, seen = [], []
    for rows, cols in parts:
        stats.append(engine.sampled_gradient(rows, cols))
        seen.append(engine.gradients())
    assert len({each.mse for each in stats}) == 6
    assert np.mean([each.mse for each in stats]) == pytest.approx(full.mse)
    assert np.mean([each.squared_error for each in stats]) == pytest.approx(full.squared_error)
    for name, gradient in gradients.items():
        assert np.allclose(np.mean([each[name] for each in seen], axis=0), gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, field) for kind in (NumbaEngine, TorchEngine) for field in (DENSE, HASHED)] + [(NumbaEngine, Wavelet(2))],
)
def test_samples_of_what_is_computed_whole_are_refused(make_problem, kind, field):
    problem = make_problem(field)
    engine = kind(problem, start(problem), Objective(), 0)
    with pytest.raises(EngineError, match=f"no gradients of some pixels of a {type(field).__name__}"):
        engine.sampled_gradient(np.arange(2), np.arange(3))


def test_rates_of_what_has_none_are_refused(make_problem, engine_for):
    problem = make_problem(FIELDS["siren"])
    with pytest.raises(EngineError, match="a Siren has no rate"):
        engine_for(problem, start(problem), Objective(dict.fromkeys(start(problem), 0.1), 1.0))


@each_field
def test_other_targets(make_problem, engine_for, field):
    problem = make_problem(field)
    parameters, targets = start(problem), np.random.default_rng(5).normal(0, 1, problem.targets.shape).astype("f4")
    engine = engine_for(problem, parameters, Objective(targets=targets))
    expected = float(((engine.outputs().astype("f8") - targets) ** 2).mean())
    assert engine.gradient().mse == engine.evaluate().mse == pytest.approx(expected, rel=1e-4)
    engine.set_objective(Objective())
    assert engine.evaluate() == engine_for(problem, parameters).evaluate()


def test_the_rate_of_wavelets_is_that_of_their_priors(make_problem):
    problem = make_problem(Wavelet(2))
    parameters, rng = start(problem), np.random.default_rng(3)
    shape = parameters["level0"].shape
    locations, scales = rng.normal(0, 1, shape), rng.uniform(0.3, 3, shape)
    symbols, found = np.floor(parameters["level0"] / 0.125 + 0.5), []
    objective = Objective(dict.fromkeys(parameters, 0.125), 0.01)
    engine = NumbaEngine(problem, parameters, objective, 0)
    for moved in (0.0, 1.0):
        priors = Priors((locations + moved).astype(np.float32), scales.astype(np.float32))
        engine.set_objective(replace(objective, rate_model=priors))
        bits = priors.bits(symbols).sum() / problem.geometry.n_pixels
        found.append(engine.evaluate().bits_per_pixel)
        assert found[-1] == engine.gradient().bits_per_pixel == pytest.approx(bits, rel=1e-2)
    assert found[0] != pytest.approx(found[1], rel=0.02)
    engine.set_objective(replace(objective, rate_model=None))
    with pytest.raises(TypeError, match="Priors"):
        engine.evaluate()
