from __future__ import annotations

import numpy as np
import pytest

from nfcodec.errors import EngineError
from nfcodec.exact.arithmetic import OUTPUT_BITS
from nfcodec.fields.wavelet.field import Wavelet
from nfcodec.fields.wavelet.rate import Priors
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Objective
from nfcodec.fitting.problem import quantize


def exact_mse(problem, parameters):
    """By the exact decoder, from parameters in steps of 2^-18."""
    weights = quantize(problem, parameters, dict.fromkeys(parameters, 2.0**-18))
    outputs = problem.field.evaluate(problem.geometry, weights) * 2.0**-OUTPUT_BITS
    return float(np.square(outputs - problem.targets).mean())


def random_parameters(problem, rng):
    layout = problem.field.layout(problem.geometry)
    return {tensor.name: rng.normal(0, 0.2, tensor.shape).astype(np.float32) for tensor in layout}


def engine_for(problem, parameters, objective=None):
    return engines.create("numba", "cpu", problem, parameters, objective or Objective(), 0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (8, 1), (13, 22), (64, 130)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_equal_differences_of_the_exact_decoder(make_problem, shape, channels):
    """The error is quadratic in each tensor of a linear field, so that wide differences are exact."""
    problem = make_problem(Wavelet(3), *shape, channels)
    rng = np.random.default_rng(0)
    parameters = random_parameters(problem, rng)
    engine = engine_for(problem, parameters)
    assert engine.gradient().mse == pytest.approx(exact_mse(problem, parameters), rel=2e-3)
    step = 0.25
    for name, gradient in engine.gradients().items():
        direction = rng.normal(0, 1, gradient.shape)
        sides = [{**parameters, name: parameters[name] + sign * step * direction} for sign in (1, -1)]
        ahead, behind = (exact_mse(problem, side) for side in sides)
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction) / gradient.size**0.5
        expected = (ahead - behind) / (2 * step)
        assert abs(float((gradient * direction).sum()) - expected) < 0.005 * scale, name


def test_targets_can_be_changed_and_come_back(make_problem):
    problem = make_problem(Wavelet(3))
    parameters = random_parameters(problem, np.random.default_rng(0))
    engine, shift = engine_for(problem, parameters), np.float32(0.25)
    before = engine.gradient().mse
    engine.set_objective(Objective(targets=problem.targets + shift))
    shifted = {**parameters, "bias_out": parameters["bias_out"] - shift}
    assert engine.gradient().mse == pytest.approx(engine_for(problem, shifted).gradient().mse, rel=1e-5)
    engine.set_objective(Objective())
    assert engine.gradient().mse == before


def test_bits_are_those_of_the_priors(make_problem):
    """With a quantizer that is all but hard, of coefficients that are whole steps."""
    problem, rng = make_problem(Wavelet(2), 24, 20), np.random.default_rng(0)
    step, shape = 2.0**-4, (24, 20, 3)
    symbols = np.round(rng.laplace(0, 3, shape))
    priors = Priors(rng.normal(0, 2, shape).astype(np.float32), rng.uniform(0.5, 4, shape).astype(np.float32))
    parameters = random_parameters(problem, rng) | {"level0": (symbols * step).astype(np.float32)}
    steps = dict.fromkeys(parameters, 2.0**-12) | {"level0": step}
    stats = engine_for(problem, parameters, Objective(steps, 0.1, 0.0, rate_model=priors)).evaluate()
    expected = float(priors.bits(symbols).sum()) / problem.geometry.n_pixels
    assert stats.bits_per_pixel == pytest.approx(expected, rel=0.02)


def test_filters_are_refused(make_problem):
    """Gradient steps are those of the linear part."""
    problem = make_problem(Wavelet(2, 16))
    with pytest.raises(EngineError):
        engine_for(problem, random_parameters(problem, np.random.default_rng(0)))
