"""From a fit of real parameters to quantized weights: steps that share an error, and fine-tuning through the quantizer.

For fields that are fitted from random weights: a fit goes a margin over the target, quantization may cost as much, and
fine-tuning trades gradient steps for coarser quantizer steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nfcodec.errors import FormatError
from nfcodec.exact.field import Tensor
from nfcodec.fitting.batches import Optimizer
from nfcodec.fitting.engines import Engine, Objective, Rates
from nfcodec.fitting.loop import FitResult, Schedule, fit
from nfcodec.fitting.problem import Problem, Trial, quantize
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import Bracket

MARGIN_DB = 1.0
"""The fit goes this far over the target; quantization may then cost as much."""

MAX_STEPS = 10_000
"""Of a fit, where the request bounds none."""

COARSER = 2**0.25
"""Factor on all quantizer steps from one fine-tuning to the next."""

SLOWER, LAST_RATE = 4, 0.1
"""Rates of fine-tuning: the fit's over the first, falling to a share of that."""

CLOSE_DB = 0.01
"""How far over the target fine-tuning goes."""

MAX_EXPONENT, NEXT_EXPONENT = 120, 8
"""Of factors on steps, in quarters of an octave: the largest, and how much larger the next is where one is too fine."""

AS_GOOD_DB = 0.01
"""Quantized weights this close to the real ones cannot be improved by finer steps."""

LEAST_MARGIN_DB, LARGEST_MARGIN_DB = 0.05, 100.0
LEAST_SHARE = 0.01
"""Bounds on the margin that quantization may use up, and the least error that it may add, over what the target allows,
for fits without an error."""

FIRST_STEP, STEP_RATIO, STEP_TRIALS = 1 / 64, 4, 6
"""Steps that are tried for a tensor: the first over its root mean square, each over the one before, and how many."""

ENOUGH_SHARE, LEAST_RMS = 0.3, 1e-9
"""Of the error that is a tensor's share: from there on it grows with the square of the step. And what is as good as no
parameter at all."""


@dataclass(frozen=True)
class Tuning:
    """How quantized weights are tuned.

    Attributes:
        times: how often the quantizer steps may become coarser at most.
        n_steps: gradient steps of each time.
        rates: of the fit before it.
        optimizer: makes one for each time; None for the engine's own.
    """

    times: int
    n_steps: int
    rates: Rates
    optimizer: Callable[[], Optimizer | None] = lambda: None


def quantized_and_tuned(
    problem: Problem, request: Request, engine: Engine, result: FitResult, budget: int, tuning: Tuning
) -> tuple[Trial, int]:
    """Quantize within the margin, then trade fine-tuning steps for coarser quantizer steps.

    Args:
        budget: gradient steps at most.

    Returns:
        The weights, which may miss the target where the fit did, and how many steps were taken.

    Raises:
        FormatError: no steps suit the format's arithmetic.
    """
    engine.set_objective(Objective())
    allowed = allowed_mse(problem, engine.evaluate().mse, result.psnr_db - request.psnr_db, request.psnr_db)
    steps = balanced_steps(problem, engine, allowed)
    steps, best = coarsest_steps(problem, request, result, steps)
    done = 0
    for _ in range(tuning.times):
        n_steps = min(tuning.n_steps, budget - done)
        if n_steps < 1 or request.steps_expired():
            break
        coarser = {name: step * COARSER for name, step in steps.items()}
        engine.restore(result.parameters)
        coarser = {name: weight.step.value for name, weight in quantize(problem, result.parameters, coarser).items()}
        engine.set_objective(Objective(coarser))
        rates = Rates(tuning.rates.grid / SLOWER, tuning.rates.network / SLOWER)
        schedule = Schedule(request.psnr_db + CLOSE_DB, n_steps, rates, request.steps_deadline, LAST_RATE)
        tuned = fit(problem, engine, schedule, request.clock("fine-tune"), optimizer=tuning.optimizer())
        done += tuned.steps
        candidate = problem.trial(quantize(problem, tuned.parameters, coarser))
        if candidate.psnr_db < request.psnr_db:
            break
        steps, best, result = coarser, candidate, replace(result, parameters=tuned.parameters)
    return best, done


