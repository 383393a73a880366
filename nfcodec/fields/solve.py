"""From problems to one solution: which candidate, and which way of fitting it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nfcodec.fields.plan import is_small
from nfcodec.fields.siren.tiled import TiledSiren
from nfcodec.fields.siren.tiles import SmallFit, solve_small
from nfcodec.fields.table.analysis import suits_analysis
from nfcodec.fields.table.fit import solve_table, suits_table
from nfcodec.fields.table.pyramid import solve_dense, start_dense
from nfcodec.fields.wavelet.fit import solve_wavelet, suits_wavelet
from nfcodec.fields.wavelet.rate import estimated_bytes
from nfcodec.fitting.fine_tuning import solve_general
from nfcodec.fitting.problem import Problem, quantize
from nfcodec.fitting.request import Request, Solution


def solve(
    problems: Sequence[Problem], request: Request, kept: list[SmallFit] | None = None
) -> tuple[Solution, Problem]:
    """Fit the candidate whose start promises the smallest file; also return which one that was.

    Args:
        kept: fits of small SIRENs for earlier requests with the same picture, see `solve_small`.
    """
    if all(suits_wavelet(each) for each in problems):
        return solve_wavelet(problems, request)
    tiled = isinstance(problems[0].spec, TiledSiren)
    if tiled or is_small(problems[0].spec, problems[0].geometry):
        others = len(problems) > 1
        found = solve_small(problems[0], request, planned=others, last=tiled and not others, kept=kept)
        if found is not None:
            return found
        problems = problems[1:] or problems
    problem = problems[0] if len(problems) == 1 else min(problems, key=lambda each: _promised_bytes(each, request))
    if suits_table(problem):
        return solve_table(problem, request), problem
    if suits_analysis(problem.spec, problem.geometry):
        return solve_dense(problem, request), problem
    return solve_general(problem, request)


def _promised_bytes(problem: Problem, request: Request) -> float:
    """The size of a dense field's start, before any fitting; infinite if only fitting would tell."""
    if not suits_analysis(problem.spec, problem.geometry):
        return math.inf
    return estimated_bytes(problem, quantize(problem, *start_dense(problem, request)))
