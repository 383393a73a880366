"""Fitting a wavelet level: analysis, quantization that weighs errors against bits, and gradient steps on both.

The networks that code the symbols are also the rate model. What they predict is taken as constant, and predicted anew
every few steps from the rounded coefficients, so that a step costs no more than the field itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nfcodec.fields import Ngp, Parameters, Quantized, Step, WaveletLevel
from nfcodec.fitting import engines
from nfcodec.fitting.analysis import color_basis, wavelet_coefficients
from nfcodec.fitting.engines import Engine, Objective, Rates, Stats
from nfcodec.fitting.landing import Weights, estimated_db, land, land_by_step, wishes_of
from nfcodec.fitting.loop import Schedule, fit
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.rate import Floats, Prior, estimated_bytes, laplace_bits, prior_of
from nfcodec.fitting.solution import Request, Solution, quantize

DEAD_ZONE = 0.4
"""Magnitudes round up from 1 - this in the first analysis: zeros are cheap."""

STEP_RATIO = 4.5
"""Start of the quantizer step over the root mean squared error that the target allows."""

PRICE = 0.1
"""What a bit may cost in squared error, in squares of the quantizer step. (At high rates it is 2 ln 2 / 12.)"""

ROUNDS = 2
"""How often quantization and prediction take turns."""

TRIALS, CLOSE_DB = 4, 0.03
PRICES, RETRIES = 12, 3
STEP_EXPONENT = 0.8
"""The error grows with about this power of the quantizer step."""

FIT_STEPS = {1: 0, 2: 30, 3: 60, 4: 150, 5: 300, 6: 600, 7: 1200, 8: 2400, 9: 4000}
GRID_RATE, LAST_RATE = 0.05, 0.02
"""Learning rate of the coefficients in quantizer steps, and the factor on it at the end."""

NETWORK_RATE = 0.12
"""Learning rate of everything else, in quantizer steps of the coefficients."""

SOFTNESS = (0.35, 0.1)
STEP_GRADIENTS = 1.5
"""The time of a whole step, with its share of evaluations and predictions, in gradients."""

PREDICTION_INTERVAL, CONTROL_INTERVAL = 10, 5
CONTROL_GAIN = 0.3
"""log2(lambda) moves by this much per dB off the target, each interval."""

WORTHWHILE_BYTES = (8_000, 25_000, 40_000)
"""Files of so many bytes repay the next wider network."""


def suits_wavelet(problem: Problem) -> bool:
    """Whether a field is one wavelet level, a feature a channel, with the linear part that reads it."""
    spec = problem.spec
    if not (isinstance(spec, Ngp) and isinstance(spec.levels[0], WaveletLevel) and spec.skip and spec.bias):
        return False
    return spec.levels[0].features == problem.geometry.channels and len(spec.hidden) <= 1


def start_wavelet(problem: Problem, request: Request, coarseness: float = 1.0) -> tuple[Parameters, dict[str, float]]:
    """Parameters by analysis, rounded, and quantizer steps for all tensors, in the unit of the stored values."""
    spec = problem.spec
    assert isinstance(spec, Ngp)
    error = math.sqrt(problem.allowed_mse(request.psnr_db))
    step = Step.nearest(STEP_RATIO * coarseness * error).value
    finest = max(1.0, float(np.abs(problem.targets).max())) * 2.0**-20  # or symbols would not fit
    linear_step = 2.0 ** math.floor(math.log2(max(error / 16, finest)))
    parameters = spec.initial(problem.geometry, request.seed)
    steps = dict.fromkeys(parameters, linear_step) | {"level0": step}
    mean, axes = color_basis(problem.targets, problem.geometry)
    parameters["bias_out"], parameters["skip"] = mean.astype(np.float32), axes.astype(np.float32)
    if spec.hidden:
        _start_network(spec, parameters, steps, step)
    scaled = _coefficients(problem, parameters, steps) / step
    parameters["level0"] = (np.sign(scaled) * np.floor(np.abs(scaled) + DEAD_ZONE) * step).astype(np.float32)
    return parameters, steps


def _start_network(spec: Ngp, parameters: Parameters, steps: dict[str, float], step: float) -> None:
    """A hidden layer that sees differences of neighbours and adds nothing yet; weights of about 1 / 10."""
    weight = parameters["weight0"]
    if spec.window:
        by_offset = weight.reshape(len(weight), 9, -1)
        by_offset -= by_offset.mean(axis=1, keepdims=True)
    weight *= np.float32(0.1 / max(1e-9, float(weight.std())))
    parameters["weight1"][:] = 0
    steps["weight0"] = steps["weight1"] = 2.0**-7
    steps["bias0"] = 2.0 ** math.floor(math.log2(step)) / 16


def _coefficients(problem: Problem, parameters: Parameters, steps: Mapping[str, float]) -> Floats:
    """The picture's coefficients (H, W, C) through the linear part as the file will hold it."""
    spec, geometry = problem.spec, problem.geometry
    assert isinstance(spec, Ngp)
    level = spec.levels[0]
    assert isinstance(level, WaveletLevel)

    def as_stored(name: str) -> Floats:
        return np.asarray(np.round(parameters[name] / steps[name]), np.float64) * steps[name]

    inverse = np.linalg.pinv(as_stored("skip"))
    colors: Floats = np.matmul(problem.targets - as_stored("bias_out"), np.transpose(inverse))
    return wavelet_coefficients(colors.reshape(geometry.height, geometry.width, -1), level.n_levels)