def coarsest_steps(
    problem: Problem, request: Request, result: FitResult, steps: Mapping[str, float]
) -> tuple[dict[str, float], Trial]:
    """Scale all steps by one factor, a power of 2^(1/4), to the largest that still reaches the target.

    The closest found where none does. Raises FormatError if no such steps suit the format's arithmetic.
    """
    clock = request.clock("quantize")

    def measure(exponent: int) -> tuple[dict[str, float], Trial]:
        scaled = {name: step * 2 ** (exponent / 4) for name, step in steps.items()}
        trial = problem.trial(quantize(problem, result.parameters, scaled))
        clock.tell(abs(exponent), MAX_EXPONENT, trial.psnr_db)
        return scaled, trial

    exponent, bracket = 0, Bracket()
    while True:
        try:
            best = measure(exponent)
            break
        except FormatError:  # the given steps are too fine; coarser ones may do
            exponent += NEXT_EXPONENT
            if exponent > MAX_EXPONENT:
                raise
    reached = best[1].psnr_db >= request.psnr_db
    bracket.add(exponent, best[1].psnr_db, reached=reached)
    onward = 1 if reached else -1
    for _ in range(MAX_EXPONENT - 1):
        exponent += onward
        try:
            found = measure(exponent)
        except FormatError:  # finer than the format's arithmetic
            break
        psnr_db = found[1].psnr_db
        bracket.add(exponent, psnr_db, reached=psnr_db >= request.psnr_db)
        if psnr_db >= request.psnr_db or (bracket.enough is None and psnr_db > best[1].psnr_db):
            best = found
        hopeless = result.psnr_db < request.psnr_db
        if request.expired() and (hopeless or best[1].psnr_db >= request.psnr_db):
            break
        if math.isfinite(bracket.width) or (bracket.enough is None and psnr_db > result.psnr_db - AS_GOOD_DB):
            break
    return best


def allowed_mse(problem: Problem, mse: float, margin_db: float, target_db: float) -> float:
    """How much quantization may add to a mean squared error in the fitted domain that is so far over the target."""
    least = LEAST_SHARE * problem.gain * 10 ** (-target_db / 10)
    return max(mse * (10 ** (min(max(margin_db, LEAST_MARGIN_DB), LARGEST_MARGIN_DB) / 10) - 1), least)


def balanced_steps(
    problem: Problem,
    engine: Engine,
    allowed: float,
    tensors: Sequence[Tensor] | None = None,
    objective: Objective | None = None,
) -> dict[str, float]:
    """Quantizer steps whose errors add up to a mean squared error, each tensor's in proportion to its parameters.

    At high rate a tensor's error grows with the square of its step and its bits fall with the step's logarithm, so
    equal error per parameter minimises the bits.

    Args:
        tensors: which of the layout's get steps; all by default.
        objective: how all others are seen meanwhile; as they are by default.
    """
    parameters, objective = engine.parameters(), objective or Objective()
    engine.set_objective(objective)
    base = engine.evaluate().mse
    tensors = problem.field.layout(problem.geometry) if tensors is None else tensors
    n_parameters = sum(tensor.size for tensor in tensors)
    steps: dict[str, float] = {}
    for tensor in tensors:
        rms = float((parameters[tensor.name].astype("f8") ** 2).mean() ** 0.5) * tensor.unit
        step, share = max(rms, LEAST_RMS) * FIRST_STEP, allowed * tensor.size / n_parameters
        error = 0.0
        for _ in range(STEP_TRIALS):
            engine.set_objective(replace(objective, steps={**objective.steps, tensor.name: step}))
            error = engine.evaluate().mse - base
            if error > ENOUGH_SHARE * share:
                break
            step *= STEP_RATIO
        steps[tensor.name] = step * min(1.0, math.sqrt(share / max(error, 1e-30)))
    engine.set_objective(Objective())
    return steps
