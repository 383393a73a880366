"""What fits from random weights have in common: where they start, and quantizer steps for each tensor."""

from __future__ import annotations

import math

import numpy as np

from nfcodec.fields import Parameters, Siren
from nfcodec.fitting.engines import Engine, Objective
from nfcodec.fitting.problem import Problem


def start_general(problem: Problem, seed: int) -> Parameters:
    """Initial weights; a SIREN's last layer follows the mean and the scale of the targets."""
    initial = problem.spec.initial(problem.geometry, seed)
    if isinstance(problem.spec, Siren):
        initial["weight_out"] *= math.sqrt(problem.gain)
        initial["bias_out"] = problem.targets.mean(axis=0, dtype=np.float64).astype(np.float32)
    return initial


def allowed_mse(problem: Problem, mse: float, margin_db: float, target_db: float) -> float:
    """How much quantization may add to a mean squared error in the fitted domain that is so far over the target."""
    least = 0.01 * problem.gain * 10 ** (-target_db / 10)  # for fits without an error
    return max(mse * (10 ** (min(max(margin_db, 0.05), 100.0) / 10) - 1), least)


def balanced_steps(problem: Problem, engine: Engine, allowed: float) -> dict[str, float]:
    """Quantizer steps whose errors add up to a mean squared error, each tensor's in proportion to its parameters.

    At high rate a tensor's error grows with the square of its step and its bits fall with the step's logarithm, so
    equal error per parameter minimises the bits.
    """
    parameters = engine.parameters()
    engine.set_objective(Objective())
    base = engine.evaluate().mse
    layout = problem.spec.layout(problem.geometry)
    n_parameters = sum(tensor.size for tensor in layout)
    steps: dict[str, float] = {}
    for tensor in layout:
        rms = float((parameters[tensor.name].astype("f8") ** 2).mean() ** 0.5) * tensor.unit
        step, share = max(rms, 1e-9) / 64, allowed * tensor.size / n_parameters
        error = 0.0
        for _ in range(6):
            engine.set_objective(Objective({tensor.name: step}))
            error = engine.evaluate().mse - base
            if error > 0.3 * share:
                break
            step *= 4
        steps[tensor.name] = step * min(1.0, math.sqrt(share / max(error, 1e-30)))
    engine.set_objective(Objective())
    return steps
