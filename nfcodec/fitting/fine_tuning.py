"""Fitting any other field: to a little over the target, quantizer steps, then fine-tuning through the quantizer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nfcodec.errors import FormatError
from nfcodec.exact.field import Parameters
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.siren import kfac
from nfcodec.fields.siren.field import Siren
from nfcodec.fields.siren.kfac import Kfac
from nfcodec.fitting import engines
from nfcodec.fitting.engines import Engine, Objective, Rates
from nfcodec.fitting.loop import FitResult, Optimizer, Schedule, fit
from nfcodec.fitting.problem import Problem, Trial, quantize
from nfcodec.fitting.request import Request, Solution

MARGIN_DB = 1.0
"""The fit goes this far over the target; quantization may then cost as much."""

MAX_STEPS = 10_000
KFAC_STEPS = 300
ADAM_RATES = Rates(2.0**-9.5, 2.0**-9.5)
"""A SIREN that K-FAC has not fitted in so many steps is fitted by Adam, with these rates."""

TYPICAL_STEPS = 30
"""What most fits take, for the announcement of long ones."""

MAX_WIDENINGS = 2
COARSER = 2**0.25
"""Factor on all quantizer steps from one fine-tuning to the next."""

MAX_EXPONENT = 120
AS_GOOD_DB = 0.01
"""Quantized weights this close to the real ones cannot be improved by finer steps."""

FINE_TUNINGS = {1: 0, 2: 2, 3: 4, 4: 8, 5: 12, 6: 16, 7: 20, 8: 24, 9: 32}
FINE_TUNING_STEPS = {1: 0, 2: 10, 3: 15, 4: 20, 5: 30, 6: 60, 7: 120, 8: 240, 9: 480}


def solve_general(problem: Problem, request: Request) -> tuple[Solution, Problem]:
    """Fit by gradient steps from random weights, widening the field if it cannot reach the target.

    The result may miss the target, if steps or time run out; the caller decides what that means.
    """
    began, done, widenings = time.monotonic(), 0, 0
    budget = MAX_STEPS if request.max_steps is None else request.max_steps
    while True:
        initial = start_general(problem, request.seed)
        engine = engines.create(
            request.engine, request.device, problem, initial, Objective(), request.seed, request.note
        )
        probe = time.monotonic()
        engine.gradient()
        tuning = FINE_TUNINGS[request.effort] * FINE_TUNING_STEPS[request.effort]
        request.announce(problem, min(TYPICAL_STEPS + tuning, budget) * (time.monotonic() - probe))
        goal_db, n_steps = request.psnr_db + MARGIN_DB, budget - done
        first = min(n_steps, KFAC_STEPS) if _suits_kfac(problem) else n_steps
        schedule = Schedule(goal_db, first, default_rates(problem), request.deadline)
        result = fit(problem, engine, schedule, request.clock("fit"), optimizer=optimizer_of(problem, request))
        done += result.steps
        stuck = _suits_kfac(problem) and not result.reached  # as with noise in a few pixels
        if stuck and done < budget and not request.expired():
            engine.restore(initial)
            schedule = Schedule(goal_db, budget - done, ADAM_RATES, request.deadline)
            by_adam = fit(problem, engine, schedule, request.clock("fit"))
            done += by_adam.steps
            result = by_adam if by_adam.psnr_db > result.psnr_db else result
        wider = widened(problem) if widenings < MAX_WIDENINGS else None
        if result.psnr_db > request.psnr_db or done >= budget or request.expired() or wider is None:
            break
        problem, widenings = wider, widenings + 1
    trial, tuned = _quantize_and_tune(problem, request, engine, result, budget - done)
    seconds = time.monotonic() - began
    return Solution(trial, done, done + tuned, seconds, engine.name, engine.device), problem


def default_rates(problem: Problem) -> Rates:
    """Learning rates that need no tuning, thanks to the loop's recovery from spikes."""
    if isinstance(problem.spec, Ngp):
        return Rates(2.0**-6, 2.0**-6)
    return Rates(kfac.RATE, kfac.RATE) if _suits_kfac(problem) else ADAM_RATES


