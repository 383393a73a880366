from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from nfcodec.coding.levels import FEATURES, NEIGHBOURS
from nfcodec.coding.payload import estimate_bytes
from nfcodec.errors import UsageError
from nfcodec.exact.arithmetic import Quantized, Step
from nfcodec.exact.geometry import Geometry
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.ngp.levels import DenseLevel
from nfcodec.fields.plan import candidates, default_ngp, default_siren, table_ngp, wavelet_ngps
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.solve import solve
from nfcodec.fields.table.analysis import analyse, color_basis, suits_analysis
from nfcodec.fields.table.pyramid import start_dense
from nfcodec.fitting.engines.torch_fields import Band, torch_field
from nfcodec.fitting.fine_tuning import solve_general, widened
from nfcodec.fitting.landing import land, land_by_step
from nfcodec.fitting.problem import quantize
from nfcodec.fitting.request import Request

SMALL = Geometry(24, 20, 3)
DENSE = Ngp(
    tuple(DenseLevel(s, 3) for s in (3, 2, 1, 0)), hidden=(8,), bias=True, skip=True
)  # as the default field of larger pictures


def outputs(problem, parameters) -> np.ndarray:
    field = torch_field(problem.spec, problem.geometry, torch.device("cpu"))
    tensors = {name: torch.from_numpy(value) for name, value in parameters.items()}
    return field(tensors, Band(0, problem.geometry.height)).numpy()


# ---------------------------------------------------------------------------------------------------------- analysis


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(24, 20), (1, 1), (1, 9), (17, 3)])
@pytest.mark.parametrize("step", [0.01, 0.1])
def test_analysis_reproduces_the_targets(make_problem, channels, shape, step):
    spec = Ngp(tuple(DenseLevel(s, channels) for s in (3, 1, 0)), hidden=(4,), bias=True, skip=True)
    problem = make_problem(spec, *shape, channels)
    step = Step.nearest(step).value
    initial = spec.initial(problem.geometry, 0)
    parameters, steps = analyse(spec, problem.geometry, problem.targets, step, initial)
    assert np.abs(outputs(problem, parameters) - problem.targets).max() < 1e-5
    all_steps = {name: steps.get(name, 2.0**-14) for name in parameters}
    exact = spec.evaluate(problem.geometry, quantize(problem, parameters, all_steps)) * 2.0**-24
    assert np.abs(exact - problem.targets).max() <= channels**0.5 * step / 2 + 1e-3


def test_analysis_leaves_the_network_silent(make_problem):
    problem = make_problem(DENSE)
    initial = DENSE.initial(problem.geometry, 0)
    parameters, steps = analyse(DENSE, problem.geometry, problem.targets, 0.05, initial)
    assert np.array_equal(parameters["weight0"], initial["weight0"])
    assert not parameters["weight1"].any()
    assert steps == dict.fromkeys(["level0", "level1", "level2", "level3"], 0.05)


def test_color_basis_is_orthonormal_and_sorted(make_problem):
    problem = make_problem(DENSE)
    mean, axes = color_basis(problem.targets, problem.geometry)
    assert np.allclose(mean, problem.targets.mean(axis=0))
    assert np.allclose(axes.T @ axes, np.eye(3))
    assert np.all(axes.sum(axis=0) >= 0)
    image = (problem.targets @ axes).reshape(problem.geometry.height, problem.geometry.width, 3)
    differences = np.concatenate([np.diff(image, axis=axis).reshape(-1, 3) for axis in (0, 1)])
    moments = differences.T @ differences
    assert np.allclose(moments, np.diag(np.diag(moments)), atol=1e-4 * moments.max())
    assert np.all(np.diff(np.diag(moments)) <= 0)


def test_color_basis_of_a_pixel_and_of_lines():
    for height, width in ((1, 1), (1, 5), (5, 1)):
        targets = np.arange(3.0 * height * width, dtype=np.float32).reshape(-1, 3)
        _, axes = color_basis(targets, Geometry(height, width, 3))
        assert np.allclose(axes.T @ axes, np.eye(3))


def test_what_suits_the_analysis():
    geometry = Geometry(24, 20, 3)
    assert suits_analysis(DENSE, geometry)
    unsuited = [
        Siren(8),
        Ngp.instant(64),
        Ngp((DenseLevel(0, 3),), hidden=(4,)),
        Ngp((DenseLevel(0, 3),), hidden=(4,), skip=True),
        Ngp((DenseLevel(1, 3), DenseLevel(0, 2)), bias=True, skip=True),
        Ngp((DenseLevel(1, 3),), bias=True, skip=True),
    ]
    assert not any(suits_analysis(spec, geometry) for spec in unsuited)


