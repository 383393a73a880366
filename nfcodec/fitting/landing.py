"""Ending exactly where the target is: last moves of a table's symbols by one, judged by the exact decoder.

A family proposes the moves: which way each symbol may go, and what that saves. How many of them are made is a search
that all share.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nfcodec.exact.arithmetic import OUTPUT_UNIT, Quantized
from nfcodec.fitting.engines import Engine, Objective
from nfcodec.fitting.problem import Problem, Trial, Weights
from nfcodec.fitting.request import Request
from nfcodec.fitting.search import CLOSE_DB, Bracket, Tried

TRIALS = 16
RETRIES = 6
LEAST = 1e-3
"""Divisor of what would cost nothing."""

Outputs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Moves:
    """Moves of one table's symbols by one, the most worthwhile first.

    Attributes:
        name: of the table.
        order: which of its symbols move, as places in raster order, (n,).
        towards: -1, 0 or 1 for each symbol of the table in raster order.
        short: whether moves take error away, as where the target has not been reached; else they save bits.
    """

    name: str
    order: npt.NDArray[np.int64]
    towards: npt.NDArray[np.int64]
    short: bool

    @classmethod
    def of(cls, name: str, wishes: Floats, towards: npt.NDArray[np.int64], saving: Floats, *, short: bool) -> Moves:
        """Moves by what they are worth; all arrays are of the table's shape.

        Args:
            wishes: how far each symbol is from where the picture wants it, see `wishes_of`.
            towards: -1, 0 or 1, the way that each may go.
            saving: bits that this saves, negative where it costs some.
        """
        gain = 2 * wishes * towards - 1  # error that a move takes away, in squares of the step
        useful = gain > 0 if short else saving > 0
        worth = gain / np.maximum(-saving, LEAST) if short else saving / np.maximum(-gain, LEAST)
        eligible = np.flatnonzero(useful & (towards != 0))
        order: npt.NDArray[np.int64] = eligible[np.argsort(-worth.reshape(-1)[eligible], kind="stable")]
        return cls(name, order, towards.reshape(-1), short)

    def first(self, number: int, weights: Weights) -> Weights:
        """The weights after so many moves."""
        before, chosen = weights[self.name], self.order[:number]
        changed = np.array(before.symbols, np.int64).reshape(-1)
        changed[chosen] += self.towards[chosen]
        return {**weights, self.name: Quantized(changed.reshape(before.symbols.shape), before.step)}


Proposal = Callable[[Weights, Outputs, bool], Moves]
"""What a family says to its weights, their exact outputs (H * W, C), and whether they fall short of the target."""


def land(
    problem: Problem,
    request: Request,
    weights: Weights,
    propose: Proposal,
    estimate_db: Callable[[Weights], float] | None = None,
) -> Trial:
    """Make as many of the moves proposed as it takes for the PSNR to be just over the target.

    Below the target as few as reach it, above it as many as keep it; the input comes back if it is on the target
    already, or if it reaches the target and time is up.

    Args:
        estimate_db: a quick stand-in for the exact decoder's PSNR; what is returned has been checked exactly.
    """
    outputs = problem.field.evaluate(problem.geometry, weights)
    best = problem.trial_of(weights, outputs)
    request.clock("quantize").tell(0, TRIALS, best.psnr_db)
    if 0 <= best.psnr_db - request.psnr_db < CLOSE_DB:
        return best
    estimate_db = estimate_db or problem.exact_psnr_db
    enough = best.psnr_db >= request.psnr_db
    moves = propose(weights, outputs, not enough)
    bias_db, goal_db = best.psnr_db - estimate_db(weights), request.psnr_db
    for _ in range(RETRIES):
        if enough and request.expired():
            break
        trial = problem.trial(_halved(moves, weights, request, goal_db, lambda moved: estimate_db(moved) + bias_db))
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


def wishes_of(
    problem: Problem, outputs: Outputs, table: Quantized, linear: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """How far each symbol of a table, (H, W, F), is from where the picture wants it, in symbols.

    Args:
        outputs: (H * W, C), exact.
        linear: (C, F), what the outputs take from an entry at their pixel.
    """
    inverse = np.transpose(np.linalg.pinv(linear)) / table.step.value
    error = np.asarray(problem.targets - outputs.astype(np.float32) * np.float32(OUTPUT_UNIT), np.float32)
    return (error @ inverse.astype(np.float32)).reshape(table.symbols.shape)


def estimated_db(problem: Problem, engine: Engine, weights: Weights) -> float:
    """The PSNR of quantized weights by the engine, in float32."""
    engine.set_objective(Objective())
    engine.restore({name: weight.values.astype(np.float32) for name, weight in weights.items()})
    return problem.psnr_db(engine.evaluate().squared_error)


def _halved(
    moves: Moves, weights: Weights, request: Request, goal_db: float, measure: Callable[[Weights], float]
) -> Weights:
    """The weights with the fewest moves that reach the goal, or with the most that keep it; by bisection.

    All moves, where no number of them reaches it; none, where not even one keeps it.
    """
    n_moves, sign = len(moves.order), -1 if moves.short else 1  # fewer moves are further, where more are better
    ends = [Tried(number * sign, math.nan) for number in (0, n_moves + 1)]
    bracket = Bracket(*reversed(ends)) if moves.short else Bracket(*ends)
    clock, best = request.clock("quantize"), moves.first(n_moves if moves.short else 0, weights)
    for trial in range(1, TRIALS):
        if bracket.width < 2:
            break
        number = int(abs(bracket.halfway()))
        moved = moves.first(number, weights)
        psnr_db = measure(moved)
        clock.tell(trial, TRIALS, psnr_db)
        if psnr_db >= goal_db:
            best = moved
        if 0 <= psnr_db - goal_db < CLOSE_DB / 5:
            break
        bracket.add(number * sign, psnr_db, reached=psnr_db >= goal_db)
    return best