def _suits_kfac(problem: Problem) -> bool:
    """Whether a field is a SIREN on coordinates themselves."""
    return isinstance(problem.spec, Siren) and not problem.spec.frequencies


def optimizer_of(problem: Problem, request: Request) -> Optimizer | None:
    """The optimiser that suits a field; None for the engine's own, Adam."""
    if isinstance(problem.spec, Siren) and _suits_kfac(problem):
        return Kfac(problem.spec, problem.geometry, request.seed, problem.gain)
    return None


def widened(problem: Problem) -> Problem | None:
    """The same problem with half as many neurons again, if its field has a width to grow."""
    spec = problem.spec
    if not isinstance(spec, Siren) or spec.width >= 4096:
        return None
    return replace(problem, spec=replace(spec, width=min(4096, spec.width * 3 // 2)))


def _quantize_and_tune(
    problem: Problem, request: Request, engine: Engine, result: FitResult, budget: int
) -> tuple[Trial, int]:
    """Quantize within the margin, then trade fine-tuning steps for coarser quantizer steps as the effort allows."""
    engine.set_objective(Objective())
    allowed = allowed_mse(problem, engine.evaluate().mse, result.psnr_db - request.psnr_db, request.psnr_db)
    steps = balanced_steps(problem, engine, allowed)
    steps, best = _coarsest(problem, request, result, steps)
    done = 0
    for _ in range(FINE_TUNINGS[request.effort]):
        n_steps = min(FINE_TUNING_STEPS[request.effort], budget - done)
        if n_steps < 1 or request.expired():
            break
        coarser = {name: step * COARSER for name, step in steps.items()}
        engine.restore(result.parameters)
        coarser = {name: weight.step.value for name, weight in quantize(problem, result.parameters, coarser).items()}
        engine.set_objective(Objective(coarser))
        rates = default_rates(problem)
        schedule = Schedule(
            request.psnr_db + 0.01, n_steps, Rates(rates.grid / 4, rates.network / 4), request.deadline, decay=0.1
        )
        tuned = fit(problem, engine, schedule, request.clock("fine-tune"), optimizer=optimizer_of(problem, request))
        done += tuned.steps
        candidate = problem.trial(quantize(problem, tuned.parameters, coarser))
        if candidate.psnr_db < request.psnr_db:
            break
        steps, best, result = coarser, candidate, replace(result, parameters=tuned.parameters)
    return best, done


def _coarsest(
    problem: Problem, request: Request, result: FitResult, steps: Mapping[str, float]
) -> tuple[dict[str, float], Trial]:
    """Scale all steps by one factor, a power of 2^(1/4), to the largest that still reaches the target.

    Raises FormatError if no such steps suit the format's arithmetic.
    """
    clock = request.clock("quantize")

    def measure(exponent: int) -> tuple[dict[str, float], Trial]:
        scaled = {name: step * 2 ** (exponent / 4) for name, step in steps.items()}
        trial = problem.trial(quantize(problem, result.parameters, scaled))
        clock.tell(abs(exponent), MAX_EXPONENT, trial.psnr_db)
        return scaled, trial

    start = 0
    while True:
        try:
            best = measure(start)
            break
        except FormatError:  # the given steps are too fine; coarser ones may do
            start += 8
            if start > MAX_EXPONENT:
                raise
    direction = 1 if best[1].psnr_db >= request.psnr_db else -1
    for distance in range(1, MAX_EXPONENT):
        try:
            trial = measure(start + direction * distance)
        except FormatError:  # finer than the format's arithmetic
            break
        reaches = trial[1].psnr_db >= request.psnr_db
        if direction == 1 and not reaches:
            break
        best = trial if direction == 1 or trial[1].psnr_db > best[1].psnr_db else best
        if direction == -1 and (reaches or trial[1].psnr_db > result.psnr_db - AS_GOOD_DB):
            break
    return best


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
