"""Fitting a wavelet level: analysis, quantization that weighs errors against bits, and gradient steps on both.

The networks that code the symbols are also the rate model. What they predict is taken as constant, and predicted anew
every few steps from the rounded coefficients, so that a step costs no more than the field itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nfcodec.fields import Ngp, Parameters, Quantized, Step, WaveletLevel
from nfcodec.fitting import engines
from nfcodec.fitting.analysis import color_basis, wavelet_coefficients
from nfcodec.fitting.engines import Engine, Objective, Rates, Stats
from nfcodec.fitting.landing import Weights, land, land_by_step, wishes_of
from nfcodec.fitting.loop import FitResult, Schedule, fit
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.rate import Floats, Prior, estimated_bytes, laplace_bits, prior_of
from nfcodec.fitting.restoration import choose, restored
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

FITS: dict[int, list[tuple[int, float]]] = {1: [], 2: [(30, 1.0)], 3: [(60, 1.0)], 4: [(150, 1.0)], 5: [(300, 1.0)]}
FITS[6] = [*FITS[5], (300, 0.93)]
FITS[7] = [*FITS[6], (600, 1.0)]
FITS[8] = [*FITS[7], (600, 0.93), (1200, 1.0)]
FITS[9] = [*FITS[8], (2400, 1.0)]
"""Gradient steps, and a factor on the quantizer step, of all fits at an effort; the smallest file wins. More steps do
not always make smaller files, so from effort 5 on each effort does what those below it do, and more."""

GRID_RATE, LAST_RATE = 0.05, 0.02
"""Learning rate of the coefficients in quantizer steps, and the factor on it at the end."""

NETWORK_RATE = 0.12
"""Learning rate of everything else, in quantizer steps of the coefficients."""

COARSER = 1.16
"""Factor on the quantizer step where gradient steps and filters will make up for it (steps alone do not)."""

SOFTNESS = (0.35, 0.1)
STEP_GRADIENTS = 7.0
"""The time of a whole step, with its share of the renewals, which take most of it, in gradients."""

RENEWAL_INTERVAL = 10
"""Gradient steps between renewals of predictions, filters and lambda."""

CONTROL_GAIN = 0.7
"""log2(lambda) moves by this much per dB off the target, each interval."""


def suits_wavelet(problem: Problem) -> bool:
    """Whether a field is one wavelet level, a feature a channel, with the linear part that reads it and no network.

    The filters that ship with the package are no hindrance.
    """
    spec = problem.spec
    if not (isinstance(spec, Ngp) and isinstance(spec.levels[0], WaveletLevel) and spec.skip and spec.bias):
        return False
    return spec.levels[0].features == problem.geometry.channels and len(spec.hidden) == spec.shipped


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
    scaled = _coefficients(problem, parameters, steps) / step
    parameters["level0"] = (np.sign(scaled) * np.floor(np.abs(scaled) + DEAD_ZONE) * step).astype(np.float32)
    return parameters, steps


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
        problems: the same picture without filters, then with more and more of them; or one with filters alone.
    """
    began, forced = time.monotonic(), _without_filters(problems[0])
    problems = [forced, *problems] if forced else problems
    plain = problems[0]
    start = land_by_step(plain, request, lambda coarseness: start_wavelet(plain, request, coarseness))
    flat = not start.weights["level0"].symbols.any()
    if flat or start.psnr_db < request.psnr_db or math.isinf(start.psnr_db):
        return Solution(start, 0, 0, time.monotonic() - began, "analysis", "cpu"), plain
    problem, gain_db = choose(problems, start.weights, forced is not None)
    trial = _analysed(problem, plain, request, start.weights, gain_db)
    if trial.psnr_db < request.psnr_db and problem is not plain:
        problem, trial = plain, _analysed(plain, plain, request, start.weights, 0.0)
    if trial.psnr_db < request.psnr_db:  # as with values that outputs cannot tell apart
        problem, trial = plain, start
    analysed = Solution(trial, 0, 0, time.monotonic() - began, "analysis", "cpu")
    return _best_fit(problem, plain, request, analysed, began), problem


