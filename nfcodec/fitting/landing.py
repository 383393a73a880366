"""Ending exactly where the target is: the last adjustment of quantized dense levels, with the exact decoder."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from nfcodec.errors import FormatError
from nfcodec.fields import Ngp, Parameters, Quantized
from nfcodec.fitting.problem import OUTPUT_UNIT, Problem
from nfcodec.fitting.solution import Request, quantize

TRIALS = 12
CLOSE_DB = 0.01

Weights = dict[str, Quantized]


def land_by_step(
    problem: Problem, request: Request, start: Callable[[float], tuple[Parameters, Mapping[str, float]]]
) -> tuple[Weights, float]:
    """The coarsest analysis whose exact PSNR reaches the target; the closest found if none does.

    Args:
        start: makes parameters and steps for a factor on the quantizer step.
    """
    clock = request.clock("quantize")

    def measure(log2_factor: float) -> tuple[Weights, float]:
        weights = quantize(problem, *start(2.0**log2_factor))
        return weights, problem.exact_psnr_db(weights)

    fine, coarse = -math.inf, math.inf  # factors that suffice, and that do not
    factor, best, closest = 0.0, None, None
    for trial in range(2 * TRIALS):
        try:
            weights, psnr_db = measure(factor)
        except FormatError:  # finer than the format's arithmetic
            if closest is not None:
                break
            factor += 2
            continue
        clock.tell(trial, 2 * TRIALS, psnr_db)
        excess_db = psnr_db - request.psnr_db
        closest = (weights, psnr_db) if closest is None or psnr_db > closest[1] else closest
        if excess_db >= 0:
            fine, best = factor, (weights, psnr_db)
        else:
            coarse = factor
        if 0 <= excess_db < CLOSE_DB or coarse - fine < 0.006 or factor < -12:
            break
        guess = factor + max(-4.0, min(4.0, (excess_db - CLOSE_DB / 2) / 6.02))
        bracketed = fine > -math.inf and coarse < math.inf
        factor = (
            guess
            if fine < guess < coarse
            else (fine + coarse) / 2
            if bracketed
            else factor + math.copysign(0.5, excess_db)
        )
    result = best or closest
    if result is None:
        raise FormatError("no quantizer step suits the values to fit")
    return result


def land(problem: Problem, request: Request, weights: Weights) -> tuple[Weights, float]:
    """Move symbols of the finest level by one, where it matters most or least, until the PSNR is just over the target.

    Below the target, symbols move towards the picture where the error is largest; above it, they move towards zero
    where that costs least. Bisection on the threshold; the input comes back if it is on the target already.
    """
    clock = request.clock("quantize")
    psnr_db = problem.exact_psnr_db(weights)
    clock.tell(0, TRIALS, psnr_db)
    if 0 <= psnr_db - request.psnr_db < CLOSE_DB:
        return weights, psnr_db
    name, wish = _wishes(problem, weights)
    symbols, short = weights[name].symbols, psnr_db < request.psnr_db
    gain = wish if short else -np.sign(symbols) * wish
    towards = np.sign(wish).astype(np.int64) if short else -np.sign(symbols)
    gain = np.where(towards == 0, -np.inf, np.abs(gain) if short else gain)

    def moved(threshold: float) -> tuple[Weights, float]:
        changed = symbols + np.where(gain > threshold, towards, 0)
        trial = {**weights, name: Quantized(changed, weights[name].step)}
        return trial, problem.exact_psnr_db(trial)

    best = (weights, psnr_db)
    some, none = (0.5, 4.0) if short else (-1.0, 0.5)  # thresholds: many symbols move, hardly any
    for trial in range(1, TRIALS):
        threshold = some if short and trial == 1 else (some + none) / 2
        weighed, weighed_db = moved(threshold)
        clock.tell(trial, TRIALS, weighed_db)
        reaches = weighed_db >= request.psnr_db
        if reaches or weighed_db > best[1]:
            best = (weighed, weighed_db)
        if short and trial == 1 and not reaches:
            break
        if 0 <= weighed_db - request.psnr_db < CLOSE_DB:
            break
        if reaches == short:  # fewer moves: nearer to what there was
            some = threshold
        else:
            none = threshold
    return best


def _wishes(problem: Problem, weights: Weights) -> tuple[str, npt.NDArray[np.float64]]:
    """The finest level's name, and how far each of its symbols is from where the picture wants it."""
    spec = problem.spec
    assert isinstance(spec, Ngp)
    name, features = f"level{len(spec.levels) - 1}", spec.levels[-1].features
    outputs = spec.evaluate(problem.geometry, weights) * OUTPUT_UNIT
    inverse = np.transpose(np.linalg.pinv(weights["skip"].values[:, -features:]))
    wish: npt.NDArray[np.float64] = (problem.targets - outputs) @ inverse / weights[name].step.value
    return name, wish.reshape(weights[name].symbols.shape)
