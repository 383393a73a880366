"""Ending exactly where the target is: the last adjustment of quantized grid levels, with the exact decoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import OUTPUT_UNIT, Quantized
from nfcodec.exact.field import Parameters
from nfcodec.fields.ngp.field import Ngp
from nfcodec.fields.table.analysis import wavelet_coefficients
from nfcodec.fields.wavelet.field import WaveletLevel
from nfcodec.fields.wavelet.rate import laplace_bits, prior_of
from nfcodec.fitting.engines import Engine, Objective
from nfcodec.fitting.problem import Problem, Trial, quantize
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import CLOSE_DB, coarsest

TRIALS = 16
RETRIES = 6
LEAST = 1e-3
"""Divisor of what would cost nothing."""

Weights = dict[str, Quantized]


def land_by_step(
    problem: Problem, request: Request, start: Callable[[float], tuple[Parameters, Mapping[str, float]]]
) -> Trial:
    """The coarsest analysis whose exact PSNR reaches the target; the closest found if none does.

    Args:
        start: makes parameters and steps for a factor on the quantizer step.
    """

    def attempt(exponent: float) -> Trial:
        return problem.trial(quantize(problem, *start(2.0**exponent)))

    def missing_log2(trial: Trial) -> float:
        return max(-4.0, min(4.0, (trial.psnr_db - request.psnr_db - CLOSE_DB / 2) / 6.02))

    return coarsest(request, 2 * TRIALS, attempt, missing_log2)


def land(
    problem: Problem, request: Request, weights: Weights, estimate_db: Callable[[Weights], float] | None = None
) -> Trial:
    """Move symbols of the last level by one, where it matters most or least, until the PSNR is just over the target.

    Below the target, symbols move towards the picture, where the error is largest; above it, towards what is cheapest,
    where that costs least. Bisection on the number of moves; the input comes back if it is on the target already.

    Args:
        estimate_db: a quick stand-in for the exact decoder's PSNR; what is returned has been checked exactly.
    """
    outputs = problem.spec.evaluate(problem.geometry, weights)
    best = problem.trial_of(weights, outputs)
    request.clock("quantize").tell(0, TRIALS, best.psnr_db)
    if 0 <= best.psnr_db - request.psnr_db < CLOSE_DB:
        return best
    estimate_db = estimate_db or problem.exact_psnr_db
    moves = _Moves(problem, weights, outputs, best.psnr_db < request.psnr_db)
    bias_db, goal_db, enough = best.psnr_db - estimate_db(weights), request.psnr_db, best.psnr_db >= request.psnr_db
    for _ in range(RETRIES):
        trial = problem.trial(_bisect(moves, request, goal_db, lambda trial: estimate_db(trial) + bias_db))
        excess_db = trial.psnr_db - request.psnr_db
        if excess_db >= 0:
            best = trial if not enough or trial.psnr_db < best.psnr_db else best
            enough = True
        elif not enough and trial.psnr_db > best.psnr_db:
            best = trial
        if 0 <= excess_db < CLOSE_DB:
            break
        goal_db += (-2 * excess_db if excess_db < 0 else CLOSE_DB / 5 - excess_db) + CLOSE_DB / 5
    return best


def estimated_db(problem: Problem, engine: Engine, weights: Mapping[str, Quantized]) -> float:
    """The PSNR of quantized weights by the engine, in float32."""
    engine.set_objective(Objective())
    engine.restore({name: weight.values.astype(np.float32) for name, weight in weights.items()})
    return problem.psnr_db(engine.evaluate().squared_error)


def _bisect(moves: _Moves, request: Request, goal_db: float, measure: Callable[[Weights], float]) -> Weights:
    """The weights with the fewest moves that reach the goal, or with the most that keep it.

    All moves, where no number of them reaches it; none, where not even one keeps it.
    """
    clock = request.clock("quantize")
    low, high = 0, moves.n + 1  # of what is below the goal and what reaches it, or the reverse
    best = moves.first(moves.n if moves.short else 0)
    for trial in range(1, TRIALS):
        if high - low < 2:
            break
        number = (low + high) // 2
        weights = moves.first(number)
        psnr_db = measure(weights)
        clock.tell(trial, TRIALS, psnr_db)
        if psnr_db >= goal_db:
            best = weights
        if 0 <= psnr_db - goal_db < CLOSE_DB / 5:
            break
        low, high = (low, number) if (psnr_db >= goal_db) == moves.short else (number, high)
    return best


class _Moves:
    """Moves of the last level's symbols by one, the most worthwhile first."""

    def __init__(self, problem: Problem, weights: Weights, outputs: npt.NDArray[np.int64], short: bool) -> None:
        self.short, self._weights = short, weights
        self._name, wish = wishes_of(problem, weights, outputs)
        level, symbols = weights[self._name], weights[self._name].symbols
        saving = np.ones(symbols.shape)  # bits that a move saves
        towards = np.sign(wish).astype(np.int64) if short else -np.sign(symbols)
        if isinstance(problem.spec, Ngp) and isinstance(problem.spec.levels[-1], WaveletLevel):
            prior = prior_of(problem, level)
            towards = towards if short else np.sign(np.round(prior[0]).astype(np.int64) - symbols)
            saving = laplace_bits(symbols, prior) - laplace_bits(symbols + towards, prior)
        gain = 2 * wish * towards - 1  # error that a move takes away, in squares of the step
        useful = gain > 0 if short else saving > 0
        worth = gain / np.maximum(-saving, LEAST) if short else saving / np.maximum(-gain, LEAST)
        eligible = np.flatnonzero(useful & (towards != 0))
        self._order: npt.NDArray[np.int64] = eligible[np.argsort(-worth.reshape(-1)[eligible], kind="stable")]
        self._towards: npt.NDArray[np.int64] = towards.reshape(-1)

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self._order)

    def first(self, number: int) -> Weights:
        """The weights after so many moves."""
        before, chosen = self._weights[self._name], self._order[:number]
        changed = np.array(before.symbols, np.int64).reshape(-1)
        changed[chosen] += self._towards[chosen]
        return {**self._weights, self._name: Quantized(changed.reshape(before.symbols.shape), before.step)}


def wishes_of(
    problem: Problem, weights: Weights, outputs: npt.NDArray[np.int64]
) -> tuple[str, npt.NDArray[np.float32]]:
    """The last level's name, and how far each of its symbols is from where the picture wants it."""
    spec = problem.spec
    assert isinstance(spec, Ngp)
    level = spec.levels[-1]
    name, features = f"level{len(spec.levels) - 1}", level.features
    inverse = np.transpose(np.linalg.pinv(weights["skip"].values[:, -features:])) / weights[name].step.value
    error = np.asarray(problem.targets - outputs.astype(np.float32) * np.float32(OUTPUT_UNIT), np.float32)
    wish: npt.NDArray[np.float32] = (error @ inverse.astype(np.float32)).reshape(weights[name].symbols.shape)
    return name, wavelet_coefficients(wish, level.n_levels) if isinstance(level, WaveletLevel) else wish