def _best_fit(problem: Problem, plain: Problem, request: Request, analysed: Solution, began: float) -> Solution:
    """The smallest of what was `analysed` and of all fits from there that the effort asks for."""
    best, start = analysed, analysed.trial.weights
    best_bytes, done = estimated_bytes(problem, start), 0
    left = sum(n_steps for n_steps, _ in FITS[request.effort])
    left = left if request.max_steps is None else min(left, request.max_steps)
    for n_steps, factor in FITS[request.effort]:
        n_steps = min(n_steps, left - done)
        if n_steps == 0 or request.expired():
            break
        announced = 0 if done else left
        weights, result, engine = _fit(problem, plain, request, start, (n_steps, factor), announced)
        trial = land(problem, request, weights, _rest(problem, plain, weights).exact_psnr_db)
        done += result.steps
        n_bytes = estimated_bytes(problem, trial.weights)
        if trial.psnr_db >= request.psnr_db and n_bytes < best_bytes:
            best, best_bytes = replace(best, trial=trial, engine=engine.name, device=engine.device), n_bytes
    return replace(best, steps=done, fit_steps=done, fit_seconds=time.monotonic() - began)


def _analysed(problem: Problem, plain: Problem, request: Request, start: Weights, gain_db: float) -> Trial:
    """A field whose filters are to gain so many dB, without gradient steps; it may miss the target."""
    weights = _weigh(plain, replace(request, psnr_db=request.psnr_db - gain_db), start)
    return _weigh_again(problem, plain, request, restored(problem, plain, weights))


def _rest(problem: Problem, plain: Problem, weights: Weights) -> Problem:
    """What is left for the linear part (`plain`) to fit, if the filters' effect stays what it is with these weights."""
    if problem is plain:
        return plain
    assert isinstance(problem.spec, Ngp)
    filters = replace(problem.spec, skip=False, bias=False)
    names = [tensor.name for tensor in filters.layout(problem.geometry)]
    return replace(plain, constant=filters.evaluate(problem.geometry, {name: weights[name] for name in names}))


def _without_filters(problem: Problem) -> Problem | None:
    """The same problem for the field's linear part, if it has more."""
    spec = problem.spec
    return (
        replace(problem, spec=replace(spec, hidden=(), shipped=False))
        if isinstance(spec, Ngp) and spec.shipped
        else None
    )


def _fit(
    problem: Problem, plain: Problem, request: Request, start: Weights, recipe: tuple[int, float], announced: int
) -> tuple[Weights, FitResult, Engine]:
    """Gradient steps on errors and bits, from quantized coefficients and the exact ones, half and half.

    They are the linear part's; the filters follow every now and then.

    Args:
        recipe: one of `FITS`.
        announced: how many steps the listener is told about; 0 for nothing.
    """
    n_steps, factor = recipe
    layout = [tensor.name for tensor in plain.spec.layout(plain.geometry)]
    parameters = {name: start[name].values.astype(np.float32) for name in layout}
    steps = {name: start[name].step.value for name in layout}
    coarser = factor if problem is plain else factor * COARSER
    rest, step = _rest(problem, plain, start), Step.nearest(coarser * steps["level0"]).value
    steps["level0"] = step
    priors = prior_of(plain, quantize(plain, parameters, steps)["level0"])
    exact = _coefficients(rest, parameters, steps)
    parameters["level0"] = (0.5 * (start["level0"].values + exact)).astype(np.float32)
    rate_weight = PRICE * step**2 / plain.geometry.channels
    objective = Objective(steps, rate_weight, SOFTNESS[0], priors=priors, targets=rest.targets)
    engine = engines.create(request.engine, request.device, plain, parameters, objective, request.seed, request.note)
    probe = time.monotonic()
    engine.gradient()
    request.announce(plain, announced * STEP_GRADIENTS * (time.monotonic() - probe))
    control = _Control(engine, objective, problem, plain, request.psnr_db, n_steps)
    schedule = Schedule(math.inf, n_steps, Rates(GRID_RATE * step, NETWORK_RATE * step), request.deadline, LAST_RATE)
    result = fit(plain, engine, schedule, request.clock("fit"), control)
    return restored(problem, plain, quantize(plain, result.parameters, steps)), result, engine


