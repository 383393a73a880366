"""Fitting a table, one entry a pixel, as suits permuted pictures: nothing to fit but which symbols to take."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from nfcodec.fields import DenseLevel, Ngp
from nfcodec.fitting.dense import solve_dense
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.rate import estimated_bytes
from nfcodec.fitting.solution import Request, Solution
from nfcodec.fitting.trellis import lattices, trellis_trial

WELL_CODED, PATIENT = 0.95, 6
"""Less than this of rounding's bytes is good enough (without a code 3 to 4 % less are usual), below this effort."""


def suits_table(problem: Problem) -> bool:
    """Whether a field is one entry a pixel, with a linear map of one feature or three."""
    spec = problem.spec
    if not (isinstance(spec, Ngp) and not spec.hidden and spec.skip and len(spec.levels) == 1):
        return False
    return spec.levels[0] == DenseLevel(0, problem.geometry.channels) and problem.geometry.channels in (1, 3)


def solve_table(problem: Problem, request: Request) -> Solution:
    """The coarsest table that reaches the target, with symbols chosen by bits. It may miss the target."""
    began, solution = time.monotonic(), solve_dense(problem, request)
    if request.expired():
        return solution
    trial = chosen_by_bits(problem, request, solution.trial)
    return replace(solution, trial=trial, fit_seconds=time.monotonic() - began)


def chosen_by_bits(problem: Problem, request: Request, start: Trial) -> Trial:
    """The picture of `start` with symbols chosen by error and bits; `start` if that brings nothing, or cannot be."""
    if start.psnr_db < request.psnr_db or math.isinf(start.psnr_db):
        return start
    best, n_bytes = start, estimated_bytes(problem, start.weights)
    enough = WELL_CODED * n_bytes if request.effort < PATIENT else 0.0
    for lattice in lattices(start):
        trial = trellis_trial(problem, request, start, lattice)
        if trial is not None and estimated_bytes(problem, trial.weights) < n_bytes:
            best, n_bytes = trial, estimated_bytes(problem, trial.weights)
        if n_bytes < enough or request.expired():
            break
    return best
