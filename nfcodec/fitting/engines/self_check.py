"""Whether an engine computes what the plain torch engine computes, on a picture of its own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nfcodec.errors import EngineError
from nfcodec.exact.field import FloatArray, Parameters
from nfcodec.exact.geometry import Geometry
from nfcodec.fitting.engines.base import Engine, Objective
from nfcodec.fitting.engines.torch import TorchEngine
from nfcodec.fitting.problem import Problem

SIDE = 64
"""The picture is a square of 4,096 pixels."""


def check_against_reference(
    make: Callable[[Problem, Parameters], Engine],
    example: Callable[[Geometry], Parameters],
    problem: Problem,
    tolerance: float,
    gradient_tolerance: float = 0.02,
) -> None:
    """Raise EngineError unless outputs and gradients for the problem's field agree with the reference's.

    Args:
        example: parameters by which engines can be compared, see `FlatField.example`.
        tolerance: on outputs, relative to values over 1.
        gradient_tolerance: on gradients, relative to the largest of their tensor.
    """
    rng = np.random.default_rng(0)
    geometry = Geometry(SIDE, SIDE, problem.geometry.channels)
    samples = rng.integers(0, problem.peak + 1, (SIDE * SIDE, geometry.channels))
    small = Problem(problem.field, geometry, samples.astype(np.uint16), problem.value_map)
    parameters = example(geometry)
    engine, reference = make(small, parameters), TorchEngine(small, parameters, Objective(), 0, "cpu")
    found, expected = engine.outputs(), reference.outputs()
    _demand(engine, "outputs differ", found, expected, tolerance, np.maximum(1, np.abs(expected)))
    engine.gradient()
    reference.gradient()
    gradients = engine.gradients()
    for name, gradient in reference.gradients().items():
        size = max(float(np.abs(gradient).max()), 1e-30)
        _demand(engine, f"gradient of {name} differs", gradients[name], gradient, gradient_tolerance, size)


def _demand(
    engine: Engine, what: str, found: FloatArray, expected: FloatArray, tolerance: float, size: npt.ArrayLike
) -> None:
    worst = float(np.max(np.abs(found - expected) / size))
    if not worst <= tolerance:
        raise EngineError(f"the engine {engine.name!r}: its {what} from the reference's by up to {worst:.2g}")