def solve_wavelet(problems: Sequence[Problem], request: Request) -> tuple[Solution, Problem]:
    """Fit fields of one wavelet level; also return which of them it was.

    The result may miss the target; the caller decides what that means.

    Args:
        problems: the same picture with networks of different widths, the smallest first. How many bytes the first
            takes without steps decides which one the steps are spent on.
    """
    began, problem = time.monotonic(), problems[0]
    trial = land_by_step(problem, request, lambda coarseness: start_wavelet(problem, request, coarseness))
    flat = not trial.weights["level0"].symbols.any()
    if flat or trial.psnr_db < request.psnr_db or math.isinf(trial.psnr_db):
        return Solution(trial, 0, 0, time.monotonic() - began, "analysis", "cpu"), problem
    trial = _weigh(problem, request, trial)
    n_steps = FIT_STEPS[request.effort]
    n_steps = n_steps if request.max_steps is None else min(request.max_steps, n_steps)
    analysed = Solution(trial, 0, 0, time.monotonic() - began, "analysis", "cpu")
    if n_steps == 0 or request.expired():
        return analysed, problem
    n_bytes = estimated_bytes(problem, trial.weights)
    wider = problems[sum(n_bytes >= bound for bound in WORTHWHILE_BYTES[: len(problems) - 1])]
    fitted = _fit(wider, request, trial, n_steps, began)
    if fitted.trial.psnr_db < request.psnr_db or estimated_bytes(wider, fitted.trial.weights) >= n_bytes:
        return replace(analysed, steps=fitted.steps, fit_steps=fitted.steps, fit_seconds=fitted.fit_seconds), problem
    return fitted, wider


def _fit(problem: Problem, request: Request, start: Trial, n_steps: int, began: float) -> Solution:
    """Gradient steps on errors and bits, from quantized coefficients and the exact ones, half and half."""
    parameters, steps = start_wavelet(problem, request)
    steps["level0"] = step = start.weights["level0"].step.value
    exact = _coefficients(problem, parameters, steps)
    parameters["level0"] = (0.5 * (start.weights["level0"].values + exact)).astype(np.float32)
    rate_weight = PRICE * step**2 / problem.geometry.channels
    objective = Objective(steps, rate_weight, SOFTNESS[0], priors=prior_of(problem, start.weights["level0"]))
    engine = engines.create(request.engine, request.device, problem, parameters, objective, request.seed, request.note)
    probe = time.monotonic()
    engine.gradient()
    request.announce(problem, n_steps * STEP_GRADIENTS * (time.monotonic() - probe))
    control = _Control(engine, objective, problem, request.psnr_db, n_steps)
    schedule = Schedule(math.inf, n_steps, Rates(GRID_RATE * step, NETWORK_RATE * step), request.deadline, LAST_RATE)
    result = fit(problem, engine, schedule, request.clock("fit"), control)
    weights = quantize(problem, result.parameters, steps)
    trial = land(problem, request, weights, lambda moved: estimated_db(problem, engine, moved))
    return Solution(trial, result.steps, result.steps, time.monotonic() - began, engine.name, engine.device)


