"""From problems to one solution: which candidate, and which way of fitting it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from nfcodec.fields import TiledSiren, part_of, places
from nfcodec.fitting.analysis import suits_analysis
from nfcodec.fitting.dense import solve_dense, start_dense
from nfcodec.fitting.general import solve_general
from nfcodec.fitting.landing import land_by_step
from nfcodec.fitting.plan import is_small, wavelet_ngp
from nfcodec.fitting.problem import Problem, Trial
from nfcodec.fitting.rate import estimated_bytes
from nfcodec.fitting.small import solve_small
from nfcodec.fitting.solution import Request, Solution, quantize
from nfcodec.fitting.table import solve_table, suits_table
from nfcodec.fitting.wavelet import solve_wavelet, start_wavelet, suits_wavelet


def solve(problems: Sequence[Problem], request: Request) -> tuple[Solution, Problem]:
    """Fit the candidate whose start promises the smallest file; also return which one that was."""
    if all(suits_wavelet(each) for each in problems):
        return solve_wavelet(problems, request)
    tiled = isinstance(problems[0].spec, TiledSiren)
    if tiled or is_small(problems[0].spec, problems[0].geometry):
        others = len(problems) > 1
        found = solve_small(problems[0], request, planned=others, last=tiled and not others)
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


class WaveletBytes:
    """About what a picture, or each tile of it, takes as a field of wavelet levels at a target.

    Args:
        problem: of that field.
    """

    def __init__(self, problem: Problem, request: Request) -> None:
        self._problem, self._request = problem, request

    def __call__(self, rows: int, cols: int) -> list[float]:
        """Of the tiles of a grid, row by row, all with the quantizer step that the whole picture needs."""
        problem, request = self._problem, self._request
        if rows * cols == 1:
            return [estimated_bytes(problem, self._landed.weights)]
        return [
            estimated_bytes(part, quantize(part, *start_wavelet(part, request, self._coarseness)))
            for place in places(problem.geometry, rows, cols)
            for part in [problem.part(place, wavelet_ngp(part_of(problem.geometry, place)))]
        ]

    @cached_property
    def _landed(self) -> Trial:
        problem, request = self._problem, self._request
        return land_by_step(problem, request, lambda coarseness: start_wavelet(problem, request, coarseness))

    @property
    def _coarseness(self) -> float:
        """The factor on quantizer steps that the whole picture needs."""
        _, steps = start_wavelet(self._problem, self._request)
        return self._landed.weights["level0"].step.value / steps["level0"]