@pytest.mark.parametrize(("transform", "gain"), [("none", 1.0), ("scale:2", 4.0), ("inversion", 1.0)])
def test_allowed_mse(make_problem, transform, gain):
    problem, rounding = make_problem(DENSE, transform=transform), 1 / 12 / 255**2
    assert problem.allowed_mse(30.0) == pytest.approx(gain * (1e-3 - rounding))
    assert problem.allowed_mse(60.0) == pytest.approx(gain * 1e-6 / 2)  # rounding alone would cost more


# ----------------------------------------------------------------------------------------------------------- landing


@pytest.mark.parametrize("psnr_db", [20.0, 33.3, 45.0, 55.0])
def test_landing_by_step_ends_just_over_the_target(make_problem, psnr_db):
    problem = make_problem(DENSE)
    request = Request(psnr_db, 5, 0)
    landed = land_by_step(problem, request, lambda coarseness: start_dense(problem, request, coarseness))
    assert landed.psnr_db == problem.exact_psnr_db(landed.weights)
    assert psnr_db <= landed.psnr_db < psnr_db + 1.5


@pytest.mark.parametrize("coarseness", [0.8, 1.0, 1.3])
def test_landing_moves_symbols_to_the_target(make_problem, coarseness):
    problem = make_problem(DENSE)
    request = Request(36.0, 5, 0)
    before = quantize(problem, *start_dense(problem, request, coarseness))
    before_db = problem.exact_psnr_db(before)
    landed = land(problem, request, before)
    assert landed.psnr_db == problem.exact_psnr_db(landed.weights)
    moves = {name: np.abs(weight.symbols - before[name].symbols).max() for name, weight in landed.weights.items()}
    assert max(moves.pop("level3"), 1) == 1
    assert not any(moves.values())
    if before_db >= 36.0:
        assert 36.0 <= landed.psnr_db <= before_db
    else:
        assert landed.psnr_db >= before_db


@pytest.mark.parametrize("offset_db", [-0.5, 0.5])
def test_landing_by_a_poor_estimate_still_keeps_the_promise(make_problem, offset_db):
    """The estimate is off by half a decibel for the first weights, and by nothing for the others."""
    problem = make_problem(DENSE)
    request = Request(36.0, 5, 0)
    start = quantize(problem, *start_dense(problem, request, 0.7))

    def estimate_db(weights) -> float:
        return problem.exact_psnr_db(weights) + (offset_db if weights is start else 0.0)

    landed = land(problem, request, start, estimate_db)
    assert landed.psnr_db >= 36.0
    assert landed.psnr_db == problem.exact_psnr_db(landed.weights)


def test_long_fits_are_announced(make_problem):
    problem, events = make_problem(DENSE), []
    request = Request(36.0, 5, 0, listen=events.append)
    request.announce(problem, 5.0)
    assert not events
    request.announce(problem, 75.0)
    request.announce(problem, 600.0)
    replace(request, deadline=time.monotonic() + 30).announce(problem, 600.0)
    first, second, third = (event.message for event in events)
    assert first.startswith("about 75 s and 0.2 GB")
    assert second.startswith("about 10 minutes and")
    assert third.startswith("about 30 s")


def test_landing_repairs_a_shortfall(make_problem):
    """Symbols that are off by one where it hurts come back."""
    problem = make_problem(DENSE)
    request = Request(36.0, 5, 0)
    weights = quantize(problem, *start_dense(problem, request, 0.8))
    spoilt = weights["level3"].symbols.copy()
    spoilt[::3, ::2] += 1
    start = {**weights, "level3": Quantized(spoilt, weights["level3"].step)}
    assert problem.exact_psnr_db(start) < 36.0
    assert land(problem, request, start).psnr_db >= 36.0


# ------------------------------------------------------------------------------------------------------------- solve


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("transform", ["none", "rpp"])
def test_default_ngp_reaches_its_target(make_problem, channels, transform):
    geometry = Geometry(24, 20, channels)
    fields = candidates("ngp", geometry, transform == "rpp", 35.0)
    problems = [make_problem(spec, channels=channels, transform=transform) for spec in fields]
    solution, problem = solve(problems, Request(35.0, 3, 0))
    assert problem in problems
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert 35.0 <= solution.trial.psnr_db < 36.0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(24, 20), (64, 70)], ids=str)
def test_default_dense_levels_reach_their_target(make_problem, channels, shape):
    problem = make_problem(default_ngp(Geometry(*shape, channels)), *shape, channels)
    solution, _ = solve([problem], Request(35.0, 3, 0, device="cpu", max_steps=100))
    assert solution.trial.psnr_db == problem.exact_psnr_db(solution.trial.weights)
    assert 35.0 <= solution.trial.psnr_db < 36.0