@dataclass
class _Control:
    """Hardens the quantizer over the fit, renews predictions, and steers lambda so that the fit ends at the target."""

    engine: Engine
    objective: Objective
    problem: Problem
    psnr_db: float
    n_steps: int

    def __call__(self, step: int, stats: Stats) -> None:
        rate_weight, priors, progress = self.objective.rate_weight, self.objective.priors, (step + 1) / self.n_steps
        if step % CONTROL_INTERVAL == CONTROL_INTERVAL - 1:
            rounded_db = self.problem.psnr_db(self.engine.evaluate().squared_error)
            excess_db = max(-2.0, min(2.0, rounded_db - self.psnr_db))
            rate_weight *= 2 ** (CONTROL_GAIN * excess_db)
        if step % PREDICTION_INTERVAL == PREDICTION_INTERVAL - 1:
            level = quantize(self.problem, self.engine.parameters(), self.objective.steps)["level0"]
            priors = prior_of(self.problem, level)
        softness = SOFTNESS[0] + (SOFTNESS[1] - SOFTNESS[0]) * progress
        self.objective = replace(self.objective, rate_weight=rate_weight, softness=softness, priors=priors)
        self.engine.set_objective(self.objective)


def _weigh(problem: Problem, request: Request, start: Trial) -> Trial:
    """Quantize again, each coefficient to what costs least in errors and bits, and end at the target."""
    trial, coarseness = start, 1.0
    steps = {name: weight.step.value for name, weight in start.weights.items()}
    parameters = {name: weight.values.astype(np.float32) for name, weight in start.weights.items()}
    exact = _coefficients(problem, parameters, steps)
    clock = request.clock("quantize")
    for trial_number in range(TRIALS):
        step = Step.nearest(steps["level0"] * coarseness)
        symbols = np.round(exact / step.value).astype(np.int64)
        for _ in range(ROUNDS):
            symbols = weighed(exact / step.value, prior_of(problem, Quantized(symbols, step)))
        trial = problem.trial({**start.weights, "level0": Quantized(symbols, step)})
        clock.tell(trial_number, TRIALS, trial.psnr_db)
        excess_db = trial.psnr_db - request.psnr_db
        if abs(excess_db) < CLOSE_DB or math.isinf(excess_db):
            break
        coarseness *= 10 ** (excess_db / 20 / STEP_EXPONENT)
    trial = _land(problem, request, trial.weights, problem.exact_psnr_db)
    return trial if trial.psnr_db >= request.psnr_db else start


def _land(problem: Problem, request: Request, weights: Weights, estimate_db: Callable[[Weights], float]) -> Trial:
    """Quantize once more what the field's own error says the coefficients should be, at the price that just suffices.

    Args:
        estimate_db: a quick stand-in for the exact decoder's PSNR; what is returned has been checked exactly.
    """
    clock, best = request.clock("quantize"), problem.trial(weights)
    bias_db = best.psnr_db - estimate_db(weights)
    level, prior = weights["level0"], prior_of(problem, weights["level0"])
    _, wishes = wishes_of(problem, weights, problem.spec.evaluate(problem.geometry, weights))
    exact, margin_db = np.asarray(level.symbols + wishes, np.float64), 0.0
    for _ in range(RETRIES):
        low, high, found = 0.0, 4 * PRICE, weights
        for trial_number in range(PRICES):
            price = (low + high) / 2
            moved = {**weights, "level0": Quantized(weighed(exact, prior, price), level.step)}
            psnr_db = estimate_db(moved) + bias_db
            clock.tell(trial_number, PRICES, psnr_db)
            if psnr_db >= request.psnr_db + margin_db:
                low, found = price, moved
            else:
                high = price
            if 0 <= psnr_db - request.psnr_db - margin_db < CLOSE_DB / 10:
                break
        trial = problem.trial(found)
        if trial.psnr_db >= request.psnr_db:
            return trial
        margin_db += 2 * (request.psnr_db - trial.psnr_db)
    return land(problem, request, weights, estimate_db)


def weighed(exact: Floats, prior: Prior, price: float = PRICE) -> npt.NDArray[np.int64]:
    """Coefficients in quantizer steps to the nearest integer, or to the next one towards the prediction.

    Whichever has the smaller sum of squared error, in a nearly orthonormal basis, and price times bits.
    """
    location = prior[0].astype(np.float64)
    nearest = np.round(exact)
    other = nearest + np.sign(np.round(location) - nearest)
    gain = price * (laplace_bits(nearest, prior) - laplace_bits(other, prior))
    worse = np.square(exact - other) - np.square(exact - nearest)
    return np.where(gain > worse, other, nearest).astype(np.int64)