@dataclass
class _Control:
    """Hardens the quantizer over the fit, renews predictions and filters, and steers lambda towards the target."""

    engine: Engine
    objective: Objective
    problem: Problem
    plain: Problem
    psnr_db: float
    n_steps: int

    def __call__(self, step: int, stats: Stats) -> None:
        now, progress = self.objective, (step + 1) / self.n_steps
        softness = SOFTNESS[0] + (SOFTNESS[1] - SOFTNESS[0]) * progress
        self.objective = replace(now, softness=softness)
        if step % RENEWAL_INTERVAL == RENEWAL_INTERVAL - 1:
            weights = quantize(self.plain, self.engine.parameters(), now.steps)
            rest = _rest(self.problem, self.plain, restored(self.problem, self.plain, weights))
            excess_db = max(-2.0, min(2.0, rest.exact_psnr_db(weights) - self.psnr_db))
            self.objective = replace(
                self.objective,
                rate_weight=now.rate_weight * 2 ** (CONTROL_GAIN * excess_db),
                priors=prior_of(self.plain, weights["level0"]),
                targets=rest.targets,
            )
        self.engine.set_objective(self.objective)


def _weigh(problem: Problem, request: Request, start: Weights) -> Weights:
    """Quantize again, each coefficient to what costs least in errors and bits, and come close to the target."""
    weights, coarseness = start, 1.0
    steps = {name: weight.step.value for name, weight in start.items()}
    parameters = {name: weight.values.astype(np.float32) for name, weight in start.items()}
    exact = _coefficients(problem, parameters, steps)
    clock = request.clock("quantize")
    for trial_number in range(TRIALS):
        step = Step.nearest(steps["level0"] * coarseness)
        symbols = np.round(exact / step.value).astype(np.int64)
        for _ in range(ROUNDS):
            symbols = weighed(exact / step.value, prior_of(problem, Quantized(symbols, step)))
        weights = {**start, "level0": Quantized(symbols, step)}
        psnr_db = problem.exact_psnr_db(weights)
        clock.tell(trial_number, TRIALS, psnr_db)
        excess_db = psnr_db - request.psnr_db
        if abs(excess_db) < CLOSE_DB or math.isinf(excess_db):
            break
        coarseness *= 10 ** (excess_db / 20 / STEP_EXPONENT)
    return weights


def _weigh_again(problem: Problem, plain: Problem, request: Request, weights: Weights) -> Trial:
    """Quantize once more what the field's error says the coefficients should be, at the price that just suffices."""
    clock, best, estimate = request.clock("quantize"), problem.trial(weights), _rest(problem, plain, weights)
    bias_db = 0.0
    level, prior = weights["level0"], prior_of(problem, weights["level0"])
    _, wishes = wishes_of(problem, weights, problem.spec.evaluate(problem.geometry, weights))
    exact, closest = np.asarray(level.symbols + wishes, np.float64), None
    for _ in range(RETRIES):
        low, high, found, estimate_db = 0.0, 4 * PRICE, weights, best.psnr_db
        for trial_number in range(PRICES):
            price = (low + high) / 2
            moved = {**weights, "level0": Quantized(weighed(exact, prior, price), level.step)}
            psnr_db = estimate.exact_psnr_db(moved) + bias_db
            clock.tell(trial_number, PRICES, psnr_db)
            if psnr_db >= request.psnr_db:
                low, found, estimate_db = price, moved, psnr_db
            else:
                high = price
            if 0 <= psnr_db - request.psnr_db < CLOSE_DB / 10:
                break
        trial = problem.trial(found)
        if trial.psnr_db >= request.psnr_db and (closest is None or trial.psnr_db < closest.psnr_db):
            closest = trial
        if 0 <= trial.psnr_db - request.psnr_db < CLOSE_DB / 5:
            break
        bias_db += trial.psnr_db - estimate_db - CLOSE_DB / 20  # what the estimate did not know
    if closest is not None:
        return closest
    return land(problem, request, weights, estimate.exact_psnr_db)


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