@pytest.mark.parametrize("spec", [DENSE, Siren(width=24, hidden_layers=2)], ids=["dense", "siren"])
def test_fits_reach_their_target_and_repeat_exactly(make_problem, spec):
    events, solutions = [], []
    for _ in range(2):
        problem = make_problem(spec, channels=3)
        request = Request(35.0, 2, 7, device="cpu", started=time.monotonic(), listen=events.append)
        solutions.append(solve([problem], request)[0])
    first, second = solutions
    assert first.trial.psnr_db >= 35.0
    assert first.steps == second.steps > 0
    assert (first.engine, first.device) == ("numba", "cpu")
    assert all(event.target_psnr_db == 35.0 and event.seconds >= 0 for event in events)
    assert {event.phase for event in events} >= {"fit", "quantize"}
    for name, weight in first.trial.weights.items():
        assert weight.step == second.trial.weights[name].step
        assert np.array_equal(weight.symbols, second.trial.weights[name].symbols)


def test_other_seeds_give_other_fits(make_problem):
    problem = make_problem(Siren(width=16, hidden_layers=1), channels=1)
    a, b = (solve([problem], Request(25.0, 1, seed))[0] for seed in (1, 2))
    assert any(
        not np.array_equal(a.trial.weights[name].symbols, b.trial.weights[name].symbols) for name in a.trial.weights
    )


def test_a_fit_makes_the_file_smaller(make_problem):
    problem = make_problem(DENSE, 40, 40)
    layout, sizes = problem.spec.layout(problem.geometry), []
    for max_steps in (0, 70):
        solution, _ = solve([problem], Request(38.0, 4, 0, max_steps=max_steps))
        assert solution.trial.psnr_db >= 38.0
        symbols = {name: weight.symbols for name, weight in solution.trial.weights.items()}
        sizes.append(min(estimate_bytes(layout, order, symbols) for order in (NEIGHBOURS, FEATURES)))
    assert sizes[1] < sizes[0]


def test_fields_widen_until_they_can(make_problem):
    problem = make_problem(Siren(width=4, hidden_layers=1), channels=1)
    solution, widened_problem = solve_general(problem, Request(30.0, 1, 0, max_steps=150))
    assert solution.steps <= 150
    assert widened_problem.spec.width >= 4
    wider = widened(problem)
    assert wider is not None
    assert wider.spec == Siren(width=6, hidden_layers=1)
    assert widened(make_problem(DENSE)) is None
    assert widened(make_problem(Siren(4096))) is None


@pytest.mark.parametrize("spec", [DENSE, Siren(width=16, hidden_layers=1)], ids=["dense", "siren"])
def test_an_expired_deadline_ends_at_once(make_problem, spec):
    problem = make_problem(spec)
    solution, _ = solve([problem], Request(45.0, 9, 0, deadline=time.monotonic() - 1))
    assert solution.steps == 0
    assert math.isfinite(solution.trial.psnr_db)


# -------------------------------------------------------------------------------------------------------------- plan


def test_default_fields():
    for channels in (1, 3):
        for shape in ((1, 1), (1, 300), (24, 20), (512, 768)):
            geometry = Geometry(*shape, channels)
            spec = default_ngp(geometry)
            assert suits_analysis(spec, geometry)
            assert spec.levels[-1] == DenseLevel(0, channels)
            assert max(spec.levels[0].shape(geometry)[:2]) <= max(2, *(-(-side // 64) for side in shape), max(shape))
    assert default_ngp(Geometry(512, 768, 3)).levels[0].log2_stride == 6
    assert table_ngp(SMALL).levels == (DenseLevel(0, 3),)


def test_sirens_grow_with_the_target():
    widths = [default_siren(Geometry(128, 128, 1), False, psnr_db).width for psnr_db in (20, 30, 40, 50)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    per_pixel = Siren(widths[-1]).n_parameters(Geometry(128, 128, 1)) / 128**2
    assert 2.7 < per_pixel < 3.4
    permuted = default_siren(Geometry(128, 128, 1), True, 20)
    assert permuted.n_parameters(Geometry(128, 128, 1)) > 1.8 * 128**2


def test_candidates():
    spec = Siren(9)
    assert candidates(spec, SMALL, True, 40) == [spec]
    assert candidates("ngp", SMALL, False, 40) == wavelet_ngps(SMALL)
    assert candidates("ngp", SMALL, False, 40, wavelets=False) == [default_ngp(SMALL)]
    assert table_ngp(SMALL) in candidates("ngp", SMALL, True, 40)
    with pytest.raises(UsageError, match="ngp, siren"):
        candidates("wavelet", SMALL, False, 40)
